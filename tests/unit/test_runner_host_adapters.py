"""What becomes of a person by each host's answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from function.errors import ReplyError
from function.records import Decision
from model.people.records import Record
from segment_scorer.runner.asking.host_adapters import (
    FAILED,
    FILTERED,
    HOST_ADAPTERS,
    KEPT,
    read_result,
)
from segment_scorer.runner.config import RunConfig

CONFIG = RunConfig(
    host="connect",
    scheduled_time="2026-07-03T10:04:00.000Z",
    activity_id="run-1",
    campaign_id="spring",
)
ENDPOINT = Record({"Id": "a", "Metrics": {"score": 0.5}}, None)
PROFILE = Record(
    {"Id": "p", "Metrics": {"score": 0.5}},
    {"ProfileId": "p", "Attributes": {"Metrics_score": "0.5"}},
)
CONNECT, PINPOINT = HOST_ADAPTERS["connect"], HOST_ADAPTERS["pinpoint"]


def test_connect_is_sent_a_profile_as_it_was_exported() -> None:
    assert CONNECT.make_entry(PROFILE) == '{"ProfileId":"p","Attributes":{"Metrics_score":"0.5"}}'


def test_connect_is_sent_an_endpoint_as_the_profile_it_would_have_become() -> None:
    assert CONNECT.make_entry(ENDPOINT) == '{"profileId":"a","attributes":{"Metrics_score":"0.5"}}'


def test_a_runs_id_ends_in_its_start_as_connect_writes_it() -> None:
    event = CONNECT.build_event({"p": "{}"}, CONFIG)
    assert event["InvocationMetadata"]["CampaignContext"]["RunId"] == "spring#2026-07-03T10-04-00Z"


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"decision": "keep", "reason": "score", "score": 0.75}, KEPT),
        ({"decision": "drop", "reason": "score", "score": 0.25}, FILTERED),
        ({"decision": "perhaps"}, FAILED),
        ({"score": 0.75}, FAILED),
        ({}, FAILED),
        (None, FAILED),
    ],
)
def test_a_profile_without_a_decision_has_failed_and_only_that_profile(
    result: dict[str, Any] | None, outcome: str
) -> None:
    outcome_ = CONNECT.classify("p", PROFILE, result, None)
    assert outcome_[:2] == (outcome, PROFILE.profile if outcome == KEPT else None)


def test_on_connect_the_kept_are_as_they_came() -> None:
    assert CONNECT.classify("a", ENDPOINT, {"decision": "keep"}, None)[1] == {
        "Id": "a",
        "Metrics": {"score": 0.5},
    }


@pytest.mark.parametrize("score", [None, True, "0.5", math.nan, math.inf, -0.1, 1.1, [0.5]])
def test_what_is_no_score_is_not_read_as_one(score: object) -> None:
    assert read_result({"decision": "keep", "score": score}).score is None


def test_a_decision_that_was_seen_counts_more_than_what_the_answer_tells() -> None:
    seen = Decision(keep=False, stays=True, reason="holdout", holdout=True)
    assert CONNECT.classify("p", PROFILE, {"decision": "keep", "reason": "score"}, seen)[2] is seen


def test_a_reply_in_this_process_that_json_cannot_carry_is_no_reply() -> None:
    odd = {
        "Items": {
            "CustomerProfiles": [
                {
                    "Id": "p",
                    "ResultData": {"decision": "keep", "score": np.float32(0.5), "x": object()},
                }
            ]
        }
    }
    with pytest.raises(ReplyError):
        CONNECT.read_reply(odd, ["p"])


def test_on_pinpoint_whoever_is_not_in_the_answer_is_left_out() -> None:
    assert PINPOINT.classify("a", ENDPOINT, None, None)[0] == FILTERED
    assert PINPOINT.classify("a", ENDPOINT, {"Metrics": {}}, None)[1] == {"Id": "a", "Metrics": {}}
