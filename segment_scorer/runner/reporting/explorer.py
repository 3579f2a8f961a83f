"""What the report's page needs to count people at another threshold, as plain data.

Input: a checkpoint's sums. Output: sums by bucket of the scores. No person can be recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.counting import UserCounts
from segment_scorer.runner.reporting.messages import FILTER, explain_explorer
from segment_scorer.runner.reporting.predictions import middle_of_bucket
from segment_scorer.runner.reporting.statistics import BUCKETS, BY_SCORE, Statistics
from segment_scorer.runner.summary import Status, UnsentReason
from segment_scorer.runner.writing.checkpoint import Checkpoint

HUNDREDTH = BUCKETS // 100  # buckets
BUDGET_MODES = frozenset((FILTER, "annotate"))


def describe_explorer(checkpoint: Checkpoint, users: UserCounts | None = None) -> dict[str, Any]:
    """Gather what the page needs to count people in mode filter at another threshold.

    scores     bucket -> people decided by score; with --one-per user the best of each user
    within     where a score is in its bucket, on average, from 0 to 1
    low, high  the scores that the axes show; step: of the slider
    least, most   the lowest and the highest possible score
    threshold  the policy's; None = unknown
    fixed      people the rules keep at any threshold; never the control group, because mode filter
               does not message it
    start      the figures at the rules' own threshold. They are exact; those by bucket are exact
               only for thresholds of up to 4 decimals
    budget     the run's, as `--budget` takes it; "" = none
    takes_budget  whether a run may have one
    users      best first: bucket, users whose best score is there, their people, and the sum of
               scores so far; empty if each person is a user and there is no control group
    fixed_users  users whom the rules select without a score: the last in a budget
    """
    statistics, config = checkpoint.statistics, checkpoint.config
    people, expected = statistics.people, statistics.expected
    selected = [group for group in people if group.selected and group.reason != Reason.HOLDOUT]
    fixed = sum(
        people[group] - (statistics.scored[group] if group.reason in BY_SCORE else 0)
        for group in selected
    )
    # Beyond a budget these have lost their reason; the score decided about those who have one.
    fixed += sum(
        people[group] - statistics.scored[group]
        for group in people
        if group.reason == UnsentReason.BUDGET
    )
    fixed_expected = sum(
        expected.get(group, 0.0) for group in selected if group.reason not in BY_SCORE
    )
    start = selected
    if not config.in_process:
        start = [group for group in people if group.status == Status.KEPT]
    scores = dict(statistics.scores)
    if config.one_per_user and users:
        scores = {bucket: each.people for bucket, each in users.best.items() if each.people}
    return {
        "scores": sorted(scores.items()),
        "buckets": BUCKETS,
        "within": middle_of_bucket(config),
        **describe_axis(config, statistics),
        "least": config.score.low,
        "most": config.score.high,
        "uplift": config.score.is_uplift,
        "keep": config.keep or "at_least",
        "unwanted": config.keep == "below",
        "threshold": config.threshold,
        "own": "the policy's" if config.in_process else "the function's",
        "in_filter": config.mode not in {None, FILTER},
        "fixed": fixed,
        "fixed_expected": round(fixed_expected, 2),
        "start": {
            "reach": sum(people[group] for group in start),
            "expected": round(sum(expected.get(group, 0.0) for group in start), 2),
        },
        **describe_budget(config, scores, users, fixed),
        "note": explain_explorer(config, scored=sum(scores.values()), kept=fixed),
    }


def describe_budget(
    config: RunConfig, scores: Mapping[int, int], users: UserCounts | None, fixed: int
) -> dict[str, Any]:
    """Gather what the page needs to count people under a budget."""
    # Of a deployed function, a run chooses among everybody with a score; its threshold is unknown.
    is_known = config.in_process and config.threshold is not None
    takes = is_known or (config.chooses and not config.knows_decisions)
    best = users.best if users else {}
    is_same = {bucket: each.users for bucket, each in best.items()} == scores
    listed, total = [], 0.0
    for bucket in sorted(best, reverse=config.keep != "below"):
        total += best[bucket].expected
        listed.append([bucket, best[bucket].users, best[bucket].people, round(total)])
    return {
        "budget": config.budget.option if config.budget else "",
        "takes_budget": takes and config.mode in BUDGET_MODES and bool(best),
        "users": [] if is_same else listed,
        "fixed_users": users.unscored if users else fixed,
    }


def describe_axis(config: RunConfig, statistics: Statistics) -> dict[str, float]:
    """The scores that the charts and the slider show: the whole range of responses.

    Effects are small, so for uplift only those that occur, 0 and the threshold; in hundredths.
    """
    score = config.score
    if not score.is_uplift:
        return {"low": score.low, "high": score.high, "step": 0.001}
    shown = [0, round((config.threshold or 0.0) * BUCKETS)]
    shown += [edge for bucket in statistics.scores for edge in (bucket, bucket + 1)]
    low, high = min(shown) // HUNDREDTH, -(-max(shown) // HUNDREDTH)
    return {
        "low": max(low / 100, score.low),
        "high": min(max(high, low + 1) / 100, score.high),
        "step": 0.0001,
    }
