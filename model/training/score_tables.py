"""Scores and outcomes in; the tables of a manifest's `evaluation` out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from model.training.folds import Rows
from model.training.measures import Ranking, Scores
from model.training.people import Outcomes, Subgroups

DECILES = 10
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
    scores: Scores, outcomes: Outcomes, subgroups: Mapping[str, Subgroups], rows: Rows
) -> dict[str, list[dict[str, Any]]]:
    """Figures by channel and country, most people first, at most 20 values of each.

    A value needs 200 people and 10 with either outcome. Scores and outcomes are those of `rows`.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    for label, (names, codes) in subgroups.items():
        here = codes[rows]
        counts = np.bincount(here, minlength=len(names))
        table = []
        for code in sorted(range(len(names)), key=lambda code: (-counts[code], names[code])):
            part = here == code
            ones, people = int(outcomes[part].sum()), int(counts[code])
            if people < LEAST_IN_SUBGROUP or min(ones, people - ones) < LEAST_OF_EACH_IN_SUBGROUP:
                continue
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
    return tables


def tabulate_scores(scores: Scores, outcomes: Outcomes) -> dict[str, Any]:
    """A histogram by outcome: 25 bins from 0 to the highest score, edges [26]."""
    edges = np.linspace(0, max(float(scores.max()), 1e-6), BARS + 1)
    return {
        "edges": edges.round(6).tolist(),
        "responded": np.histogram(scores[outcomes == 1], edges)[0].tolist(),
        "others": np.histogram(scores[outcomes == 0], edges)[0].tolist(),
    }
