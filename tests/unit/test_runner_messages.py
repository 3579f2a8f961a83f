"""The sentences about a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.messages import (
    describe_run,
    describe_unreadable,
    find_warnings,
)
from segment_scorer.runner.reporting.statistics import (
    FALLBACK_USED,
    NO_EXTERNAL,
    NO_SCORES,
    Statistics,
)
from segment_scorer.runner.summary import Status, make_summary


def warn(
    *,
    unscored: int = 0,
    status: Status = Status.KEPT,
    keep: bool = True,
    on_error: str | None = "keep",
    mode: str = "filter",
    **more: Any,
) -> list[str]:
    config = RunConfig(
        scheduled_time="t", activity_id="a", knows_decisions=True, mode=mode, on_error=on_error
    )
    statistics = Statistics()
    statistics.failures.update(more.get("failures", {}))
    statistics.add_people(
        [("SMS", "DE", "", Reason.NO_SCORES, status, keep)] * unscored, [None] * unscored
    )
    counts = Counter({"received": 200, status: 200, "unscored": unscored, "attempts": 4})
    summary = make_summary(counts, config, 1.0)
    return find_warnings(summary, config, statistics, more.get("drift", {}))


UNAVAILABLE = {(NO_SCORES, "ScorerUnavailable"): 3}


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ({}, "; kept because on_error = keep"),
        (
            {"status": Status.FILTERED, "keep": False, "on_error": "drop"},
            "; filtered because on_error = drop",
        ),
        ({"mode": "annotate"}, "; kept because on_error = keep"),
        (
            {"mode": "annotate", "keep": False, "on_error": "drop"},
            "; kept because mode = annotate, mode filter would filter them because on_error = drop",
        ),
        ({"mode": "shadow", "on_error": "raise"}, "; kept because mode = shadow"),
        ({"on_error": None}, ""),
    ],
)
def test_a_scorer_that_is_down_comes_first_with_what_happened_to_people(
    given: dict[str, Any], outcome: str
) -> None:
    drift = {"verdict": "Shifted: a moved.", "columns": [{"verdict": "shifted"}]}
    found = warn(unscored=165, failures=UNAVAILABLE, drift=drift, **given)
    assert found == [
        f"No score for 165 of 200 people: ScorerUnavailable{outcome}.",
        "Shifted: a moved.",
    ]


def test_an_unknown_error_is_not_named() -> None:
    assert warn(unscored=1) == [
        "No score for 1 of 200 people: the function's log says why; kept because on_error = keep."
    ]


def test_warns_of_a_fallback_and_of_external_attributes_that_could_not_be_looked_up() -> None:
    failures = {
        (FALLBACK_USED, "ScorerTimeout"): 1,
        (FALLBACK_USED, "ScorerUnavailable"): 2,
        (NO_EXTERNAL, "ExternalUnavailable"): 4,
    }
    assert warn(failures=failures) == [
        (
            "The first scorer failed and the fallback scored in 3 of 4 calls: "
            "ScorerUnavailable, ScorerTimeout."
        ),
        "External attributes could not be looked up in 4 of 4 calls: ExternalUnavailable.",
    ]


@pytest.mark.parametrize(
    ("verdict", "found"), [("stable", 0), ("too few", 0), ("shifted", 1), ("different", 1)]
)
def test_drift_is_a_warning_when_a_column_moved(verdict: str, found: int) -> None:
    assert (
        len(
            warn(
                drift={
                    "verdict": "As it is.",
                    "columns": [{"verdict": "stable"}, {"verdict": verdict}],
                }
            )
        )
        == found
    )


def test_warns_of_nothing_if_nothing_is_wrong() -> None:
    assert warn() == []


def unreadable(policy_keeps: bool, *problems: str) -> str:
    config = RunConfig(scheduled_time="t", activity_id="a", on_error="keep")
    statistics = Statistics()
    status = Status.KEPT if policy_keeps else Status.FILTERED
    group = ("SMS", "DE", "", Reason.UNREADABLE, status, policy_keeps)
    statistics.add_people([group] * len(problems), [None] * len(problems))
    for problem in problems:
        statistics.add_problem(problem)
    return describe_unreadable(config, statistics)


def test_says_why_endpoints_were_unreadable_and_what_happened_to_them() -> None:
    problem = "$.Metrics.Purchases: expected a number, found text"
    assert unreadable(True, problem, problem) == (
        " (Metrics.Purchases: expected a number, found text); kept without a score"
    )
    assert unreadable(False, *"abcde") == " (a; b; c and 2 more problems); filtered"
    assert unreadable(True) == ""


@pytest.mark.parametrize(("control", "words"), [(1, "1 person"), (1_200, "1,200 people")])
def test_a_control_group_that_is_messaged_is_named(control: int, words: str) -> None:
    counts = Counter({"received": 2_000, "kept": 2_000})
    config = RunConfig(scheduled_time="t", activity_id="a", mode="annotate")
    sentences = describe_run(
        make_summary(counts, config, 1.0),
        config,
        expected="",
        control_kept=control,
        rehearsal=False,
    )
    (sentence,) = [sentence for sentence in sentences if "control group" in sentence]
    assert words in sentence
