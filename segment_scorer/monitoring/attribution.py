"""What moved a score: each feature exchanged for other people's, one at a time.

Takes rows of the matrix and a function that scores; gives a number for each feature. Never fits
anything. Off the hot path: it scores 2 x k x f + k + 1 rows for one person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from model.bundle import Bundle
from model.features import FeatureSpec, Matrix
from model.kinds import KINDS
from model.score_kind import ScoreKind

ScoreRows: TypeAlias = Callable[[Matrix], npt.NDArray[np.float64]]
Contributions: TypeAlias = npt.NDArray[np.float64]
REFERENCES = 20  # people that a person is compared with
MOST_ROWS = 4_000  # in one call; our service takes 5,000
SMALLEST = 1e-6  # of a probability, whose log-odds would be infinite at 0


class Attribution(NamedTuple):
    """What moved one person's score.

    moved    float64 [f]: how much each feature raised the score (log-odds of a response score)
    without  float64 [f]: the mean score if a feature were another person's
    usual    the mean score of the people compared with
    """

    moved: Contributions
    without: npt.NDArray[np.float64]
    usual: float


def attribute_score(
    row: Matrix, references: Matrix, spec: FeatureSpec, score: ScoreRows, kind: ScoreKind
) -> Attribution:
    """Attribute the score of `row` [1, c] to features, against `references` [k, c].

    For each reference, a feature is exchanged twice: in the person for the reference's, and in the
    reference for the person's. The mean of the two changes is the Shapley value wherever no three
    features act together (Shapley, "A value for n-person games", 1953).
    """
    places = [step.columns for step in spec.steps]
    count, features = len(references), len(places)
    mine = np.repeat(np.repeat(row, count, axis=0)[np.newaxis], features, axis=0)
    theirs = np.repeat(references[np.newaxis], features, axis=0)
    for index, place in enumerate(places):
        mine[index, :, place] = references[:, place]
        theirs[index, :, place] = row[:, place]
    shape = (features, count)
    rows = np.concatenate(
        [row, references, *(part.reshape(-1, row.shape[1]) for part in (mine, theirs))]
    )
    scores = score_in_parts(rows, score)
    own, usual, replaced, given = np.split(scores, [1, 1 + count, 1 + count + features * count])
    scale = np.asarray if kind.is_uplift else to_log_odds
    last = scale(own) - scale(replaced.reshape(shape))
    first = scale(given.reshape(shape)) - scale(usual)
    return Attribution(
        moved=(last + first).mean(axis=1) / 2,
        without=replaced.reshape(shape).mean(axis=1),
        usual=float(usual.mean()),
    )


def score_in_parts(rows: Matrix, score: ScoreRows) -> npt.NDArray[np.float64]:
    """Score [n, c] in calls of a size that a service takes."""
    parts = [
        score(np.ascontiguousarray(rows[start : start + MOST_ROWS]))
        for start in range(0, len(rows), MOST_ROWS)
    ]
    return np.concatenate(parts)


def to_log_odds(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-odds of probabilities: on this scale a model of responses adds up its features."""
    inside = np.clip(scores, SMALLEST, 1 - SMALLEST)
    return np.log(inside / (1 - inside))


def make_references(bundle: Bundle) -> Matrix:
    """People to compare with, made of the golden rows: each feature by itself, as in training.

    They are no persons: features that go together in people do not in them. A one-hot category is
    present in one column. Golden rows have gaps of their own, which are left out.
    """
    golden = bundle.golden_rows
    random = np.random.default_rng(0)
    rows = np.empty((REFERENCES, golden.shape[1]), dtype=np.float32)
    levels = (np.arange(REFERENCES) + 0.5) / REFERENCES
    for feature, step in zip(bundle.spec.features, bundle.spec.steps, strict=True):
        columns = golden[:, step.columns]
        known = columns[~np.isnan(columns).any(axis=1)]
        if not len(known):
            rows[:, step.columns] = np.nan
        elif KINDS[feature.kind].one_hot and columns.shape[1] > 1:
            shares = np.cumsum(known.mean(axis=0) / max(float(known.mean(axis=0).sum()), 1e-9))
            chosen = np.minimum(np.searchsorted(shares, levels), columns.shape[1] - 1)
            rows[:, step.columns] = np.eye(columns.shape[1], dtype=np.float32)[
                random.permutation(chosen)
            ]
        else:
            for offset in range(columns.shape[1]):
                values = np.quantile(known[:, offset], levels, method="inverted_cdf")
                rows[:, step.columns.start + offset] = random.permutation(values)
    return rows


def draw_references(matrix: Matrix) -> Matrix:
    """Some of the people in `matrix`, the same ones every time."""
    if len(matrix) <= REFERENCES:
        return matrix
    chosen = np.random.default_rng(0).choice(len(matrix), REFERENCES, replace=False)
    return matrix[np.sort(chosen)]


def rank_features(moved: Sequence[float]) -> list[int]:
    """The features, the one that moved the score most first."""
    return sorted(range(len(moved)), key=lambda index: (-abs(moved[index]), index))
