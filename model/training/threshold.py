"""A threshold goal, and scores of people with known outcomes, in; the recommended threshold out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from model.errors import DataError
from model.training.measures import Scores
from model.training.people import Outcomes
from model.training.phrases import find_decimals, format_score, format_share

LEAST_KEPT = 50  # people; the precision of fewer is luck
STEPS = 20
USUAL_DECIMALS, MOST_DECIMALS = 4, 15  # of a policy
# Rounding matters if it moves more than this share of the people kept, and more than this many.
COARSE = 0.02
FEW = 2.5


class Rule(StrEnum):
    """How a threshold was recommended; `threshold_rule` of a manifest."""

    BASE_RATE = "base_rate"
    PROFIT = "profit"
    REACH = "reach"
    PRECISION = "precision"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdGoal:
    """What the recommended threshold should achieve: at most one of three; without any, base rate.

    value, cost  of a response and of a message, in the same money: the threshold is cost / value
    reach        the share of people to keep, 0 to 1
    precision    the least share of the people kept who respond, 0 to 1
    """

    value: float | None = None
    cost: float | None = None
    reach: float | None = None
    precision: float | None = None

    @property
    def rule(self) -> Rule:
        """The rule that these numbers ask for."""
        asked = {Rule.PROFIT: self.value, Rule.REACH: self.reach, Rule.PRECISION: self.precision}
        return next((rule for rule, number in asked.items() if number is not None), Rule.BASE_RATE)

    @property
    def money(self) -> tuple[float, float] | None:
        """Value and cost, if both are known."""
        return None if self.value is None or self.cost is None else (self.value, self.cost)

    def to_mapping(self) -> dict[str, float]:
        """The numbers given, for the manifest."""
        fields = {
            "value": self.value,
            "cost": self.cost,
            "reach": self.reach,
            "precision": self.precision,
        }
        return {name: number for name, number in fields.items() if number is not None}


class RuleEntry(NamedTuple):
    """The function that finds the threshold; the rule in a sentence, and in a few words."""

    find: Callable[[ThresholdGoal, Scores, Outcomes], float]
    reason: str
    brief: str


def choose_threshold(goal: ThresholdGoal, scores: Scores, outcomes: Outcomes) -> float:
    """The recommended threshold, with six decimals or more. Raises DataError as its rule does."""
    return RULES[goal.rule].find(goal, scores, outcomes)


def find_base_rate(goal: ThresholdGoal, scores: Scores, outcomes: Outcomes) -> float:  # noqa: ARG001  # a rule
    """The response rate: keeps people at least as likely to respond as the average.

    For calibrated scores it maximises Youden's J, the share of responders kept minus the share of
    others kept. It does not move with the noise of a small sample.
    """
    return round_near(float(outcomes.mean()))


def find_break_even(goal: ThresholdGoal, scores: Scores, outcomes: Outcomes) -> float:  # noqa: ARG001  # a rule
    """Cost / value: keeps people with score x value >= cost. Best for calibrated scores."""
    if goal.money is None:
        raise ValueError("expected a value and a cost")
    value, cost = goal.money
    return round_near(min(1.0, cost / value))


def find_reach(goal: ThresholdGoal, scores: Scores, outcomes: Outcomes) -> float:  # noqa: ARG001  # a rule
    """The score that keeps the requested share of people."""
    if goal.reach is None:
        raise ValueError("expected a reach")
    return round_down(float(np.quantile(scores, 1 - goal.reach, method="higher")))


def find_precision(goal: ThresholdGoal, scores: Scores, outcomes: Outcomes) -> float:
    """The lowest score from which on people respond at the requested rate.

    Raises DataError if no 50 people or more do.
    """
    if goal.precision is None:
        raise ValueError("expected a precision")
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.diff(ordered) < 0, True)  # people with the same score are kept together
    kept = np.arange(1, len(order) + 1)
    rates = np.cumsum(outcomes[order]) / kept
    possible = last & (kept >= LEAST_KEPT)
    good = np.flatnonzero(possible & (rates >= goal.precision))
    if not len(good):
        best = float(rates[possible].max()) if possible.any() else 0.0
        raise DataError(
            f"--precision: expected a precision that this model reaches for at least {LEAST_KEPT} "
            f"people, which is at most {best:.4f}"
        )
    return round_down(float(ordered[good[-1]]))


RULES: dict[Rule, RuleEntry] = {
    Rule.BASE_RATE: RuleEntry(
        find_base_rate,
        "the response rate: people at least as likely to respond as the average are kept",
        "the response rate",
    ),
    Rule.PROFIT: RuleEntry(
        find_break_even,
        "cost divided by value: people whose expected response is worth the message are kept, "
        "as if every response were an effect of its message",
        "cost / value",
    ),
    Rule.REACH: RuleEntry(
        find_reach, "the requested share of people to keep", "for the requested reach"
    ),
    Rule.PRECISION: RuleEntry(
        find_precision,
        "the lowest at which the people kept respond at the requested rate",
        "for the requested precision",
    ),
}


def tabulate_thresholds(
    goal: ThresholdGoal, scores: Scores, outcomes: Outcomes
) -> list[dict[str, Any]]:
    """For each twentieth of people kept: threshold, precision, recall, and profit per 1,000 people.

    People with the same score are kept together, so a row may keep more than its twentieth.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, found = scores[order], np.cumsum(outcomes[order])
    # How many people are kept at the end of each run of equal scores.
    ends = np.flatnonzero(np.append(np.diff(ordered) < 0, True)) + 1
    steps = [max(1, round(len(scores) * step / STEPS)) for step in range(1, STEPS + 1)]
    rows = []
    for kept in np.unique(ends[np.searchsorted(ends, steps)]).tolist():
        row = {
            "reach": round(kept / len(scores), 6),
            "threshold": round_down(float(ordered[kept - 1])),
            "precision": round(float(found[kept - 1] / kept), 6),
            "recall": round(float(found[kept - 1] / found[-1]), 6),
        }
        if goal.money is not None:
            value, cost = goal.money
            row["profit"] = round(
                1000 * float(found[kept - 1] * value - kept * cost) / len(scores), 4
            )
        rows.append(row)
    return rows


