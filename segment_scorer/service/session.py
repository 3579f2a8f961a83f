"""The port between the service and a model. `model.runtime.OnnxModel` implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy.typing as npt

from model.features import Matrix
from model.runtime import ModelFacts


class Model(Protocol):
    """A model that the service serves."""

    @property
    def facts(self) -> ModelFacts:
        """Name, version, input and outputs."""
        ...

    def compute(self, matrix: Matrix, outputs: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
        """The named outputs, row i for row i of float32 [n, f]. Raises ModelFailure."""
        ...
