"""A foreign model and people in; the bundle's ONNX, compared with the original, out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from model.features import FeatureSpec, Matrix
from model.operators import check_model
from model.training.export import PARITY_TOLERANCE, score_onnx
from model.training.foreign.agreement import (
    Pairing,
    Score,
    check_changed,
    check_given,
    find_differences,
    to_matrix,
)
from model.training.foreign.config import MEDIAN, BundleConfig
from model.training.foreign.graph import Probe, close_graph, open_graph, run
from model.training.foreign.original import (
    CONVERTER_ERRORS,
    Exact,
    ModelRefused,
    Original,
)
from model.training.foreign.people_exact import ExactPeople
from model.training.measures import Scores

CURE = "train it to take them, or pass --missing median"


class Converted(NamedTuple):
    """The bundle's model, and its largest difference from the original on the people given."""

    onnx: bytes
    parity: float


def convert_original(
    config: BundleConfig, original: Original, spec: FeatureSpec, exact: ExactPeople
) -> Converted:
    """Convert, and compare with the original on the people given and on people with changes.

    Raises ModelRefused if the two do not score alike.
    """
    rows, given = exact.matrix, exact.scores
    matrix = to_matrix(rows)
    fills = find_fills(matrix) if config.fill == MEDIAN else None
    score = None if original.score is None else wrap_score(original.score, fills)
    own = None if score is None else score_people(score, rows, spec)
    try:
        source = original.convert(fill_rows(rows, fills))
    except CONVERTER_ERRORS as error:
        raise ModelRefused(
            "expected a model that can be converted to ONNX, found one that the converter "
            f"refuses ({type(error).__name__})"
        ) from error
    probe = open_graph(source, spec.columns, matrix, fills)
    chosen = original.column if given is None or score else choose_column(probe, matrix, given)
    onnx = close_graph(probe, chosen)
    check_model(onnx, config.model)
    parity = max(
        check_given(Pairing(spec, onnx, rows, scores, by))
        for scores, by in ((given, None), (own, score))
        if scores is not None
    )
    if score is None:
        check_missing(onnx, len(spec.columns))
    else:
        check_changed(spec, onnx, rows, score, config.seed)
    return Converted(onnx, parity)


def find_fills(matrix: Matrix) -> Matrix:
    """The median of each column, float32 [f]; 0 for a column without a value."""
    present = ~np.isnan(matrix).all(axis=0)
    fills = np.zeros(matrix.shape[1], dtype=np.float32)
    fills[present] = np.nanmedian(matrix[:, present], axis=0)
    return fills


def wrap_score(score: Score, fills: Matrix | None) -> Score:
    """The original's score of rows whose missing values are filled before."""
    return score if fills is None else lambda rows: score(fill_rows(rows, fills))


def fill_rows(rows: Exact, fills: Matrix | None) -> Exact:
    """The rows with their missing values filled."""
    return rows if fills is None else np.where(np.isnan(rows), fills.astype(np.float64), rows)


def score_people(score: Score, rows: Exact, spec: FeatureSpec) -> Scores:
    """The original's score of each person. Raises ModelRefused if it does not take them."""
    try:
        return score(rows)
    except ValueError as error:
        missing = np.isnan(rows)
        if not missing.any():
            raise ModelRefused(
                "expected a model that scores the people given, found one that refuses them "
                f"({type(error).__name__})"
            ) from error
        row, column = np.argwhere(missing)[0].tolist()
        raise ModelRefused(
            "expected a model that takes missing values, found one that refuses them; column "
            f"{spec.columns[column]} is missing for person {row + 1} of those with an outcome, in "
            f"the order of the files; {CURE}"
        ) from error


def choose_column(probe: Probe, matrix: Matrix, given: Scores) -> int:
    """The column of the probabilities that the given scores are of.

    Raises ModelRefused if both are.
    """
    if probe.width == 1:
        return 1
    found = run(probe.model, [probe.output], matrix)[probe.output].astype(np.float64)
    largest = [float(find_differences(found[:, column], given).max()) for column in (0, 1)]
    if max(largest) <= PARITY_TOLERANCE:
        raise ModelRefused(
            "expected scores that tell the two classes apart, found 0.5 for everyone"
        )
    means = [float(find_differences(found[:, column], given).mean()) for column in (0, 1)]
    return int(np.argmin(largest if min(largest) <= PARITY_TOLERANCE else means))


def check_missing(onnx: bytes, width: int) -> None:
    """Raise ModelRefused unless a person without any value has a score."""
    nothing = np.full((1, width), np.nan, dtype=np.float32)
    if not np.isfinite(score_onnx(onnx, nothing)).all():
        raise ModelRefused(
            "expected a model that takes missing values, found one whose score is then no number; "
            f"{CURE}"
        )
