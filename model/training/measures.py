"""Scores and outcomes in; figures with their intervals, and tables that people can read, out. Plain numbers, rounded to six digits.

Never knows which model the scores are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from model.training.people import Labels, Outcomes

Scores = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]

RESAMPLES = 400
RESAMPLED = 200  # beyond 100,000 people, whose intervals are narrow anyway
COVERED = 0.95
DECILES = 10
GUESS = 0.5  # the ROC AUC of scores drawn at random
BARS = 25
LEAST_TOLD_APART = (
    200  # people, and 10 of either outcome, before a channel or country gets figures of its own
)
MOST_TOLD_APART = 20
SMALLEST = 1e-15  # log loss of a score of 0 or 1 that is wrong would be infinite
FIGURES = ("roc_auc", "average_precision", "brier", "log_loss")


class Ranking:
    """People in order of their scores, so that figures can be computed again and again for other weights without sorting again."""

    def __init__(self, scores: Scores, outcomes: Outcomes) -> None:
        """Sort once."""
        self.order = np.argsort(scores, kind="stable")
        ordered = scores[self.order]
        self.starts = np.flatnonzero(
            np.append(True, np.diff(ordered) > 0)
        )  # of each run of equal scores
        self.responded = outcomes[self.order].astype(np.float64)
        clipped = np.clip(ordered, SMALLEST, 1 - SMALLEST)
        self.squares = (ordered - self.responded) ** 2
        self.logs = -np.where(self.responded == 1, np.log(clipped), np.log1p(-clipped))

    def measure(
        self, weights: npt.NDArray[np.float64] | None = None
    ) -> tuple[float, float, float, float]:
        """`FIGURES` in order, each person counted `weights` times (in the order of the scores given; once where None).

        The same definitions as scikit-learn's `roc_auc_score`, `average_precision_score`, `brier_score_loss` and `log_loss`.
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
    """The manifest's `metrics`: figures, their 95 % intervals, and what the recommended threshold does to these people."""
    ranking = Ranking(scores, outcomes)
    intervals = draw_intervals(ranking, groups, seed)
    return {
        **{name: round(value, 6) for name, value in zip(FIGURES, ranking.measure(), strict=True)},
        "base_rate": round(float(outcomes.mean()), 6),
        "n": len(outcomes),
        "intervals": {
            name: [round(float(edge), 6) for edge in edges]
            for name, edges in zip(FIGURES, intervals.T, strict=True)
        },
        "at_threshold": describe_threshold(scores, outcomes, threshold),
    }


def describe_guess(metrics: Mapping[str, Any]) -> list[str]:
    """A sentence where the figures of `measure` cannot be told from those of scores drawn at random."""
    if metrics["intervals"]["roc_auc"][0] > GUESS:
        return []
    return [
        "the interval of ROC AUC reaches down to 0.5: these scores may rank people no better than a guess"
    ]


def draw_weights(groups: Groups, seed: int) -> list[npt.NDArray[np.float64]]:
    """How often each person comes in each resample with replacement; endpoints of one user come together."""
    random = np.random.default_rng(seed)
    numbered = np.unique(groups, return_inverse=True)[1]
    count = int(numbered.max()) + 1
    times = RESAMPLES if len(groups) <= 100_000 else RESAMPLED
    return [
        np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)[numbered]
        for _ in range(times)
    ]


