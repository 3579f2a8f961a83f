"""Runs or decisions, and outcomes, in; what the campaign changed out. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from model.people.outcome_columns import USUAL_NAMES, ColumnNames
from segment_scorer.lift.breakdown import Breakdown, break_down
from segment_scorer.lift.checks import (
    Check,
    check_effect,
    check_join,
    check_missing,
    check_size,
    check_split,
)
from segment_scorer.lift.decisions import read_decisions
from segment_scorer.lift.estimate import (
    CONFIDENCE,
    Effect,
    Interval,
    estimate_effect,
)
from segment_scorer.lift.outcome_table import count_near_matches, read_campaign_outcomes
from segment_scorer.lift.phrases import (
    say_earned,
    say_effect,
    say_extra,
    say_relative,
    say_unclear,
)
from segment_scorer.lift.runs import DECISIONS, RunFacts, combine_runs
from segment_scorer.lift.tables import Progress
from segment_scorer.lift.users import Missing, fill_missing, join_users


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftRequest:
    """What is asked.

    runs             folders of finished runs; empty where `decisions` is given
    decisions        a CSV `Id,UserId,selected,holdout` of a campaign that another host sent
    outcomes         a CSV `Id,outcome` or `UserId,outcome`
    value, cost      of one response (or one unit of the amount), and of one message
    outcome_name     what a response is called, in the plural; None: responses, or units
    holdout_percent  the control group's share in percent, where no summary says it
    missing          what people without an outcome count as
    columns          what the columns of `outcomes` are called
    """

    outcomes: Path
    runs: tuple[Path, ...] = ()
    decisions: Path | None = None
    value: float | None = None
    cost: float | None = None
    outcome_name: str | None = None
    holdout_percent: float | None = None
    missing: Missing = "auto"
    columns: ColumnNames = USUAL_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftResult:
    """What the campaign changed.

    effect   of the selected users; extra: responses in all; earned: None without value and cost
    binary   whether an outcome is 0 or 1
    messages how many messages were sent to the people messaged
    """

    name: str
    binary: bool
    effect: Effect
    extra: Interval
    earned: Interval | None
    messages: int
    by: dict[str, Breakdown]
    checks: tuple[Check, ...]

    @property
    def sentences(self) -> list[str]:
        """The result in words, the effect first."""
        effect = self.effect
        return [
            say_effect(effect.difference, self.name),
            *([text] if (text := say_unclear(effect, binary=self.binary)) else []),
            *([say_relative(effect.relative)] if effect.relative else []),
            say_extra(self.extra, effect.messaged, self.name),
            *([say_earned(self.earned)] if self.earned else []),
        ]

    def to_data(self) -> dict[str, Any]:
        """The content of lift.json."""
        effect = self.effect
        data: dict[str, Any] = {
            "difference": effect.difference,
            "relative": effect.relative,
            "extra": self.extra,
            "messaged": {"users": effect.messaged, "rate": effect.messaged_rate},
            "control": {"users": effect.control, "rate": effect.control_rate},
            "checks": self.checks,
            "confidence": CONFIDENCE,
            "earned": self.earned,
            "by": {name: self.by.get(name) for name in ("band", "decile", "treatment")},
        }
        plain: dict[str, Any] = msgspec.to_builtins(data)
        return plain


def measure_lift(request: LiftRequest, progress: Progress | None = None) -> LiftResult:
    """Compare the selected people who were messaged with those who were held out.

    Raises DataError for a file that cannot be used, LiftRefused where figures would mislead.
    """
    facts = combine_runs(request.runs) if request.runs else RunFacts()
    paths = _find_decisions(request)
    decisions = read_decisions(paths, progress)
    outcomes = read_campaign_outcomes(request.outcomes, progress, request.columns)
    users, counts = join_users(decisions, outcomes)
    column = decisions.ids if outcomes.key == "Id" else decisions.users
    known = np.unique(column)
    unexplained = counts.matched < counts.outcomes and bool(np.isnan(users.outcomes).any())
    near = count_near_matches(paths, request.outcomes, known, request.columns) if unexplained else 0
    checks = check_join(counts, near=near, several_files=len(paths) > 1)
    checks += [Check("outcomes file", True, f"{reading}.") for reading in outcomes.readings]
    percent = facts.holdout_percent
    checks.append(check_split(users, request.holdout_percent if percent is None else percent))
    zero = fill_missing(users, outcomes, request.missing)
    checks.append(check_missing(users, zero=zero))
    users = users.choose(~np.isnan(users.outcomes))
    messaged, control = users.outcomes[users.messaged], users.outcomes[~users.messaged]
    check_size(messaged, control, binary=outcomes.binary)
    effect = estimate_effect(messaged, control, binary=outcomes.binary)
    responders = int(np.count_nonzero(messaged)), int(np.count_nonzero(control))
    checks += check_effect(effect, responders, binary=outcomes.binary)
    messages = int(users.messages[users.messaged].sum())
    extra = effect.difference.scale(effect.messaged)
    return LiftResult(
        name=request.outcome_name or ("responses" if outcomes.binary else "units"),
        binary=outcomes.binary,
        effect=effect,
        extra=extra,
        earned=find_earned(extra, messages, request.value, request.cost),
        messages=messages,
        by=break_down(users, binary=outcomes.binary),
        checks=tuple(checks),
    )


def find_earned(
    extra: Interval, messages: int, value: float | None, cost: float | None
) -> Interval | None:
    """What the extra responses are worth, less the cost of the messages; None without a value."""
    if value is None:
        return None
    return extra.scale(value, -(cost or 0.0) * messages)


def _find_decisions(request: LiftRequest) -> Sequence[Path]:
    """The decision tables to read."""
    if request.decisions is not None:
        return [request.decisions]
    return [folder / DECISIONS for folder in request.runs]
