"""The figures of the report, as plain data.

Input: sums. Output: what the page shows. No person can be recognised in it: small groups are added
up, and sums of scores are whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from segment_scorer.monitoring.drift import BinSums, compare_sums
from segment_scorer.runner.config import CAMPAIGN
from segment_scorer.runner.counting import UserCounts
from segment_scorer.runner.reporting.asked import compare_asked
from segment_scorer.runner.reporting.control_group import count_control_kept
from segment_scorer.runner.reporting.explorer import describe_explorer
from segment_scorer.runner.reporting.journey import describe_journey
from segment_scorer.runner.reporting.messages import (
    describe_reach,
    describe_run,
    describe_users,
    find_warnings,
)
from segment_scorer.runner.reporting.outcomes import count_outcomes
from segment_scorer.runner.reporting.predictions import (
    choose_wording,
    describe_expected,
    describe_savings,
)
from segment_scorer.runner.reporting.rows import (
    BY_GROUP,
    count_filtered,
    sum_groups,
    sum_treatments,
)
from segment_scorer.runner.reporting.statistics import Statistics, find_middle
from segment_scorer.runner.summary import Status, Summary
from segment_scorer.runner.writing.checkpoint import Checkpoint

MOST_PROBLEMS = 12  # of the table of failed calls
QUANTILES = {"half": 0.5, "95 %": 0.95, "99 %": 0.99, "all": 1.0}


def gather_report(
    summary: Summary,
    checkpoint: Checkpoint,
    reference: Mapping[str, Any] | None,
    *,
    rehearsal: bool,
    plan: str = "",
    users: UserCounts | None = None,
) -> dict[str, Any]:
    """Gather everything the page shows, as plain data.

    `plan` says what the control group of a rehearsal can show; `users` counts by user.
    Sums of scores are rounded to whole numbers, so that no single score can be derived from them.
    """
    statistics, config = checkpoint.statistics, checkpoint.config
    by_user = users if summary.users < summary.received else None
    kept, everyone = sum_expected(statistics)
    control_kept = count_control_kept(statistics)
    drift = describe_drift(summary, checkpoint, reference)
    journey = describe_journey(config, statistics, failed=summary.failed)
    return {
        "rehearsal": rehearsal,
        "summary": msgspec.to_builtins(summary),
        "campaign": config.campaign_id,
        "campaign_named": config.campaign_id != CAMPAIGN,
        "by_user": by_user is not None,
        "outcomes": count_outcomes(
            statistics, rehearsal=rehearsal, rows=by_user.rows["outcome"] if by_user else None
        ),
        "asked": compare_asked(summary, config, statistics),
        "warnings": find_warnings(summary, config, statistics, drift),
        "story": describe_run(
            summary,
            config,
            expected=describe_expected(kept, everyone, statistics.scored.total(), config),
            reach=describe_reach(config, statistics),
            savings=describe_savings(statistics, config),
            control_kept=control_kept,
            rehearsal=rehearsal,
            plan=plan,
            users=describe_users(summary, config, checkpoint.counts["users_expected"]),
            journey=journey["sentence"] if journey else "",
        ),
        "control_kept": control_kept,
        "words": choose_wording(config)._asdict(),
        "expected": {
            "kept": round(kept),
            "all": round(everyone),
            **({"users": checkpoint.counts["users_expected"]} if by_user else {}),
        },
        "filtered": count_filtered(checkpoint, by_user),
        "journey": journey,
        "explorer": describe_explorer(checkpoint, users),
        "groups": {
            **{name: sum_groups(statistics, name, by_user) for name in BY_GROUP},
            "treatment": sum_treatments(checkpoint, users),
        },
        "drift": drift,
        "times": describe_times(statistics),
        "problems": [
            {"problem": text, "times": count}
            for text, count in checkpoint.problems.most_common(MOST_PROBLEMS)
        ],
    }


def sum_expected(statistics: Statistics) -> tuple[float, float]:
    """Add up the scores of the kept people, and of all people."""
    kept = (total for group, total in statistics.expected.items() if group.status == Status.KEPT)
    return sum(kept), sum(statistics.expected.values())


def describe_drift(
    summary: Summary, checkpoint: Checkpoint, reference: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Compare the people with the training data: a verdict, and columns (none if it is unknown)."""
    statistics = checkpoint.statistics
    if not checkpoint.config.in_process or summary.model is None:
        why = "the function does not run in this process, so its counts are not available"
    elif reference is None:
        why = "the model's manifest does not describe its training data"
    elif not summary.batches:
        why = "no person was sent to the function"
    elif not statistics.batches:
        why = "every call of the function failed"
    else:
        sums = BinSums(statistics.batches, statistics.bins)
        described: dict[str, Any] = msgspec.to_builtins(
            compare_sums(summary.model, sums, reference)
        )
        return described
    return {"verdict": f"Unknown: {why}.", "columns": []}


def describe_times(statistics: Statistics) -> dict[str, Any] | None:
    """Describe the durations of the hook's calls: quantiles (ms, within 12 %), and a histogram."""
    total = statistics.times.total()
    if not total:
        return None
    buckets = sorted(statistics.times.items())
    quantiles = {}
    for name, share in QUANTILES.items():
        seen = 0
        for bucket, count in buckets:
            seen += count
            if seen >= share * total:
                quantiles[name] = 1000 * find_middle(bucket)
                break
    return {
        "calls": total,
        "quantiles": quantiles,
        "histogram": [{"ms": 1000 * find_middle(b), "calls": n} for b, n in buckets],
    }