def draw_intervals(ranking: Ranking, groups: Groups, seed: int) -> npt.NDArray[np.float64]:
    """Percentile bootstrap: float64 [2, 4], lower and upper edge of each of `FIGURES`."""
    drawn = [
        ranking.measure(weights)
        for weights in draw_weights(groups, seed)
        if 0 < (weights[ranking.order] * ranking.responded).sum() < weights.sum()
    ]
    edges: npt.NDArray[np.float64] = np.quantile(
        np.array(drawn), [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=0
    )
    return edges


def draw_difference(
    mine: Scores, theirs: Scores, outcomes: Outcomes, groups: Groups, seed: int
) -> tuple[float, float]:
    """The 95 % interval of ROC AUC of `mine` less that of `theirs`, on the same people, resampled together."""
    pair = [Ranking(scores, outcomes) for scores in (mine, theirs)]
    drawn = [
        pair[0].measure(weights)[0] - pair[1].measure(weights)[0]
        for weights in draw_weights(groups, seed)
        if (weights @ outcomes) > 0
    ]
    low, high = np.quantile(drawn, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return round(float(low), 6), round(float(high), 6)


def describe_threshold(scores: Scores, outcomes: Outcomes, threshold: float) -> dict[str, Any]:
    """Share of people kept by `score >= threshold`, share of them who respond, share of all who respond that is kept."""
    kept = scores >= threshold
    return {
        "reach": round(float(kept.mean()), 6),
        "precision": round(float(outcomes[kept].mean()), 6) if kept.any() else None,
        "recall": round(float(outcomes[kept].sum() / outcomes.sum()), 6),
    }


def share_ties(scores: Scores, outcomes: Outcomes) -> npt.NDArray[np.float64]:
    """Everybody's outcome, or where several have the same score the mean of theirs: no order among them is known, the file's is none."""
    _, runs = np.unique(scores, return_inverse=True)
    means: npt.NDArray[np.float64] = (np.bincount(runs, outcomes) / np.bincount(runs))[runs]
    return means


def cut_deciles(scores: Scores, outcomes: Outcomes) -> list[dict[str, Any]]:
    """Ten tenths of people, the highest scores first: who responds, how many times the average (lift), how many of all so far (gain).

    Where a cut divides people with the same score, each side has its share of those among them who respond, as a random draw would.
    """
    order, shared = np.argsort(-scores, kind="stable"), share_ties(scores, outcomes)
    responders, rate, found = outcomes.sum(), outcomes.mean(), 0.0
    rows = []
    for number, part in enumerate(np.array_split(order, DECILES), 1):
        before, found = found, found + float(shared[part].sum())
        rows.append(
            {
                "decile": number,
                "people": len(part),
                "responders": round(found) - round(before),
                "rate": round(float(shared[part].mean()), 6),
                "lift": round(float(shared[part].mean() / rate), 4),
                "gain": round(float(found / responders), 6),
            }
        )
    return rows


def compare_calibration(scores: Scores, outcomes: Outcomes) -> list[dict[str, Any]]:
    """What was promised and what came, in ten tenths of people by score, the lowest first."""
    shared = share_ties(scores, outcomes)
    parts = [
        part for part in np.array_split(np.argsort(scores, kind="stable"), DECILES) if len(part)
    ]
    return [
        {
            "people": len(part),
            "promised": round(float(scores[part].mean()), 6),
            "came": round(float(shared[part].mean()), 6),
        }
        for part in parts
    ]


def tell_apart(
    scores: Scores, outcomes: Outcomes, labels: Mapping[str, Labels], rows: Groups
) -> dict[str, list[dict[str, Any]]]:
    """Figures by channel and by country, where a value has 200 people and 10 of either outcome; the most people first."""
    told: dict[str, list[dict[str, Any]]] = {}
    for label, (names, codes) in labels.items():
        here = codes[rows]
        counts = np.bincount(here, minlength=len(names))
        table = []
        for code in sorted(range(len(names)), key=lambda code: (-counts[code], names[code])):
            part = here == code
            ones = int(outcomes[part].sum())
            if counts[code] < LEAST_TOLD_APART or min(ones, counts[code] - ones) < 10:
                continue
            table.append(
                {
                    "value": names[code] or "(missing)",
                    "people": int(counts[code]),
                    "rate": round(ones / int(counts[code]), 6),
                    "mean_score": round(float(scores[part].mean()), 6),
                    "roc_auc": round(Ranking(scores[part], outcomes[part]).measure()[0], 6),
                }
            )
        told[label] = table[:MOST_TOLD_APART]
    return told


def count_scores(scores: Scores, outcomes: Outcomes) -> dict[str, Any]:
    """How many people of either outcome have which score: 25 bins from 0 to the highest score, edges [26]."""
    edges = np.linspace(0, max(float(scores.max()), 1e-6), BARS + 1)
    return {
        "edges": edges.round(6).tolist(),
        "responded": np.histogram(scores[outcomes == 1], edges)[0].tolist(),
        "others": np.histogram(scores[outcomes == 0], edges)[0].tolist(),
    }