def compute_profit(
    goal: ThresholdGoal, scores: Scores, outcomes: Outcomes, threshold: float
) -> dict[str, float]:
    """Profit per 1,000 people at this threshold, for everyone, and at cost / value; or empty."""
    if goal.money is None:
        return {}
    value, cost = goal.money
    each = 1000 * (outcomes * value - cost) / len(scores)
    best = find_break_even(goal, scores, outcomes)
    return {
        "value": value,
        "cost": cost,
        "kept": round(float(each[scores >= threshold].sum()), 4),
        "everybody": round(float(each.sum()), 4),
        "break_even": best,
        "at_break_even": round(float(each[scores >= best].sum()), 4),
    }


def describe_rounding(scores: Scores, threshold: float) -> tuple[str, ...]:
    """A sentence if a policy's usual four decimals would keep other people than the threshold."""
    meant = float((scores >= threshold).mean())

    def keep(decimals: int) -> float:
        return float((scores.round(decimals) >= threshold).mean())

    def differs(decimals: int) -> bool:
        return abs(keep(decimals) - meant) > max(COARSE * meant, FEW / len(scores))

    if not differs(USUAL_DECIMALS):
        return ()
    finer = range(USUAL_DECIMALS + 2, MOST_DECIMALS)
    enough = next((decimals for decimals in finer if not differs(decimals)), MOST_DECIMALS)
    sentence = (
        f"a policy rounds scores to {USUAL_DECIMALS} decimals by default, too coarse for the "
        f"threshold {format_score(threshold)}: it would keep {format_share(keep(USUAL_DECIMALS))} "
        f"of people instead of {format_share(meant)}; set decimals = {enough} in the policy"
    )
    return (sentence,)


def round_near(threshold: float) -> float:
    """Round to six decimals, or to four significant digits if the threshold is small."""
    return round(threshold, find_decimals(threshold, 6, 4))


def round_down(score: float) -> float:
    """Round down to as many digits, so that the score still reaches the threshold."""
    scale = 10.0 ** find_decimals(score, 6, 4)
    return float(math.floor(score * scale) / scale)
