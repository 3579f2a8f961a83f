"""What was asked for beside what came of it: reach, budget, control group."""

from __future__ import annotations

from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.messages import measure_reached
from segment_scorer.runner.reporting.statistics import Statistics
from segment_scorer.runner.summary import Summary


def compare_asked(
    summary: Summary, config: RunConfig, statistics: Statistics
) -> list[dict[str, str]]:
    """What the policy and the options ask for beside what came of it: only what they name."""
    rows = []
    reached = measure_reached(statistics)
    if config.reach is not None and reached is not None:
        rows.append(
            ("of the people with a score are selected", percent(config.reach), percent(reached))
        )
    if config.budget is not None and summary.budget_users is not None:
        rows.append(("users in the budget", config.budget.describe(), f"{summary.budget_users:,}"))
    sent = summary.received - summary.opted_out - summary.suppressed - summary.failed
    if config.holdout_percent and summary.held_out is not None and sent:
        asked, found = config.holdout_percent / 100, summary.held_out / sent
        what = "of the people sent to the hook are in the control group"
        rows.append((what, percent(asked), percent(found)))
    return [{"what": what, "asked": asked, "reached": found} for what, asked, found in rows]


def percent(share: float) -> str:
    """A share as text."""
    return f"{100 * share:.1f} %"
