"""How large a control group must be: the effect that a planned one can see, and the split check.

The runner's rehearsal report calls `make_plan` and `describe_plan`.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
from scipy import optimize, stats

from segment_scorer.lift.checks import SPLIT_ALPHA
from segment_scorer.lift.decisions import read_decisions
from segment_scorer.lift.errors import LiftRefused
from segment_scorer.lift.estimate import POWER, sum_quantiles
from segment_scorer.lift.phrases import say_number, say_threshold
from segment_scorer.lift.runs import DECISIONS, SUMMARY, read_run
from segment_scorer.lift.users import select_users

MOST_PERCENT = 50.0


class ControlPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a control group can show.

    users           selected users, messaged and held out
    percent         the control group's share of them, in percent
    rate            share expected to respond without a message
    detectable      smallest rise of that share seen in 80 % of campaigns; None = none can be
    split_deviation smallest error of the share (0..1) that the split check finds with 80 % power
    effect          the effect worth seeing; None where it was not said
    needed_percent  the smallest control group that sees it in 80 % of campaigns; None = impossible
    """

    users: int
    percent: float
    rate: float
    detectable: float | None
    split_deviation: float
    effect: float | None = None
    needed_percent: float | None = None


def make_plan(users: int, percent: float, rate: float, effect: float | None = None) -> ControlPlan:
    """Plan a control group. `rate` and `effect` are shares: 0.02 is 20 per 1,000 people."""
    return ControlPlan(
        users=users,
        percent=percent,
        rate=rate,
        detectable=find_detectable_rise(users, percent, rate),
        split_deviation=find_split_deviation(users, percent),
        effect=effect,
        needed_percent=None if effect is None else find_needed_percent(users, rate, effect),
    )


def plan_run(folder: Path, rate: float | None, effect: float | None) -> ControlPlan:
    """Plan for the people of a finished run.

    rate    share that responds without a message; None: the mean score of the selected people
    effect  more responses per 1,000 people that are worth seeing; None: not said
    Raises DataError for what is no run, LiftRefused where it does not say what is needed.
    """
    percent = read_run(folder).holdout_percent
    users = select_users(read_decisions([folder / DECISIONS]))
    if percent is None:
        raise LiftRefused(
            f"{folder}: expected the control group's percent in {SUMMARY}, found none"
        )
    if rate is None:
        known = users.scores[~np.isnan(users.scores)]
        if not len(known):
            raise LiftRefused(f"{folder}: the people have no scores: give --rate")
        rate = float(known.mean())
    share = None if effect is None else effect / 1000.0
    return make_plan(len(users.messaged), percent, rate, share)


def find_detectable_rise(users: int, percent: float, rate: float) -> float | None:
    """The smallest rise of `rate` that is seen with 80 % power at 5 %, two-sided."""
    if not 0.0 < percent < 100.0 or not 0.0 <= rate < 1.0:
        return None

    def surplus(rise: float) -> float:
        return rise - _need_rise(users, percent, rate, rise)

    most = 1.0 - rate
    if surplus(most) <= 0.0:
        return None
    return float(optimize.brentq(surplus, 0.0, most))


def find_needed_percent(users: int, rate: float, effect: float) -> float | None:
    """The smallest share in percent, up to 50, with which `effect` is seen with 80 % power."""

    def surplus(percent: float) -> float:
        return effect - _need_rise(users, percent, rate, min(effect, 1.0 - rate))

    if users < 1 or not 0.0 < effect <= 1.0 - rate or surplus(MOST_PERCENT) < 0.0:
        return None
    return float(optimize.brentq(surplus, 1e-9, MOST_PERCENT))


def find_split_deviation(users: int, percent: float) -> float:
    """The smallest error of the control group's share that the split check finds in 80 %."""
    share = percent / 100.0
    if not users or not 0.0 < share < 1.0:
        return 0.0
    power = float(stats.norm.ppf(POWER))
    strict = float(stats.norm.ppf(1.0 - SPLIT_ALPHA / 2.0))
    expected = share * (1.0 - share)

    def surplus(deviation: float) -> float:
        found = (share + deviation) * (1.0 - share - deviation)
        return deviation - (strict * math.sqrt(expected / users) + power * math.sqrt(found / users))

    most = 1.0 - share
    return float(optimize.brentq(surplus, 0.0, most)) if surplus(most) > 0.0 else most


def describe_plan(plan: ControlPlan) -> list[str]:
    """The plan in sentences; the first is the line of the rehearsal's report."""
    held_out = round(plan.users * plan.percent / 100.0)
    group = f"A control group of {plan.percent:g} % ({held_out:,} of {plan.users:,} people)"
    expected = f"{say_number(1000.0 * plan.rate, 100.0 * plan.rate)} of 1,000 respond anyway"
    if plan.percent <= 0.0:
        seen = "Without a control group, what the message changes cannot be measured."
    elif plan.detectable is None:
        seen = f"{group} is too small to see any effect."
    else:
        seen = (
            f"{group} shows an effect of {say_threshold(plan.detectable)} or more in 4 of 5 "
            f"campaigns, if {expected}."
        )
    lines = [seen]
    if plan.effect is not None:
        wanted = f"To see an effect of {say_threshold(plan.effect)}"
        if plan.needed_percent is None:
            lines.append(f"{wanted}, {plan.users:,} people are too few, whatever their split.")
        else:
            needed = math.ceil(plan.users * plan.needed_percent / 100.0)
            lines.append(f"{wanted}, hold out {plan.needed_percent:.1f} % ({needed:,} people).")
    if plan.percent > 0.0:
        low, high = (plan.percent + 100.0 * sign * plan.split_deviation for sign in (-1, 1))
        lines.append(
            f"A split that is wrong by {100.0 * plan.split_deviation:.2f} points (a control group "
            f"below {max(0.0, low):.2f} % or above {high:.2f} %) is noticed in 4 of 5 campaigns."
        )
    return lines


def _need_rise(users: int, percent: float, rate: float, rise: float) -> float:
    """The rise that is needed, if that is the rise: standard errors depend on it."""
    control = users * percent / 100.0
    after = rate + rise
    variance = rate * (1.0 - rate) / control + after * (1.0 - after) / (users - control)
    return sum_quantiles() * math.sqrt(variance)
