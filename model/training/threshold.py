"""What a threshold is for, and scores of people with known outcomes, in; the recommended threshold out. Never fits anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.errors import DataError
from model.training.measures import Scores
from model.training.people import Outcomes
from model.training.phrases import find_decimals, say_score, say_share

LEAST_KEPT = 50  # a precision of fewer people is luck
STEPS = 20
USUAL_DECIMALS, MOST_DECIMALS = 4, 15  # of a policy
COARSE = 0.02  # of those kept,
FEW = 2.5  # people


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdGoal:
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
        return (
            "reach"
            if self.reach is not None
            else "precision"
            if self.precision is not None
            else "base_rate"
        )

    def to_mapping(self) -> dict[str, float]:
        """What was asked for, for the manifest."""
        fields = {
            "value": self.value,
            "cost": self.cost,
            "reach": self.reach,
            "precision": self.precision,
        }
        return {name: number for name, number in fields.items() if number is not None}


def choose_threshold(goal: ThresholdGoal, scores: Scores, outcomes: Outcomes) -> float:
    """The recommended threshold, six decimals or more.

    base_rate   whoever is at least as likely to respond as people on average stays. For scores that mean what they say this maximises
                Youden's J (share of responders kept minus share of the others kept), and it does not move with the noise of a small sample
    profit      whoever is worth the message stays: score x value >= cost. For scores that mean what they say no other earns more
    reach       the score that keeps this share of people
    precision   the lowest score from which on those kept respond at this rate. Raises DataError where no 50 people do
    """
    if goal.value is not None and goal.cost is not None:
        return round_near(min(1.0, goal.cost / goal.value))
    if goal.reach is not None:
        return round_down(float(np.quantile(scores, 1 - goal.reach, method="higher")))
    if goal.precision is not None:
        return find_precise(goal.precision, scores, outcomes)
    return round_near(float(outcomes.mean()))


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
        raise DataError(
            f"expected a precision that this model reaches for {LEAST_KEPT} people or more: at most {best:.4f}"
        )
    return round_down(float(ordered[good[-1]]))


def draw_curve(goal: ThresholdGoal, scores: Scores, outcomes: Outcomes) -> list[dict[str, Any]]:
    """For each twentieth of people kept: the threshold, who of them responds, and the profit a thousand people bring.

    People with the same score are kept together, so a row keeps more than its twentieth where a threshold cannot keep just that.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, found = scores[order], np.cumsum(outcomes[order])
    ends = (
        np.flatnonzero(np.append(np.diff(ordered) < 0, True)) + 1
    )  # how many are kept where a run of equal scores ends
    steps = [max(1, round(len(scores) * step / STEPS)) for step in range(1, STEPS + 1)]
    rows = []
    for kept in np.unique(ends[np.searchsorted(ends, steps)]).tolist():
        row = {
            "reach": round(kept / len(scores), 6),
            "threshold": round_down(float(ordered[kept - 1])),
            "precision": round(float(found[kept - 1] / kept), 6),
            "recall": round(float(found[kept - 1] / found[-1]), 6),
        }
        if goal.value is not None and goal.cost is not None:
            row["profit"] = round(
                1000 * float(found[kept - 1] * goal.value - kept * goal.cost) / len(scores), 4
            )
        rows.append(row)
    return rows


def weigh_profit(
    goal: ThresholdGoal, scores: Scores, outcomes: Outcomes, threshold: float
) -> dict[str, float]:
    """What a thousand people bring: by this threshold, by messaging everybody, by the threshold cost / value; empty without money."""
    value, cost = goal.value, goal.cost
    if value is None or cost is None:
        return {}
    each = 1000 * (outcomes * value - cost) / len(scores)
    best = choose_threshold(goal, scores, outcomes)
    return {
        "value": value,
        "cost": cost,
        "kept": round(float(each[scores >= threshold].sum()), 4),
        "everybody": round(float(each.sum()), 4),
        "break_even": best,
        "at_break_even": round(float(each[scores >= best].sum()), 4),
    }


def describe_rounding(scores: Scores, threshold: float) -> tuple[str, ...]:
    """A sentence where a policy that rounds scores to its usual four decimals would keep other people than this threshold does."""
    meant = float((scores >= threshold).mean())

    def keep(decimals: int) -> float:
        return float((scores.round(decimals) >= threshold).mean())

    def differs(decimals: int) -> bool:
        return abs(keep(decimals) - meant) > max(COARSE * meant, FEW / len(scores))

    if not differs(USUAL_DECIMALS):
        return ()
    enough = next(
        (
            decimals
            for decimals in range(USUAL_DECIMALS + 2, MOST_DECIMALS)
            if not differs(decimals)
        ),
        MOST_DECIMALS,
    )
    words = f"scores are rounded to {USUAL_DECIMALS} decimals unless the policy says otherwise, too coarse for {say_score(threshold)}"
    shares = f"it would keep {say_share(keep(USUAL_DECIMALS))} of people where {say_share(meant)} are meant"
    return (f"{words}: {shares}; set decimals = {enough} in the policy",)


def round_near(threshold: float) -> float:
    """Six decimals, or four digits that count where the threshold is small."""
    return round(threshold, find_decimals(threshold, 6, 4))


def round_down(score: float) -> float:
    """As many digits, of a threshold that this score still reaches."""
    scale = 10.0 ** find_decimals(score, 6, 4)
    return float(math.floor(score * scale) / scale)
