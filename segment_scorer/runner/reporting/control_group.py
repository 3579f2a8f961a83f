"""What the control group of a planned run can show.

Input: the run's configuration and sums. Output: a sentence. Only a rehearsal needs it.
"""

from __future__ import annotations

from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.statistics import Statistics
from segment_scorer.runner.summary import Status


def count_control_kept(statistics: Statistics) -> int:
    """Count the people of the control group who are messaged nevertheless."""
    return sum(
        count
        for group, count in statistics.people.items()
        if group.reason == Reason.HOLDOUT and group.status == Status.KEPT
    )


def describe_control_group(config: RunConfig, statistics: Statistics, selected: int) -> str:
    """Say how small an effect the control group can show, or that there is no control group.

    selected  users whom the rules would message, the control group included
    Without a message, people are expected to respond as often as their scores say on average. "" if
    the policy or the scores are unknown, if the control group is messaged too, or if scores are
    effects: they do not say how many respond without a message.
    """
    groups = [group for group in statistics.people if group.selected]
    scored = sum(statistics.scored[group] for group in groups)
    if config.holdout_percent is None or not selected or not scored:
        return ""
    if count_control_kept(statistics) or config.score.is_uplift:
        return ""
    # scipy takes a second to import, and is in the extra `run` for this sentence alone.
    from segment_scorer.lift.plan import describe_plan, make_plan  # noqa: PLC0415

    rate = sum(statistics.expected.get(group, 0.0) for group in groups) / scored
    return describe_plan(make_plan(selected, config.holdout_percent, rate))[0]
