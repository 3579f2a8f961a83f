"""Compare ONNX with the original, person by person, and say where and by which column they differ.

Raises ModelRefused that names a column and the number of a person, never an id or a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.tree import DecisionTreeClassifier

from model.features import FeatureSpec, Matrix
from model.kinds import KINDS
from model.training.export import PARITY_ROWS, PARITY_TOLERANCE, score_onnx
from model.training.foreign.original import Exact, ModelRefused
from model.training.measures import Scores

Score = Callable[[Exact], Scores]
CODE = "code"  # a kind whose numbers are places among its values
BLOCK = 256  # columns tried at a time
ROUND = "its value is no float32, so train on X.astype(numpy.float32) and pass --float32"
TOLD = "people with an outcome, in the order of the files"


@dataclass(frozen=True, slots=True)
class Pairing:
    """Both models on the same rows.

    exact     float64 [n, f], as the original reads them; ONNX reads them as float32
    original  float64 [n], the original's scores
    score     the original itself; None if only its scores are known
    """

    spec: FeatureSpec
    onnx: bytes
    exact: Exact
    original: Scores
    score: Score | None

    def measure(self) -> float:
        """The largest difference. Raises ModelRefused above 1e-5."""
        found = score_onnx(self.onnx, to_matrix(self.exact))
        differences = find_differences(found, self.original)
        largest = float(differences.max())
        if largest <= PARITY_TOLERANCE:
            return largest
        differs = differences > PARITY_TOLERANCE
        row = int(np.argmax(differs))
        column = self.name_column(row, differs)
        raise ModelRefused(
            f"expected ONNX to score as the original within {PARITY_TOLERANCE:g}, found "
            f"{int(differs.sum()):,} of {len(differs):,} people scored otherwise, by up to "
            f"{largest:.2g}; the first is person {row + 1} of the {TOLD}; {column}"
        )

    def name_column(self, row: int, differs: npt.NDArray[np.bool_]) -> str:
        """The column that makes the first person differ, or by which these people stand out."""
        columns = self.spec.columns
        agreeing = np.flatnonzero(~differs)
        if self.score is not None and len(agreeing):
            index = find_cause(self, row, self.exact[agreeing[0]])
            if index is not None:
                exact = self.exact[row, index]
                rounded = exact != np.float64(np.float32(exact)) and not np.isnan(exact)
                why = f"; {ROUND}" if rounded else ""
                return f"with another value in column {columns[index]} they agree{why}"
        if len(agreeing):
            tree = DecisionTreeClassifier(max_depth=1, random_state=0)
            tree.fit(to_matrix(self.exact), differs)
            if tree.tree_.feature[0] >= 0:
                return f"these people stand out most in column {columns[tree.tree_.feature[0]]}"
        return "no single column explains it"


def to_matrix(exact: Exact) -> Matrix:
    """The rows as the function builds them."""
    return np.ascontiguousarray(exact, dtype=np.float32)


def find_differences(found: Scores, expected: Scores) -> Scores:
    """Absolute differences; infinite where a score is not finite."""
    with np.errstate(invalid="ignore"):
        differences = np.abs(found - expected)
    return np.where(np.isfinite(differences), differences, np.inf)


def find_cause(comparison: Pairing, row: int, donor: Exact) -> int | None:
    """The column whose value, taken from `donor`, makes both models agree on the row."""
    if comparison.score is None:
        return None
    width = comparison.exact.shape[1]
    best, least = None, PARITY_TOLERANCE
    for start in range(0, width, BLOCK):
        columns = np.arange(start, min(start + BLOCK, width))
        variants = np.repeat(comparison.exact[row : row + 1], len(columns), axis=0)
        variants[np.arange(len(columns)), columns] = donor[columns]
        try:
            original = comparison.score(variants)
        except ValueError:
            continue
        differences = find_differences(score_onnx(comparison.onnx, to_matrix(variants)), original)
        if differences.min() <= least:
            best, least = start + int(np.argmin(differences)), float(differences.min())
    return best


def check_given(comparison: Pairing) -> float:
    """Compare on the people given. Raises ModelRefused."""
    if not ((comparison.original >= 0) & (comparison.original <= 1)).all():
        raise ModelRefused(
            "expected a model whose scores are probabilities from 0 to 1, found other numbers"
        )
    return comparison.measure()


def check_changed(spec: FeatureSpec, onnx: bytes, exact: Exact, score: Score, seed: int) -> None:
    """Compare on up to 2,000 of the people with changes. Raises ModelRefused that says which."""
    random = np.random.default_rng(seed)
    count = min(PARITY_ROWS, len(exact))
    rows = exact[np.sort(random.choice(len(exact), count, replace=False))]
    for change, changed in change_rows(spec, rows, random):
        try:
            original = score(changed)
        except ValueError as error:
            raise ModelRefused(
                f"expected a model that scores people with {change}, found one that refuses them; "
                "the function meets such people. Train it to take them, or pass --missing median"
            ) from error
        differences = find_differences(score_onnx(onnx, to_matrix(changed)), original)
        if differences.max() > PARITY_TOLERANCE:
            raise ModelRefused(
                f"expected ONNX to score people with {change} as the original does within "
                f"{PARITY_TOLERANCE:g}, found a difference of {differences.max():.2g}"
                + ("; --missing median fills missing values before" if "missing" in change else "")
            )


def change_rows(
    spec: FeatureSpec, rows: Exact, random: np.random.Generator
) -> Iterator[tuple[str, Exact]]:
    """The people with missing values, unknown categories and extreme numbers, one after another."""
    unknown, extreme = rows.copy(), rows.copy()
    for feature, start in zip(spec.features, spec.starts, strict=True):
        end = start + len(feature.columns)
        kind = KINDS[feature.kind]
        if kind.one_hot:
            unknown[:, start:end] = 0
            unknown[:, end - 1] = 1
        elif feature.kind == CODE:
            codes = [float(code) for code in range(len(feature.options["values"]))]
            codes.append(feature.options.get("other", np.nan))
            unknown[:, start] = random.choice(np.array(codes), len(rows))
        elif kind.rises_with:
            columns = rows[:, start:end]
            if not np.isnan(columns).all():
                low, high = np.nanmin(columns), np.nanmax(columns)
                far = 10 * (high - low)
                extreme[:, start:end] = random.choice(
                    np.array([low - far, -1.0, 0.0, high + far]), columns.shape
                ).astype(np.float32)
    yield "other categories", unknown
    yield "numbers beyond those of the people given", extreme
    yield "missing values", np.where(random.random(rows.shape) < 0.3, np.nan, rows)
    yield "nothing but missing values", np.full((1, rows.shape[1]), np.nan)
