"""The bundled scorer: ONNX Runtime in this process, one thread. Takes a checked bundle, gives scores; never reads a document."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from function.errors import BundleError, ScorerRejected
from function.records import Scores
from model.bundle import Bundle, check_golden
from model.features import Matrix

INPUT = "input"
OUTPUT = "probabilities"
# Every way in which ONNX Runtime refuses a model or a tensor; it has no common base class for them.
REFUSALS = (
    runtime_errors.EPFail,
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NoSuchFile,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
)


class BundledScorer:
    """Scores by the bundle's ONNX model. The positive class is the last column of `probabilities`."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the model and score the golden rows. Raises BundleError when it does not fit the manifest or scores differently."""
        self.label = bundle.label
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # Lambda gives a fraction of a core at small memory sizes; 50 rows take microseconds
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(bundle.model_file, options, providers=["CPUExecutionProvider"])
        except REFUSALS as error:
            raise BundleError(f"{bundle.model_file}: expected an ONNX model that this ONNX Runtime can load") from error
        inputs = {tensor.name: tensor.shape for tensor in self._session.get_inputs()}
        width = len(bundle.spec.columns)
        if INPUT not in inputs or inputs[INPUT][-1] != width or OUTPUT not in {tensor.name for tensor in self._session.get_outputs()}:
            raise BundleError(f"{bundle.model_file}: expected an input `{INPUT}` of {width} columns and an output `{OUTPUT}`")
        check_golden(bundle, self.score_batch(bundle.golden_rows, 0.0))

    def score_batch(self, matrix: Matrix, timeout: float) -> Scores:  # noqa: ARG002  # microseconds; nothing to cut short
        """Score float32 [n, f]: float64 [n]. Raises ScorerRejected when ONNX Runtime refuses or a score is not finite."""
        try:
            (probabilities,) = self._session.run([OUTPUT], {INPUT: matrix})
        except REFUSALS as error:
            raise ScorerRejected("bundled model: expected ONNX Runtime to accept the matrix") from error
        scores: Scores = probabilities[:, -1].astype(np.float64)
        if not np.isfinite(scores).all():
            raise ScorerRejected("bundled model: expected finite scores")
        return scores
