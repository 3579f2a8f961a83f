"""segment_scorer/lift/plan.py: what a control group of some size can show."""

from __future__ import annotations

from pathlib import Path

import pytest

from segment_scorer.lift.errors import LiftRefused
from segment_scorer.lift.plan import (
    describe_plan,
    find_detectable_rise,
    find_needed_percent,
    find_split_deviation,
    make_plan,
    plan_run,
)
from tests.lift_files import decide, write_run


def test_the_needed_control_group_sees_just_the_effect() -> None:
    needed = find_needed_percent(64_000, 0.106, 0.01)
    assert needed is not None
    assert find_detectable_rise(64_000, needed, 0.106) == pytest.approx(0.01, rel=1e-6)


def test_agrees_with_fleiss_for_two_equal_groups() -> None:
    """J. L. Fleiss, "Statistical methods for rates and proportions": 10 % against 15 % at 80 %
    power need 683 people a group (without his continuity correction, variances not pooled)."""
    assert find_detectable_rise(2 * 683, 50.0, 0.10) == pytest.approx(0.05, abs=2e-4)


def test_more_people_see_smaller_effects() -> None:
    few, many = (find_detectable_rise(users, 10.0, 0.1) for users in (2000, 200_000))
    assert few is not None
    assert many is not None
    assert many < few / 9


@pytest.mark.parametrize("percent", [0.0, 100.0])
def test_without_two_groups_nothing_is_seen(percent: float) -> None:
    assert find_detectable_rise(10_000, percent, 0.1) is None


def test_too_few_people_see_nothing() -> None:
    assert find_detectable_rise(5, 20.0, 0.5) is None
    assert find_needed_percent(50, 0.1, 0.01) is None


def test_a_larger_campaign_notices_a_smaller_error_of_the_split() -> None:
    assert find_split_deviation(64_000, 10.0) == pytest.approx(0.0049, abs=5e-5)
    assert find_split_deviation(1000, 10.0) > find_split_deviation(64_000, 10.0)
    assert find_split_deviation(0, 10.0) == 0.0


def test_the_plan_is_said_in_sentences() -> None:
    lines = describe_plan(make_plan(64_000, 10.0, 0.106, effect=0.01))
    assert "10 % (6,400 of 64,000 people) shows an effect of 11" in lines[0]
    assert "hold out 13.6 %" in lines[1]
    assert "below 9.51 % or above 10.49 %" in lines[2]


def test_without_a_control_group_the_plan_says_that_nothing_can_be_measured() -> None:
    assert describe_plan(make_plan(1000, 0.0, 0.1)) == [
        "Without a control group, what the message changes cannot be measured."
    ]


def test_an_effect_beyond_reach_is_said() -> None:
    lines = describe_plan(make_plan(300, 10.0, 0.1, effect=0.001))
    assert "300 people are too few, whatever their split" in lines[1]


def test_a_run_is_planned_from_its_scores(tmp_path: Path) -> None:
    rows = [decide(index, holdout=index % 5 == 0, score="0.2") for index in range(1000)]
    run = write_run(tmp_path / "run", rows)
    plan = plan_run(run, None, 30.0)
    assert (plan.users, plan.percent, plan.effect) == (1000, 20.0, 0.03)
    assert plan.rate == pytest.approx(0.2)
    assert plan_run(run, 0.4, None).rate == 0.4


def test_a_run_without_percent_or_scores_is_refused(tmp_path: Path) -> None:
    rows = [decide(index, holdout=False, score="") for index in range(10)]
    with pytest.raises(LiftRefused, match="give --rate"):
        plan_run(write_run(tmp_path / "a", rows), None, None)
    with pytest.raises(LiftRefused, match="control group's percent"):
        plan_run(write_run(tmp_path / "b", rows, holdout_percent=None), 0.1, None)
