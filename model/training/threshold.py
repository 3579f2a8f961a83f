"""What a threshold is for, and scores of people with known outcomes, in; the recommended threshold out. Never fits anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from model.errors import DataError
from model.training.measures import Scores
from model.training.people import Outcomes

LEAST_KEPT = 50  # a precision of fewer people is luck
STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What the recommended threshold is to reach; at most one of the three, none for the base rate.

    value, cost  what a response is worth and what a message costs, in the same money: the highest expected profit
    reach        the share of people to keep, 0 to 1
    precision    the least share of those kept that is to respond, 0 to 1
    """

    value: float | None = None
    cost: float | None = None
    reach: float | None = None
    precision: float | None = None

    @property
    def rule(self) -> str:
        """The manifest's `threshold_rule`."""
        if self.value is not None:
            return "profit"
        return "reach" if self.reach is not None else "precision" if self.precision is not None else "base_rate"

    def to_mapping(self) -> dict[str, float]:
        """What was asked for, for the manifest."""
        fields = {"value": self.value, "cost": self.cost, "reach": self.reach, "precision": self.precision}
        return {name: number for name, number in fields.items() if number is not None}


def choose_threshold(purpose: Purpose, scores: Scores, outcomes: Outcomes) -> float:
    """The recommended threshold, six digits.

    base_rate   whoever is at least as likely to respond as people on average stays. For scores that mean what they say this maximises
                Youden's J (share of responders kept minus share of the others kept), and it does not move with the noise of a small sample
    profit      whoever is worth the message stays: score x value >= cost. For scores that mean what they say no other earns more
    reach       the score that keeps this share of people
    precision   the lowest score from which on those kept respond at this rate. Raises DataError where no 50 people do
    """
    if purpose.value is not None and purpose.cost is not None:
        return round(min(1.0, purpose.cost / purpose.value), 6)
    if purpose.reach is not None:
        return float(np.floor(np.quantile(scores, 1 - purpose.reach, method="higher") * 1e6) / 1e6)
    if purpose.precision is not None:
        return find_precise(purpose.precision, scores, outcomes)
    return round(float(outcomes.mean()), 6)


def find_precise(precision: float, scores: Scores, outcomes: Outcomes) -> float:
    """The lowest score that keeps people of whom this share responds."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.diff(ordered) < 0, True)  # people with the same score are kept together
    rates = np.cumsum(outcomes[order]) / np.arange(1, len(order) + 1)
    possible = last & (np.arange(1, len(order) + 1) >= LEAST_KEPT)
    good = np.flatnonzero(possible & (rates >= precision))
    if not len(good):
        best = float(rates[possible].max()) if possible.any() else 0.0
        raise DataError(f"expected a precision that this model reaches for {LEAST_KEPT} people or more: at most {best:.4f}")
    return float(np.floor(ordered[good[-1]] * 1e6) / 1e6)


def draw_curve(purpose: Purpose, scores: Scores, outcomes: Outcomes) -> list[dict[str, Any]]:
    """For each twentieth of people kept: the threshold, who of them responds, and the profit a thousand people bring."""
    ordered = np.sort(scores)[::-1]
    found = np.cumsum(outcomes[np.argsort(-scores, kind="stable")])
    rows = []
    for step in range(1, STEPS + 1):
        kept = max(1, round(len(scores) * step / STEPS))
        row = {
            "reach": round(kept / len(scores), 6),
            "threshold": round(float(ordered[kept - 1]), 6),
            "precision": round(float(found[kept - 1] / kept), 6),
            "recall": round(float(found[kept - 1] / found[-1]), 6),
        }
        if purpose.value is not None and purpose.cost is not None:
            row["profit"] = round(1000 * float(found[kept - 1] * purpose.value - kept * purpose.cost) / len(scores), 4)
        rows.append(row)
    return rows
