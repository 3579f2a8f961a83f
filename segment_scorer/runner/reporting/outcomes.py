"""What became of the people, in disjoint numbers: they add up to the people received.

Input: counts by group. Output: rows for the report. `summary.json` counts otherwise: its `filtered`
is everybody whom the run left out, whatever the reason.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from function.records import Reason
from segment_scorer.runner.reporting.statistics import AnyReason, Statistics
from segment_scorer.runner.summary import Status, UnsentReason

FILTERED = "filtered"
# reason -> the outcome of the people who were left out for it; by every other reason: filtered
OUTCOMES: dict[AnyReason, str] = {
    Reason.EXCLUDED: "excluded",
    Reason.HOLDOUT: "control group",
    UnsentReason.OPTED_OUT: "opted out or inactive",
    UnsentReason.SUPPRESSED: "suppressed",
    UnsentReason.ONE_PER_USER: "another endpoint chosen",
    UnsentReason.BUDGET: "beyond the budget",
}
FAILED = "failed: no valid reply"


def count_outcomes(statistics: Statistics, *, failed: int, rehearsal: bool) -> list[dict[str, Any]]:
    """Count the people by outcome: messaged, filtered, and then those that there are."""
    messaged = "would be messaged" if rehearsal else "messaged"
    counts = Counter({messaged: 0, FILTERED: 0})
    for group, count in statistics.people.items():
        if group.status == Status.KEPT:
            counts[messaged] += count
        elif group.status == Status.FILTERED:
            counts[OUTCOMES.get(group.reason, FILTERED)] += count
    counts[FAILED] += failed
    shown = {messaged, FILTERED}
    return [
        {"name": name, "people": count} for name, count in counts.items() if count or name in shown
    ]
