"""Scores and outcomes in; the tables of a manifest's `evaluation` out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from model.training.folds import Rows
from model.training.measures import COVERED, Groups, Ranking, Scores, resample_weights
from model.training.people import Outcomes, Subgroups

DECILES = 10
TOP_SHARES = (0.01, 0.02, 0.05)
BARS = 25
# People, and people with either outcome, before a subgroup gets figures of its own.
LEAST_IN_SUBGROUP, LEAST_OF_EACH_IN_SUBGROUP = 200, 10
MOST_SUBGROUPS = 20


def share_ties(scores: Scores, outcomes: Outcomes) -> npt.NDArray[np.float64]:
    """Each person's outcome; for people with the same score, the mean of their outcomes.

    The order of people with the same score is the file's, which means nothing.
    """
    _, runs = np.unique(scores, return_inverse=True)
    means: npt.NDArray[np.float64] = (np.bincount(runs, outcomes) / np.bincount(runs))[runs]
    return means


def tabulate_deciles(scores: Scores, outcomes: Outcomes) -> list[dict[str, Any]]:
    """Ten deciles of people, the highest scores first.

    `lift` is the decile's response rate divided by the average, `gain` the share of all responders
    up to here. People with the same score on both sides of a cut are divided evenly.
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


def tabulate_top(scores: Scores, outcomes: Outcomes) -> list[dict[str, Any]]:
    """The best 1, 2 and 5 % of people by score, with the columns of a decile.

    People with the same score on both sides of a cut are divided evenly. Shares of fewer than one
    person are left out.
    """
    order, shared = np.argsort(-scores, kind="stable"), share_ties(scores, outcomes)
    rate = outcomes.mean()
    rows = []
    for share in TOP_SHARES:
        part = order[: round(share * len(order))]
        if len(part):
            found = float(shared[part].sum())
            rows.append(
                {
                    "share": share,
                    "people": len(part),
                    "responders": round(found),
                    "rate": round(found / len(part), 6),
                    "lift": round(found / len(part) / float(rate), 4),
                    "gain": round(found / float(outcomes.sum()), 6),
                }
            )
    return rows


def tabulate_decision(
    scores: Scores, outcomes: Outcomes, threshold: float
) -> dict[str, dict[str, int]]:
    """How many people a threshold keeps and filters, and how many of them responded."""
    kept = scores >= threshold
    return {
        name: {"people": int(part.sum()), "responders": int(outcomes[part].sum())}
        for name, part in (("kept", kept), ("filtered", ~kept))
    }


def tabulate_calibration(scores: Scores, outcomes: Outcomes) -> list[dict[str, Any]]:
    """The predicted and the observed response rate of each decile, the lowest scores first."""
    shared = share_ties(scores, outcomes)
    parts = [
        part for part in np.array_split(np.argsort(scores, kind="stable"), DECILES) if len(part)
    ]
    # `promised` and `came` are the names that the manifest's format gives to the two rates.
    return [
        {
            "people": len(part),
            "promised": round(float(scores[part].mean()), 6),
            "came": round(float(shared[part].mean()), 6),
        }
        for part in parts
    ]


def tabulate_subgroups(
    scores: Scores,
    outcomes: Outcomes,
    subgroups: Mapping[str, Subgroups],
    rows: Rows,
    groups: Groups | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Figures by channel and country, most people first, at most 20 values of each.

    A value needs 200 people and 10 with either outcome. Scores, outcomes and groups (users) are
    those of `rows`. With groups, 95 % intervals where there are several values to compare.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    for label, (names, codes) in subgroups.items():
        here = codes[rows]
        counts = np.bincount(here, minlength=len(names))
        table, parts = [], []
        for code in sorted(range(len(names)), key=lambda code: (-counts[code], names[code])):
            part = here == code
            ones, people = int(outcomes[part].sum()), int(counts[code])
            if people < LEAST_IN_SUBGROUP or min(ones, people - ones) < LEAST_OF_EACH_IN_SUBGROUP:
                continue
            parts.append(part)
            table.append(
                {
                    "value": names[code] or "(missing)",
                    "people": people,
                    "rate": round(ones / people, 6),
                    "mean_score": round(float(scores[part].mean()), 6),
                    "roc_auc": round(Ranking(scores[part], outcomes[part]).measure()[0], 6),
                }
            )
        tables[label] = table[:MOST_SUBGROUPS]
        if groups is not None and len(table) > 1:
            for row, part in zip(tables[label], parts, strict=False):
                row["intervals"] = measure_subgroup(scores[part], outcomes[part], groups[part])
    return tables


def measure_subgroup(scores: Scores, outcomes: Outcomes, groups: Groups) -> dict[str, list[float]]:
    """The 95 % intervals of a subgroup's ROC AUC and response rate. Users are drawn whole."""
    ranking = Ranking(scores, outcomes)
    weights = [
        each
        for each in resample_weights(groups, seed=0)
        if 0 < (each * outcomes).sum() < each.sum()
    ]
    drawn = {
        "roc_auc": [ranking.measure(each)[0] for each in weights],
        "rate": [float(each @ outcomes / each.sum()) for each in weights],
    }
    return {
        name: np.quantile(values, [(1 - COVERED) / 2, (1 + COVERED) / 2]).round(6).tolist()
        for name, values in drawn.items()
    }


def tabulate_scores(scores: Scores, outcomes: Outcomes) -> dict[str, Any]:
    """A histogram by outcome: 25 bins from 0 to the highest score, edges [26]."""
    edges = np.linspace(0, max(float(scores.max()), 1e-6), BARS + 1)
    return {
        "edges": edges.round(6).tolist(),
        "responded": np.histogram(scores[outcomes == 1], edges)[0].tolist(),
        "others": np.histogram(scores[outcomes == 0], edges)[0].tolist(),
    }
