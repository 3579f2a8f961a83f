"""What a file of a foreign model comes to: how it scores people, and how it becomes ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from model.errors import BundleError
from model.training.measures import Scores

# Numbers as a notebook has them, before they are rounded to float32: float64 [n, f]
Exact: TypeAlias = npt.NDArray[np.float64]
CONVERTER_OPSET = 15  # the highest that onnxmltools 1.16 writes
# What the converters raise for a model that they do not know. They have no common base class.
CONVERTER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


class ModelRefused(BundleError):
    """The model cannot become a bundle that scores as it does: nothing is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A model that somebody else trained.

    format     a key of `READERS`
    title      its name at the start of the model card
    width      the number of columns that it takes; None if the file does not say
    names      the names of its columns; None if the file has none
    score      the score of each row; raises ValueError for rows that it does not take. None if
               only ONNX is there, which has nothing to be compared with
    convert    the model as ONNX (a ModelProto), for people whose numbers decide how thresholds are
               rounded; raises CONVERTER_ERRORS
    column     the column of the probabilities that is the score
    settings   what the file says about the model, for the manifest
    codes      the vocabulary of each column of codes, in order; None if the file has none
    libraries  the packages that shaped the conversion
    """

    format: str
    title: str
    convert: Callable[[Exact], Any]
    score: Callable[[Exact], Scores] | None = None
    column: int = 1
    width: int | None = None
    names: tuple[str, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    codes: tuple[tuple[str, ...], ...] | None = None
    libraries: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
