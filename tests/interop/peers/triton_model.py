"""Runs in Triton's Python backend: a joblib file as a model, FP32 in, FP32 probabilities out."""

import os
import sys
from pathlib import Path

# Triton's stub runs an isolated interpreter that reads no PYTHONPATH.
sys.path.insert(0, os.environ["PEER_PACKAGES"])

import joblib
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """The class that the backend looks for."""

    def initialize(self, args):
        self.model = joblib.load(
            Path(args["model_repository"]) / args["model_version"] / "model.joblib"
        )

    def execute(self, requests):
        answers = []
        for request in requests:
            matrix = pb_utils.get_input_tensor_by_name(request, "input").as_numpy()
            probabilities = self.model.predict_proba(matrix).astype(np.float32)
            answers.append(
                pb_utils.InferenceResponse([pb_utils.Tensor("probabilities", probabilities)])
            )
        return answers
