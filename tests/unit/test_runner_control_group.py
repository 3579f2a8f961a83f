"""What the control group of a rehearsal can show."""

from __future__ import annotations

from msgspec.structs import replace

from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.control_group import describe_control_group
from segment_scorer.runner.reporting.statistics import Statistics
from segment_scorer.runner.summary import Status

CONFIG = RunConfig(scheduled_time="t", activity_id="a", mode="filter", holdout_percent=10.0)


def count(*people: tuple[Reason, Status, bool, float | None], times: int = 500) -> Statistics:
    statistics = Statistics()
    groups = [("EMAIL", "DE", "", reason, status, chosen) for reason, status, chosen, _ in people]
    statistics.add_people(groups * times, [score for *_, score in people] * times)
    return statistics


KEPT = (Reason.SCORE, Status.KEPT, True, 0.5)
LOW = (Reason.SCORE, Status.FILTERED, False, 0.0)
HELD = (Reason.HOLDOUT, Status.FILTERED, True, 0.7)


def test_says_the_smallest_effect_for_the_selected_users_and_their_mean_score() -> None:
    text = describe_control_group(CONFIG, count(KEPT, LOW, HELD), 1000)
    assert text.startswith("A control group of 10 % (100 of 1,000 people) shows an effect of ")
    assert text.endswith("if 600 of 1,000 respond anyway.")


def test_says_that_without_a_control_group_nothing_can_be_measured() -> None:
    text = describe_control_group(replace(CONFIG, holdout_percent=0.0), count(KEPT), 500)
    assert text == "Without a control group, what the message changes cannot be measured."


def test_a_control_group_of_a_few_people_is_too_small() -> None:
    assert "too small" in describe_control_group(CONFIG, count(KEPT, times=9), 9)


def test_says_nothing_of_what_is_unknown_or_spoilt() -> None:
    unscored = (Reason.NO_SCORES, Status.KEPT, True, None)
    messaged = (Reason.HOLDOUT, Status.KEPT, True, 0.7)
    assert describe_control_group(replace(CONFIG, holdout_percent=None), count(KEPT), 500) == ""
    assert describe_control_group(CONFIG, count(unscored), 500) == ""
    assert describe_control_group(CONFIG, count(KEPT, messaged), 1000) == ""
    assert describe_control_group(CONFIG, count(LOW), 0) == ""
