"""A fitted classifier in, ONNX bytes out, checked on hard rows to score as scikit-learn does."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.pipeline import Pipeline

from model.errors import BundleError
from model.features import FeatureSpec, Matrix
from model.kinds import KINDS
from model.runtime import INPUT, open_session
from model.score_kind import RESPONSE, ScoreKind
from model.training.selection import limit_threads

# Deliberately not the newest: every ONNX Runtime that pyproject.toml allows, and Triton's, can read
# these.
OPSETS = {"": 17, "ai.onnx.ml": 3}
# float32 sums of a hundred trees differ from float64 sums by about 1e-7; a wrong branch changes a
# score by at least 1e-3.
PARITY_TOLERANCE = 1e-5
PARITY_ROWS = 2_000
GOLDEN_ROWS = 20


def convert_model(model: Any, width: int) -> bytes:
    """Convert to ONNX, the same bytes every time.

    Input `input` FP32 [-1, width]; outputs `label` INT64 [-1] and `probabilities` FP32 [-1, 2].
    """
    model = copy.deepcopy(model)
    round_thresholds(model)
    return convert_rounded(model, width)


def convert_rounded(model: Any, width: int) -> bytes:
    """Convert a model whose thresholds are rounded already."""
    with warnings.catch_warnings():
        # skl2onnx writes booleans into an integer field. protobuf before 7 only warns.
        warnings.filterwarnings("ignore", "Field onnx.AttributeProto.ints", DeprecationWarning)
        proto = convert_sklearn(
            model,
            name="segment-scorer",
            initial_types=[(INPUT, FloatTensorType([None, width]))],
            target_opset=OPSETS,
            options={id(model): {"zipmap": False}},
        )
    proto.graph.doc_string = ""
    used = {name for node in proto.graph.node for name in node.input}
    # ONNX Runtime warns about each unused initializer whenever it loads the model.
    for initializer in list(proto.graph.initializer):
        if initializer.name not in used:
            proto.graph.initializer.remove(initializer)
    onnx: bytes = proto.SerializeToString(deterministic=True)
    return onnx


def round_thresholds(model: Any) -> None:
    """Round each threshold of a tree down to a float32, in place; changes no float32 input's score.

    A threshold lies halfway between two values of a column. skl2onnx 1.20 rounds it to the nearest
    float32. For neighbouring float32 values (seconds since 1970, large counts) that can be the
    upper value, which then takes the wrong branch: scores changed by up to 0.23 in our tests.
    Rounded down, `x <= threshold` stays true for the same x.
    """
    if isinstance(model, Pipeline):
        round_thresholds(model[-1])
    elif isinstance(model, VotingClassifier):
        for part in model.estimators_:
            round_thresholds(part)
    elif isinstance(model, CalibratedClassifierCV):
        for part in model.calibrated_classifiers_:
            round_thresholds(part.estimator)
    elif isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        trees = model._predictors  # noqa: SLF001  # scikit-learn has no public way
        for predictor in (predictor for stage in trees for predictor in stage):
            predictor.nodes["num_threshold"] = round_down(predictor.nodes["num_threshold"])
    elif isinstance(model, RandomForestClassifier):
        for tree in model.estimators_:
            tree.tree_.threshold[:] = round_down(tree.tree_.threshold)


def round_down(exact: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The largest float32 that is not above each number."""
    with np.errstate(over="ignore"):
        near = exact.astype(np.float32)
    return np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float64)


def score_onnx(onnx: bytes, matrix: Matrix, kind: ScoreKind = RESPONSE) -> npt.NDArray[np.float64]:
    """Score `matrix` [n, f] with ONNX Runtime, a model whose scores are of `kind`: float64 [n]."""
    (values,) = open_session(onnx).run([kind.output], {INPUT: matrix})
    scores: npt.NDArray[np.float64] = values[:, -1].astype(np.float64)
    return scores


def check_parity(model: Any, onnx: bytes, rows: Matrix) -> float:
    """The largest difference between ONNX Runtime and scikit-learn over `rows`.

    Raises BundleError above 1e-5.
    """
    with limit_threads(len(rows)):
        trained = model.predict_proba(rows)[:, 1]
    difference = float(np.abs(score_onnx(onnx, rows) - trained).max())
    if not difference <= PARITY_TOLERANCE:
        raise BundleError(
            "expected the exported model to score as the trained one within "
            f"{PARITY_TOLERANCE:g}, found a difference of {difference:.2g}; nothing was written"
        )
    return difference


def make_parity_rows(matrix: Matrix, spec: FeatureSpec, seed: int) -> Matrix:
    """Rows to compare on: people as they are, and the same people with changes.

    The changes: missing values, unknown categories, extreme numbers. The last row is all missing.
    """
    random = np.random.default_rng(seed)
    rows = matrix[np.sort(random.choice(len(matrix), min(PARITY_ROWS, len(matrix)), replace=False))]
    gaps = np.where(random.random(rows.shape) < 0.3, np.float32(np.nan), rows)
    unknown, extreme = rows.copy(), rows.copy()
    for feature, start in zip(spec.features, spec.starts, strict=True):
        end = start + len(feature.columns)
        if KINDS[feature.kind].one_hot:
            unknown[:, start:end] = 0
            unknown[:, end - 1] = 1
        else:
            extreme[:, start:end] = random.choice(
                np.array([-1e30, -1, 0, 1e30], dtype=np.float32), (len(rows), end - start)
            )
    nothing = np.full((1, rows.shape[1]), np.nan, dtype=np.float32)
    return np.concatenate([rows, gaps, unknown, extreme, nothing])


def make_golden_rows(matrix: Matrix, seed: int) -> Matrix:
    """Twenty rows for the manifest. Every fourth has missing values; the last has no value at all.

    Each column is drawn on its own, so that no row is a person.
    """
    random = np.random.default_rng(seed)
    levels = (np.arange(GOLDEN_ROWS) + 0.5) / GOLDEN_ROWS
    rows = np.full((GOLDEN_ROWS, matrix.shape[1]), np.nan, dtype=np.float32)
    for at, column in enumerate(matrix.T):
        present = column[~np.isnan(column)]
        if len(present):
            rows[:, at] = random.permutation(np.quantile(present, levels, method="inverted_cdf"))
    rows[::4][random.random(rows[::4].shape) < 0.4] = np.nan
    rows[-1] = np.nan
    return rows
