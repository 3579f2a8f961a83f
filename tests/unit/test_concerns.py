"""function/concerns.py: what is wrong with a whole batch."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.fakes import Watcher, make_endpoint, make_event, read_log
from tests.rooms import make_handler
from tests.strategies import make_connect_event


def warnings_of(event: dict[str, Any], **policy: Any) -> list[str]:
    """The warnings that the function logs for an event."""
    log = io.StringIO()
    make_handler(policy, stream=log)(event)
    return [line["message"] for line in read_log(log.getvalue()) if line.get("level") == "WARNING"]


def people(with_feature: int, without: int) -> dict[str, Any]:
    scores = [0.9] * with_feature + [None] * without
    return make_event({f"p{index}": make_endpoint(score) for index, score in enumerate(scores)})


def test_half_of_a_batch_without_features_is_a_concern() -> None:
    (sentence,) = warnings_of(people(2, 2), min_present=0.5)
    assert sentence == (
        "2 of 4 people are sparse: they have less than min_present = 0.5 of the model's features. "
        "Check the import that fills the features"
    )


def test_without_min_present_the_warning_says_that_they_are_scored_all_the_same() -> None:
    (sentence,) = warnings_of(people(0, 50))
    assert sentence == (
        "50 of 50 people have none of the model's features and are scored all the same; "
        "min_present would make them sparse. Check the import that fills the features"
    )


@pytest.mark.parametrize("policy", [{}, {"min_present": 0.5}])
def test_a_few_people_without_features_are_counted_but_no_concern(policy: dict[str, Any]) -> None:
    assert warnings_of(people(3, 2), **policy) == []


@pytest.mark.parametrize("policy", [{}, {"min_present": 1.0}])
def test_an_empty_or_unreadable_batch_is_no_concern(policy: dict[str, Any]) -> None:
    assert warnings_of(make_event({}), **policy) == []
    assert warnings_of(make_event({"a": None, "b": {"Metrics": 5}}), **policy) == []


def test_attributes_that_two_migrations_could_have_named_are_a_concern_and_counted() -> None:
    data = (
        '{"attributes": {"Metrics_score": "1", "Plan_0": "a"}}',
        '{"attributes": {"Plan": "a"}}',
    )
    event = make_connect_event([{"ProfileId": text, "CustomerData": text} for text in data])
    (sentence, *_) = warnings_of(event)
    assert sentence == (
        "1 of 2 customer profiles have attributes that two migrations from Pinpoint could have "
        "named; they are read as AWS's, with what only Pronetx's reading finds. Set "
        "SCORER_PROFILE_NAMES to aws or pronetx"
    )
    log = io.StringIO()
    make_handler({}, stream=log)(event)
    assert [line["ambiguous_names"] for line in read_log(log.getvalue()) if "kept" in line] == [1]


def test_a_model_without_ages_does_not_miss_the_time() -> None:
    event = make_connect_event([{"ProfileId": "a", "CustomerData": "{}"}], {"RunId": "run-67890"})
    watcher = Watcher()
    make_handler({}, observer=watcher)(event)
    assert [account.time_missing for account in watcher.accounts] == [False]
