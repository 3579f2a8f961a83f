"""A service without a channel, for the tests of repeated requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from function.scorers.tensors import build_request
from function.settings import Dialect
from model.features import Matrix
from model.runtime import ModelFacts, TensorFacts
from protos.open_inference_pb2 import ModelInferRequest
from segment_scorer.service.inferences import Inferences
from segment_scorer.service.repeats import Repeat
from segment_scorer.service.servicer import InferenceServicer

FACTS = ModelFacts(
    name="m",
    version="3",
    input=TensorFacts(name="input", datatype="FP32", shape=(-1, 2)),
    outputs=(
        TensorFacts(name="label", datatype="INT64", shape=(-1,)),
        TensorFacts(name="probabilities", datatype="FP32", shape=(-1, 2)),
    ),
    takes_missing=True,
)
MATRIX = np.array([[1, 2], [3, np.nan], [5, 6]], dtype=np.float32)
OTHER = np.array([[0, -1], [1e30, 2], [np.nan, 0.5]], dtype=np.float32)
ID = "7f4c8a52-3c0e-4b6e-9d57-0d1f6b8f1a11"
OTHER_ID = "00000000-3c0e-4b6e-9d57-0d1f6b8f1a12"


class Doubler:
    """A model whose outputs show its input.

    is_flat  whether it gives its scores in another shape
    """

    facts = FACTS

    def __init__(self) -> None:
        self.is_flat = False

    def compute(self, matrix: Matrix, outputs: Sequence[str]) -> Mapping[str, np.ndarray]:
        values = np.nan_to_num(matrix) * np.float32(2)
        all_values = {
            "label": np.arange(len(matrix)),
            "probabilities": values.ravel() if self.is_flat else values,
        }
        return {name: all_values[name] for name in outputs}


def make_servicer(model: Doubler | None = None) -> InferenceServicer:
    """A servicer that knows no form yet."""
    return InferenceServicer(model or Doubler(), max_rows=10, inferences=Inferences(1))


def ask(matrix: Matrix = MATRIX, id_: str = ID, **changes: str) -> ModelInferRequest:
    """A request as the function sends it."""
    return build_request(matrix, Dialect(model="m", **changes), id_)  # type: ignore[arg-type]


def answer_first(servicer: InferenceServicer, message: bytes) -> bytes:
    """The response by way of parsing, in bytes."""
    return servicer.score(ModelInferRequest.FromString(message)).SerializeToString()


def answer_repeat(servicer: InferenceServicer, repeat: Repeat) -> bytes:
    """The response to a repeat, in bytes."""
    response = servicer.score_repeat(repeat)
    return response if isinstance(response, bytes) else response.SerializeToString()
