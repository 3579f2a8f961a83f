"""The event of each host, and the outcome of a person by its reply."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from function.errors import ReplyError
from function.records import Decision, Reason
from model.people.records import Record
from model.score_kind import RESPONSE, UPLIFT
from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS, read_result
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.errors import HookUnreachable
from segment_scorer.runner.summary import Status

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


@pytest.mark.parametrize("status", [401, 403])
def test_an_answer_that_refuses_the_caller_ends_the_run_over_every_hook(status: int) -> None:
    with pytest.raises(HookUnreachable, match=f"answered {status}; set SCORER_WEB_SECRETS"):
        HOST_ADAPTERS["web"].read_reply({"statusCode": status, "body": "{}"}, ["a"])
    for other in (413, 502, None, "401", [401]):
        with pytest.raises(ReplyError, match="expected 200"):
            HOST_ADAPTERS["web"].read_reply({"statusCode": other, "body": "{}"}, ["a"])


def test_connect_is_sent_an_exported_profile_as_its_live_events_have_it() -> None:
    assert (
        CONNECT.make_entry(PROFILE, CONFIG)
        == '{"profileId":"p","attributes":{"Metrics_score":"0.5"}}'
    )


def test_connect_is_sent_an_endpoint_as_the_profile_it_would_have_become() -> None:
    for names, metric in (("auto", "Metrics"), ("aws", "Metrics"), ("pronetx", "Metric")):
        config = msgspec.structs.replace(CONFIG, profile_names=names)
        expected = f'{{"profileId":"a","attributes":{{"{metric}_score":"0.5"}}}}'
        assert CONNECT.make_entry(ENDPOINT, config) == expected


def test_a_runs_id_ends_in_its_start_as_connect_writes_it() -> None:
    event = CONNECT.build_event({"p": "{}"}, CONFIG)
    assert event["InvocationMetadata"]["CampaignContext"]["RunId"] == "spring#2026-07-03T10-04-00Z"


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"decision": "keep", "reason": "score", "score": 0.75}, Status.KEPT),
        ({"decision": "drop", "reason": "score", "score": 0.25}, Status.FILTERED),
        ({"decision": "perhaps"}, Status.FAILED),
        ({"score": 0.75}, Status.FAILED),
        ({}, Status.FAILED),
        (None, Status.FAILED),
    ],
)
def test_a_profile_without_a_valid_decision_has_failed(
    result: dict[str, Any] | None, status: Status
) -> None:
    outcome = CONNECT.classify("p", PROFILE, result, None, RESPONSE)
    assert outcome[:2] == (status, PROFILE.profile if status == Status.KEPT else None)


def test_on_connect_the_kept_record_is_unchanged() -> None:
    assert CONNECT.classify("a", ENDPOINT, {"decision": "keep"}, None, RESPONSE)[1] == {
        "Id": "a",
        "Metrics": {"score": 0.5},
    }


@pytest.mark.parametrize("score", [None, True, "0.5", math.nan, math.inf, -0.1, 1.1, [0.5]])
def test_a_value_that_is_not_a_score_is_not_read(score: object) -> None:
    assert read_result({"decision": "keep", "score": score}, RESPONSE).score is None


def test_a_decision_from_the_account_replaces_the_one_in_the_reply() -> None:
    seen = Decision(selected=False, sent=True, reason=Reason.HOLDOUT, holdout=True)
    assert (
        CONNECT.classify("p", PROFILE, {"decision": "keep", "reason": "score"}, seen, RESPONSE)[2]
        is seen
    )


def test_a_reply_that_json_cannot_hold_is_refused() -> None:
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


def test_on_pinpoint_an_id_that_is_not_in_the_reply_is_filtered() -> None:
    assert PINPOINT.classify("a", ENDPOINT, None, None, RESPONSE)[0] == Status.FILTERED
    assert PINPOINT.classify("a", ENDPOINT, {"Metrics": {}}, None, RESPONSE)[1] == {
        "Id": "a",
        "Metrics": {},
    }


@pytest.mark.parametrize(
    ("reason", "read"), [("sparse", Reason.SPARSE), ("x", Reason.UNKNOWN), (7, Reason.UNKNOWN)]
)
def test_a_reason_outside_the_enum_is_unknown(reason: object, read: Reason) -> None:
    assert read_result({"decision": "drop", "reason": reason}, RESPONSE).reason is read


@pytest.mark.parametrize(
    ("told", "selected", "holdout"),
    [
        ({"selected": True, "holdout": True}, True, True),
        ({"selected": False, "holdout": False}, False, False),
        ({"selected": None, "holdout": False, "reason": "shadow"}, None, None),
        ({"selected": None, "holdout": False, "reason": "unreadable"}, None, None),
        ({"holdout": True}, None, True),
        ({"selected": "true", "holdout": 1}, None, None),
        ({}, None, None),
    ],
)
def test_what_a_result_does_not_tell_is_unknown(
    told: dict[str, Any], selected: bool | None, holdout: bool | None
) -> None:
    decision = read_result({"decision": "keep", **told}, RESPONSE)
    assert (decision.selected, decision.holdout) == (selected, holdout)


def test_a_negative_effect_is_read_of_an_uplift_model_alone() -> None:
    told = {"decision": "keep", "score": -0.25}
    assert read_result(told, UPLIFT).score == -0.25
    assert read_result(told, RESPONSE).score is None
