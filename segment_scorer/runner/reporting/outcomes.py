"""What became of the people, in disjoint numbers: they add up to the people received.

Input: counts by group. Output: rows for the report. `summary.json` counts otherwise: its `filtered`
is everybody whom the run left out, whatever the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from function.records import Reason
from segment_scorer.runner.counting import RowFigures
from segment_scorer.runner.reporting.statistics import AnyReason, Group, Statistics
from segment_scorer.runner.summary import Status, UnsentReason

FILTERED = "filtered"
# reason -> the outcome of the people who were left out for it; by every other reason: filtered
OUTCOMES: dict[AnyReason, str] = {
    Reason.EXCLUDED: "excluded",
    Reason.HOLDOUT: "control group",
    UnsentReason.BUDGET: "beyond the budget",
    UnsentReason.ONE_PER_USER: "another endpoint chosen",
    UnsentReason.SUPPRESSED: "suppressed",
    UnsentReason.OPTED_OUT: "opted out or inactive",
}
FAILED = "failed: no valid reply"
MESSAGED = "messaged"
NOBODY = RowFigures()


def name_outcome(group: Group) -> str:
    """The outcome of the people of a group."""
    if group.status == Status.KEPT:
        return MESSAGED
    return OUTCOMES.get(group.reason, FILTERED) if group.status == Status.FILTERED else FAILED


def count_outcomes(
    statistics: Statistics, *, rehearsal: bool, rows: Mapping[str, RowFigures] | None = None
) -> list[dict[str, Any]]:
    """Count the people by outcome: messaged, filtered, and the others that there are.

    rows  outcome -> its figures, to count different users as well
    """
    counts = Counter[str]()
    for group, count in statistics.people.items():
        counts[name_outcome(group)] += count
    order = (MESSAGED, FILTERED, *OUTCOMES.values(), FAILED)
    return [
        {
            "name": f"would be {name}" if rehearsal and name == MESSAGED else name,
            "people": counts[name],
            **({} if rows is None else {"users": rows.get(name, NOBODY).users}),
        }
        for name in order
        if counts[name] or name in {MESSAGED, FILTERED}
    ]
