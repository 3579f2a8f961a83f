"""The figures of the report, as plain data.

Input: sums. Output: what the page shows. No person can be recognised in it: small groups are added
up, and sums of scores are whole numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from function.records import Reason
from segment_scorer.monitoring.drift import BinSums, compare_sums
from segment_scorer.runner.config import CAMPAIGN, RunConfig
from segment_scorer.runner.reporting.control_group import count_control_kept
from segment_scorer.runner.reporting.explorer import describe_explorer
from segment_scorer.runner.reporting.journey import describe_journey
from segment_scorer.runner.reporting.labels import MOST_ROWS, OTHERS, UNKNOWN, choose_labels
from segment_scorer.runner.reporting.messages import (
    describe_reach,
    describe_run,
    describe_users,
    find_warnings,
    measure_reached,
)
from segment_scorer.runner.reporting.outcomes import count_outcomes
from segment_scorer.runner.reporting.predictions import (
    choose_wording,
    describe_expected,
    describe_savings,
)
from segment_scorer.runner.reporting.statistics import (
    AnyReason,
    Statistics,
    find_middle,
)
from segment_scorer.runner.summary import Status, Summary, UnsentReason
from segment_scorer.runner.writing.checkpoint import Checkpoint

NO_LABEL = "none"
QUANTILES = {"half": 0.5, "95 %": 0.95, "99 %": 0.99, "all": 1.0}
# reason of filtered people -> its words in the report
REASON_TEXTS: dict[AnyReason, str] = {
    UnsentReason.OPTED_OUT: "opted out or inactive, not sent",
    UnsentReason.SUPPRESSED: "in the file of --suppress, not sent",
    UnsentReason.ONE_PER_USER: "another endpoint of the user was chosen",
    UnsentReason.BUDGET: "beyond the budget",
    Reason.HOLDOUT: "control group (holdout)",
    Reason.EXCLUDED: "excluded by the policy",
    Reason.SCORE: "score too low",
    Reason.NO_SCORES: "no score: the scorer failed",
    Reason.SPARSE: "too little data to score",
    Reason.UNREADABLE: "unreadable",
    Reason.SHADOW: "filtered by the function, reason unknown",
    Reason.UNKNOWN: "filtered by the function, reason unknown",
}


def gather_report(
    summary: Summary,
    checkpoint: Checkpoint,
    reference: Mapping[str, Any] | None,
    *,
    rehearsal: bool,
    plan: str = "",
) -> dict[str, Any]:
    """Gather everything the page shows, as plain data.

    `plan` says what the control group of a rehearsal can show.
    Sums of scores are rounded to whole numbers, so that no single score can be derived from them.
    """
    statistics, config = checkpoint.statistics, checkpoint.config
    kept, everyone = sum_expected(statistics)
    control_kept = count_control_kept(statistics)
    drift = describe_drift(summary, checkpoint, reference)
    journey = describe_journey(config, statistics, failed=summary.failed)
    return {
        "rehearsal": rehearsal,
        "summary": msgspec.to_builtins(summary),
        "campaign": config.campaign_id,
        "campaign_named": config.campaign_id != CAMPAIGN,
        "outcomes": count_outcomes(statistics, failed=summary.failed, rehearsal=rehearsal),
        "asked": compare_asked(config, statistics),
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
        "expected": {"kept": round(kept), "all": round(everyone)},
        "filtered": count_filtered(checkpoint),
        "journey": journey,
        "explorer": describe_explorer(checkpoint),
        "groups": {name: sum_groups(statistics, name) for name in ("channel", "country", "band")},
        "drift": drift,
        "times": describe_times(statistics),
        "problems": [
            {"problem": text, "times": count}
            for text, count in checkpoint.problems.most_common(MOST_ROWS)
        ],
    }


def compare_asked(config: RunConfig, statistics: Statistics) -> list[dict[str, str]]:
    """What the policy asks for beside what came of it; only if it names a reach."""
    reached = measure_reached(statistics)
    if config.reach is None or reached is None:
        return []
    return [
        {
            "what": "of the people with a score are selected",
            "asked": f"{100 * config.reach:.1f} %",
            "reached": f"{100 * reached:.1f} %",
        }
    ]


def sum_expected(statistics: Statistics) -> tuple[float, float]:
    """Add up the scores of the kept people, and of all people."""
    kept = (total for group, total in statistics.expected.items() if group.status == Status.KEPT)
    return sum(kept), sum(statistics.expected.values())


def count_filtered(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """Count filtered people by reason, the most frequent first."""
    texts = dict(REASON_TEXTS)
    if checkpoint.config.keep == "below":
        texts[Reason.SCORE] = "score too high"
    counts = Counter[str]()
    for group, count in checkpoint.statistics.people.items():
        if group.status == Status.FILTERED:
            counts[texts[group.reason]] += count
    return [{"reason": text, "people": count} for text, count in counts.most_common()]


def sum_groups(statistics: Statistics, name: str) -> list[dict[str, Any]]:
    """Count people by one property of `Group`, the largest group first.

    Small groups are added up as one row, which is not small itself.
    `expected` is of the kept people, a whole number; None if people are kept but none has a score.
    """
    sizes: Counter[str] = Counter()
    for group, count in statistics.people.items():
        sizes[getattr(group, name) or NO_LABEL] += count
    shown = choose_labels(sizes)
    if not set(shown) - {NO_LABEL, UNKNOWN}:
        return []
    people, kept, scored = Counter[str](), Counter[str](), Counter[str]()
    expected: dict[str, float] = defaultdict(float)
    for group, count in statistics.people.items():
        label = getattr(group, name) or NO_LABEL
        label = label if label in shown else OTHERS
        people[label] += count
        if group.status == Status.KEPT:
            kept[label] += count
            scored[label] += statistics.scored[group]
            expected[label] += statistics.expected.get(group, 0.0)
    return [
        {
            "name": label,
            "people": people[label],
            "kept": kept[label],
            "expected": None if kept[label] and not scored[label] else round(expected[label]),
        }
        for label in [*shown, OTHERS]
        if people[label]
    ]


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
