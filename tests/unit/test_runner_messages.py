"""What is said before any figure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.messages import find_warnings
from segment_scorer.runner.reporting.statistics import (
    FALLBACK_USED,
    NO_EXTERNAL,
    NO_SCORES,
    Statistics,
)
from segment_scorer.runner.summary import make_summary


def tell(
    *,
    unscored: int = 0,
    outcome: str = "kept",
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
        [("SMS", "DE", "", "no_scores", outcome, keep)] * unscored, [None] * unscored
    )
    counts = Counter({"received": 200, outcome: 200, "unscored": unscored, "attempts": 4})
    summary = make_summary(counts, config, 1.0)
    return find_warnings(summary, config, statistics, more.get("drift", {}))


UNAVAILABLE = {(NO_SCORES, "ScorerUnavailable"): 3}


@pytest.mark.parametrize(
    ("given", "fate"),
    [
        ({}, "; kept because on_error = keep"),
        (
            {"outcome": "filtered", "keep": False, "on_error": "drop"},
            "; left out because on_error = drop",
        ),
        ({"mode": "annotate"}, "; kept because on_error = keep"),
        (
            {"mode": "annotate", "keep": False, "on_error": "drop"},
            "; kept because mode = annotate, in mode filter left out because on_error = drop",
        ),
        ({"mode": "shadow", "on_error": "raise"}, "; kept because mode = shadow"),
        ({"on_error": None}, ""),
    ],
)
def test_a_scorer_that_is_down_is_told_first_with_what_became_of_people(
    given: dict[str, Any], fate: str
) -> None:
    drift = {"verdict": "Shifted: a moved.", "columns": [{"verdict": "shifted"}]}
    told = tell(unscored=165, failures=UNAVAILABLE, drift=drift, **given)
    assert told == [
        f"No score for 165 of 200 people: ScorerUnavailable{fate}.",
        "Shifted: a moved.",
    ]


def test_an_error_that_cannot_be_seen_is_not_named() -> None:
    assert tell(unscored=1) == [
        "No score for 1 of 200 people: the function's log says why; kept because on_error = keep."
    ]


def test_a_fallback_and_profiles_that_could_not_be_looked_up_are_told() -> None:
    failures = {
        (FALLBACK_USED, "ScorerTimeout"): 1,
        (FALLBACK_USED, "ScorerUnavailable"): 2,
        (NO_EXTERNAL, "ExternalUnavailable"): 4,
    }
    assert tell(failures=failures) == [
        "The first scorer failed and the fallback scored in 3 of 4 calls: ScorerUnavailable, ScorerTimeout.",
        "External attributes could not be looked up in 4 of 4 calls: ExternalUnavailable.",
    ]


@pytest.mark.parametrize(
    ("verdict", "told"), [("stable", 0), ("too few", 0), ("shifted", 1), ("different", 1)]
)
def test_drift_is_a_warning_when_a_column_moved(verdict: str, told: int) -> None:
    assert (
        len(
            tell(
                drift={
                    "verdict": "As it is.",
                    "columns": [{"verdict": "stable"}, {"verdict": verdict}],
                }
            )
        )
        == told
    )


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    assert tell() == []
