"""The recommended threshold of an uplift model: a goal, and effects of people, in; a number out."""

from __future__ import annotations

from model.errors import DataError
from model.training.measures import Scores
from model.training.threshold import Rule, ThresholdGoal, find_reach, round_near

POSITIVE = "positive_effect"  # `threshold_rule` of a manifest; the others are those of responses
REASONS = {
    POSITIVE: "people whom the message moves to respond, on average, are kept",
    Rule.PROFIT.value: "cost divided by value: people whose extra response is worth the message "
    "are kept",
    Rule.REACH.value: "the requested share of people to keep",
}
BRIEFS = {
    POSITIVE: "0",
    Rule.PROFIT.value: "cost / value",
    Rule.REACH.value: "for the requested reach",
}


def check_goal(goal: ThresholdGoal) -> None:
    """Raise DataError for a precision."""
    if goal.precision is not None:
        raise DataError(
            "--precision: expected another goal: nobody knows of a single person whether the "
            "message caused the response. Use --value and --cost, or --reach"
        )


def choose_effect_threshold(goal: ThresholdGoal, effects: Scores) -> tuple[float, str]:
    """The threshold and its rule: cost / value, a reach, or 0. Raises DataError for a precision."""
    check_goal(goal)
    if goal.money is not None:
        value, cost = goal.money
        return round_near(min(1.0, cost / value)), Rule.PROFIT.value
    if goal.reach is not None:
        return find_reach(goal, effects, effects.astype("int64")), Rule.REACH.value
    return 0.0, POSITIVE
