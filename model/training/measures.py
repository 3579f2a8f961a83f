"""Scores and outcomes in; figures with 95 % intervals out, rounded to six decimals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from model.training.people import Outcomes

Scores: TypeAlias = npt.NDArray[np.float64]
Groups: TypeAlias = npt.NDArray[np.int64]

RESAMPLES = 400
RESAMPLES_OF_MANY = 200  # beyond 100,000 people, whose intervals are narrow anyway
COVERED = 0.95
CHANCE = 0.5  # ROC AUC of random scores
SMALLEST = 1e-15  # keeps log loss finite for a score of 0 or 1 that is wrong
FIGURES = ("roc_auc", "average_precision", "brier", "log_loss")


class Ranking:
    """People sorted by score once, so that figures can be computed for many weights."""

    def __init__(self, scores: Scores, outcomes: Outcomes) -> None:
        """Sort the people."""
        self.order = np.argsort(scores, kind="stable")
        ordered = scores[self.order]
        # Where each run of equal scores starts.
        self.starts = np.flatnonzero(np.append(True, np.diff(ordered) > 0))
        self.responded = outcomes[self.order].astype(np.float64)
        clipped = np.clip(ordered, SMALLEST, 1 - SMALLEST)
        self.squares = (ordered - self.responded) ** 2
        self.logs = -np.where(self.responded == 1, np.log(clipped), np.log1p(-clipped))

    def measure(
        self, weights: npt.NDArray[np.float64] | None = None
    ) -> tuple[float, float, float, float]:
        """The `FIGURES` in order; person i of the scores given counts `weights[i]` times.

        Defined as scikit-learn's `roc_auc_score`, `average_precision_score`, `brier_score_loss` and
        `log_loss`.
        """
        each = np.ones(len(self.order)) if weights is None else weights[self.order]
        ones = np.add.reduceat(each * self.responded, self.starts)
        zeros = np.add.reduceat(each * (1 - self.responded), self.starts)
        responders, others, people = ones.sum(), zeros.sum(), each.sum()
        area = float((ones * (np.cumsum(zeros) - zeros / 2)).sum() / (responders * others))
        above = np.cumsum((ones + zeros)[::-1])
        precision = np.cumsum(ones[::-1]) / np.maximum(above, 1e-300)
        average = float((ones[::-1] * precision).sum() / responders)
        return (
            area,
            average,
            float((each * self.squares).sum() / people),
            float((each * self.logs).sum() / people),
        )


def measure(
    scores: Scores, outcomes: Outcomes, groups: Groups, threshold: float, seed: int
) -> dict[str, Any]:
    """The manifest's `metrics`: figures, their intervals, and what the threshold does."""
    ranking = Ranking(scores, outcomes)
    intervals = bootstrap_intervals(ranking, groups, seed)
    return {
        **{name: round(value, 6) for name, value in zip(FIGURES, ranking.measure(), strict=True)},
        "base_rate": round(float(outcomes.mean()), 6),
        "n": len(outcomes),
        "intervals": {
            name: [round(float(edge), 6) for edge in edges]
            for name, edges in zip(FIGURES, intervals.T, strict=True)
        },
        "at_threshold": measure_threshold(scores, outcomes, threshold),
    }


def describe_guess(metrics: Mapping[str, Any]) -> list[str]:
    """A sentence if the ROC AUC of `measure` cannot be told from that of random scores."""
    if metrics["intervals"]["roc_auc"][0] > CHANCE:
        return []
    return [
        "the 95 % interval of ROC AUC includes 0.5: people may be ranked no better than by chance"
    ]


def resample_weights(groups: Groups, seed: int) -> list[npt.NDArray[np.float64]]:
    """How often each person occurs in each resample. Users are drawn, with all their endpoints."""
    random = np.random.default_rng(seed)
    numbered = np.unique(groups, return_inverse=True)[1]
    count = int(numbered.max()) + 1
    times = RESAMPLES if len(groups) <= 100_000 else RESAMPLES_OF_MANY
    return [
        np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)[numbered]
        for _ in range(times)
    ]


def bootstrap_intervals(ranking: Ranking, groups: Groups, seed: int) -> npt.NDArray[np.float64]:
    """Percentile bootstrap: float64 [2, 4], the lower and upper edge of each of `FIGURES`."""
    drawn = [
        ranking.measure(weights)
        for weights in resample_weights(groups, seed)
        if 0 < (weights[ranking.order] * ranking.responded).sum() < weights.sum()
    ]
    edges: npt.NDArray[np.float64] = np.quantile(
        np.array(drawn), [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=0
    )
    return edges


def bootstrap_differences(
    new: Scores, old: Scores, outcomes: Outcomes, groups: Groups, seed: int
) -> npt.NDArray[np.float64]:
    """95 % intervals of `FIGURES` of `new` minus those of `old`, resampled together: [2, 4]."""
    pair = [Ranking(scores, outcomes) for scores in (new, old)]
    drawn = [
        np.subtract(pair[0].measure(weights), pair[1].measure(weights))
        for weights in resample_weights(groups, seed)
        if 0 < weights @ outcomes < weights.sum()
    ]
    edges: npt.NDArray[np.float64] = np.quantile(
        np.array(drawn), [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=0
    )
    return edges


def bootstrap_difference(
    new: Scores, old: Scores, outcomes: Outcomes, groups: Groups, seed: int
) -> tuple[float, float]:
    """The 95 % interval of ROC AUC of `new` minus ROC AUC of `old`, resampled together."""
    low, high = bootstrap_differences(new, old, outcomes, groups, seed)[:, 0]
    return round(float(low), 6), round(float(high), 6)


def measure_threshold(scores: Scores, outcomes: Outcomes, threshold: float) -> dict[str, Any]:
    """Reach, precision and recall of `score >= threshold`; precision None if it keeps no one."""
    kept = scores >= threshold
    return {
        "reach": round(float(kept.mean()), 6),
        "precision": round(float(outcomes[kept].mean()), 6) if kept.any() else None,
        "recall": round(float(outcomes[kept].sum() / outcomes.sum()), 6),
    }
