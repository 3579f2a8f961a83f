"""A bundle's model, loaded: takes a float32 matrix, gives the model's outputs by name, and says truly what it takes and gives.

Reads the bundle once; a new model is a new process. Knows nothing of gRPC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from model.bundle import Bundle, check_golden
from model.errors import BundleError
from model.features import Matrix
from model.runtime import INPUT, LABEL, PROBABILITIES, REFUSALS, open_session

# ONNX element type -> the protocol's datatype; a model that gives anything else is no model of ours.
DATATYPES = {"tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(int64)": "INT64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFacts:
    """Name, datatype and shape of a tensor, as ModelMetadata tells them; -1 is any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a model is, takes and gives. `takes_missing`: whether a row with NaN has a score."""

    name: str
    version: str
    input: TensorFacts
    outputs: tuple[TensorFacts, ...]
    takes_missing: bool

    @property
    def width(self) -> int:
        """Number of columns of the input."""
        return self.input.shape[1]


class Model(Protocol):
    """What the service serves."""

    facts: ModelFacts

    def compute(self, matrix: Matrix) -> Mapping[str, npt.NDArray[Any]]:
        """Every output of the model by name, row i for row i of float32 [n, f]. Raises ModelFailure."""
        ...


class ModelFailure(Exception):
    """The model's runtime could not compute."""


class OnnxModel:
    """The ONNX model of a bundle in this process."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the model and score the golden rows. Raises BundleError when the model is not the one that the manifest describes."""
        try:
            self._session = open_session(bundle.model_file)
        except REFUSALS as error:
            raise BundleError(
                f"{bundle.model_file}: expected an ONNX model that ONNX Runtime can load"
            ) from error
        self.facts = self._describe(bundle)
        try:
            check_golden(bundle, self.compute(bundle.golden_rows)[PROBABILITIES][:, 1])
            missing = self.compute(np.full((1, self.facts.width), np.nan, dtype=np.float32))[
                PROBABILITIES
            ]
        except ModelFailure as error:
            raise BundleError(
                f"{bundle.model_file}: expected a model that can score its golden rows"
            ) from error
        if not np.isfinite(missing).all():
            self.facts = self._describe(bundle, takes_missing=False)

    def compute(self, matrix: Matrix) -> Mapping[str, npt.NDArray[Any]]:
        """Every output of the model by name. Raises ModelFailure."""
        try:
            values = self._session.run(None, {self.facts.input.name: matrix})
        except REFUSALS as error:
            raise ModelFailure from error
        return {facts.name: value for facts, value in zip(self.facts.outputs, values, strict=True)}

    def _describe(self, bundle: Bundle, *, takes_missing: bool = True) -> ModelFacts:
        inputs = [_read_facts(node) for node in self._session.get_inputs()]
        outputs = tuple(_read_facts(node) for node in self._session.get_outputs())
        width = len(bundle.spec.columns)
        forms = {facts.name: (facts.datatype, facts.shape) for facts in outputs}
        if inputs != [TensorFacts(name=INPUT, datatype="FP32", shape=(-1, width))]:
            raise BundleError(
                f"{bundle.model_file}: expected one input, {INPUT}: FP32 [-1, {width}]"
            )
        if forms.get(LABEL) != ("INT64", (-1,)) or forms.get(PROBABILITIES) != ("FP32", (-1, 2)):
            raise BundleError(
                f"{bundle.model_file}: expected the outputs {LABEL}: INT64 [-1] and {PROBABILITIES}: FP32 [-1, 2]"
            )
        return ModelFacts(
            name=bundle.name,
            version=bundle.version,
            input=inputs[0],
            outputs=outputs,
            takes_missing=takes_missing,
        )


def _read_facts(node: Any) -> TensorFacts:
    shape = tuple(length if isinstance(length, int) else -1 for length in node.shape)
    return TensorFacts(name=node.name, datatype=DATATYPES.get(node.type, node.type), shape=shape)
