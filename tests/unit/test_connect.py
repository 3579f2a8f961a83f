"""function/hosts/connect.py: the custom action's event and answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from function.errors import ReplyError
from function.hosts import connect
from function.hosts.connect import CONNECT
from function.hosts.reading import LARGEST_REPLY
from function.marshaller import measure_reply
from function.policy_file import read_policy
from function.records import Campaign, Decision, Reason, Reply
from model.values import parse_time
from tests.rooms import make_handler
from tests.strategies import make_connect_event

EVENTS = Path(__file__).parents[1] / "events"
LABEL = "tiny@1"


def profile(score: float | None = None, id_: str = "p", **fields: Any) -> dict[str, Any]:
    flat = {} if score is None else {"attributes": {"Metrics_score": str(score)}}
    return {
        "ProfileId": id_,
        "CustomerData": json.dumps({**flat, **fields}),
        "IdempotencyToken": "t",
    }


def results(items: list[Any], *, working: bool = True, **policy: Any) -> list[dict[str, Any]]:
    reply = make_handler(policy, working=working)(make_connect_event(items))
    assert set(reply) == {"Items"}
    assert set(reply["Items"]) == {"CustomerProfiles"}
    answered: list[dict[str, Any]] = reply["Items"]["CustomerProfiles"]
    return answered


def result(item: Any, **policy: Any) -> dict[str, Any]:
    (one,) = results([item], **policy)
    data: dict[str, Any] = one["ResultData"]
    return data


def test_a_recorded_event_gets_a_decision_a_profile() -> None:
    event = json.loads((EVENTS / "connect.json").read_text("utf-8"))
    assert CONNECT.is_event(event)
    answered = make_handler({"threshold": 0.5, "band": [{"name": "high", "at_least": 0.7}]})(event)[
        "Items"
    ]["CustomerProfiles"]
    assert [item["Id"] for item in answered] == [
        item["ProfileId"] for item in event["Items"]["CustomerProfiles"]
    ]
    assert [item["ResultData"] for item in answered] == [
        {
            "score": 0.75,
            "decision": "keep",
            "selected": True,
            "band": "high",
            "holdout": False,
            "reason": "score",
            "model": LABEL,
        },
        {
            "score": 0.25,
            "decision": "drop",
            "selected": False,
            "band": None,
            "holdout": False,
            "reason": "score",
            "model": LABEL,
        },
        {
            "score": 0.0,
            "decision": "drop",
            "selected": False,
            "band": None,
            "holdout": False,
            "reason": "score",
            "model": LABEL,
        },
    ]


def test_a_profile_becomes_the_endpoint_document_of_the_same_person() -> None:
    event = json.loads((EVENTS / "connect.json").read_text("utf-8"))
    first, _, both = CONNECT.parse_event(event).endpoints
    assert first.document == {
        "ChannelType": "SMS",
        "Address": "+15550100001",
        "Attributes": {"Interests": ["music", "films"], "Tier": ["gold"]},
        "Metrics": {"score": 0.75, "visits": 12.0},
        "Demographic": {"Platform": "Android"},
        "Location": {
            "City": "Somewhere",
            "Country": "GB",
            "PostalCode": "AA1 1AA",
            "Region": "Anyshire",
            "Latitude": 51.5,
            "Longitude": -0.1,
        },
        "User": {
            "UserId": "user-1",
            "UserAttributes": {"Interests": ["music", "films"], "Tier": ["gold"]},
        },
        "Profile": {"FirstName": "Some", "LastName": "One"},
    }
    assert both.document == {}


def test_ages_are_measured_against_the_time_in_the_run_id() -> None:
    context = CONNECT.parse_event(make_connect_event([])).context
    assert context.reference == parse_time("2026-07-03T10:04:00Z")
    assert (context.campaign_id, context.application_id, context.treatment_id) == (
        "campaign",
        None,
        None,
    )


@pytest.mark.parametrize("run", [None, "", "campaign", "campaign#2026-13-41T10-04-00Z", 5])
def test_a_run_id_without_a_time_gives_no_reference(run: Any) -> None:
    assert CONNECT.parse_event(make_connect_event([], {"RunId": run})).context.reference is None


@pytest.mark.parametrize("campaign", [{}, [], "text", 5])
def test_an_event_without_its_context_is_answered_all_the_same(campaign: Any) -> None:
    (one,) = make_handler({})(make_connect_event([profile(0.9)], campaign))["Items"][
        "CustomerProfiles"
    ]
    assert one["ResultData"]["decision"] == "keep"


def test_every_profile_is_answered_in_order_even_twice_the_same() -> None:
    items = [
        profile(0.9, "b"),
        profile(0.1, "a"),
        profile(0.9, "b"),
        {"ProfileId": "c"},
        profile(0.5, "d", accountNumber=5),
    ]
    assert [item["Id"] for item in results(items, unreadable="drop")] == ["b", "a", "b", "c", "d"]


@pytest.mark.parametrize(
    "item",
    [
        None,
        "text",
        {},
        {"ProfileId": ""},
        {"ProfileId": 5, "CustomerData": "{}"},
        {"ProfileId": "\ud800"},
    ],
)
def test_an_item_without_a_profile_id_cannot_be_answered_and_costs_nobody_else(item: Any) -> None:
    assert [one["Id"] for one in results([item, profile(0.9)])] == ["p"]


@pytest.mark.parametrize("data", [None, "", "text", "[]", "5", "{", {"a": 1}])
def test_customer_data_that_is_no_object_is_dropped_whatever_the_policy(data: Any) -> None:
    assert result({"ProfileId": "p", "CustomerData": data})["decision"] == "drop"
    assert result({"ProfileId": "p", "CustomerData": data})["reason"] == "unreadable"


@pytest.mark.parametrize(
    "data",
    [
        '{"attributes":{"Metrics_score":true}}',
        '{"attributes":{"Metrics_score":"lots"}}',
        '{"attributes":{"Metrics_score":["0.9"]}}',
        '{"attributes":"text"}',
    ],
)
def test_an_unreadable_profile_gets_the_policys_outcome_and_a_reason(data: str) -> None:
    for unreadable in ("keep", "drop"):
        assert result({"ProfileId": "p", "CustomerData": data}, unreadable=unreadable) == {
            "score": None,
            "decision": unreadable,
            "selected": unreadable == "keep",
            "band": None,
            "holdout": False,
            "reason": "unreadable",
            "model": LABEL,
        }


@pytest.mark.parametrize(
    ("more", "score"),
    [
        ('"attributes":{"Metrics_score":"0.9","Metrics_Foo":"lots","Latitude":"north"}', 0.9),
        ('"attributes":{"Metrics_score":"0.9","a":"\\ud800"}', 0.9),
        ('"attributes":{"Metrics_score":0.9,"a":NaN,"b":1e400}', 0.9),
        ('"attributes":{"Metrics_score":0.9},"accountNumber":[],"address":"text"', 0.9),
        ('"attributes":{"Metrics_score":0.9},"accountNumber":"\\ud800"', 0.9),
        ('"attributes":{"Metrics_score":NaN}', 0.0),
        ('"attributes":{"Metrics_score":"NULL"}', 0.0),
        ('"attributes":{"Metrics_score":1e400}', 0.0),
    ],
)
def test_a_field_that_nothing_reads_never_makes_a_profile_unreadable(
    more: str, score: float
) -> None:
    data = result({"ProfileId": "p", "CustomerData": f"{{{more}}}"}, unreadable="drop")
    assert (data["reason"], data["score"]) == ("score", score)


def test_the_control_group_is_dropped_and_marked() -> None:
    data = result(profile(0.9), holdout={"percent": 100})
    assert (data["decision"], data["holdout"], data["reason"]) == ("drop", True, "holdout")
    assert data["selected"] is True
    assert result(profile(0.1), holdout={"percent": 100})["selected"] is False


def test_in_annotate_everybody_is_kept_and_the_reason_still_said() -> None:
    assert result(profile(0.1), mode="annotate")["decision"] == "keep"
    held = result(profile(0.1), mode="annotate", holdout={"percent": 100})
    assert (held["decision"], held["holdout"], held["score"]) == ("keep", True, 0.1)


def test_in_shadow_nothing_of_the_decision_can_be_branched_on() -> None:
    neutral = {
        "score": None,
        "decision": "keep",
        "selected": None,
        "band": None,
        "holdout": False,
        "reason": "shadow",
        "model": LABEL,
    }
    band = [{"name": "low", "at_least": 0.0}]
    assert result(profile(0.1), mode="shadow", band=band) == neutral
    assert result(profile(0.9), mode="shadow", holdout={"percent": 100}) == neutral


def test_a_batch_without_scores_follows_on_error() -> None:
    for on_error in ("keep", "drop"):
        (one,) = results([profile(0.9)], working=False, on_error=on_error)
        assert (one["ResultData"]["decision"], one["ResultData"]["reason"]) == (
            on_error,
            "no_scores",
        )


def test_result_data_is_plain_json_types_and_at_most_32_kb() -> None:
    data = result(profile(0.9), band=[{"name": "😀" * 1_000, "at_least": 0.0}])
    assert {type(value) for value in data.values()} <= {str, float, bool, type(None)}
    assert measure_reply(data) <= connect.LARGEST_RESULT


def reply_to(
    count: int, *, id_length: int = 5, external: str = "", **policy: Any
) -> tuple[Reply, list[str]]:
    """The reply to so many profiles, and their ids; every hundredth item has none."""
    batch = CONNECT.parse_event(
        make_connect_event(
            [profile(id_=f"{row:0{id_length}}" if row % 100 else "") for row in range(count)]
        )
    )
    rules = read_policy(policy, threshold=0.5, quantiles=(0.0, 1.0)).rules
    copied = {"Tier": [external]} if external else {}
    decisions = [
        Decision(
            selected=bool(e.id), sent=bool(e.id), reason=Reason.SCORE, score=0.9, external=copied
        )
        for e in batch.endpoints
    ]
    reply = CONNECT.build_reply(batch, decisions, rules, LABEL)
    assert measure_reply(reply.body) <= LARGEST_REPLY
    assert [
        bool(e.id) and d.sent for e, d in zip(batch.endpoints, reply.decisions, strict=True)
    ].count(True) == len(answered_ids(reply))
    return reply, [endpoint.id for endpoint in batch.endpoints if endpoint.id]


def answered_ids(reply: Reply) -> list[str]:
    return [item["Id"] for item in reply.body["Items"]["CustomerProfiles"]]


def test_a_reply_over_6_mb_loses_what_the_policy_copied_first() -> None:
    reply, ids = reply_to(300, external="x" * 30_000)
    assert (answered_ids(reply), reply.annotations_dropped) == (ids, True)
    assert all(
        "external" not in item["ResultData"] for item in reply.body["Items"]["CustomerProfiles"]
    )


def test_a_reply_that_fits_keeps_what_the_policy_copied() -> None:
    reply, ids = reply_to(300, external="x" * 10_000)
    assert (answered_ids(reply), reply.annotations_dropped) == (ids, False)
    assert all(item["ResultData"]["external"] for item in reply.body["Items"]["CustomerProfiles"])


def test_a_reply_still_over_6_mb_answers_as_many_as_fit_in_order() -> None:
    reply, ids = reply_to(6_000, id_length=1_000)
    answered = answered_ids(reply)
    assert answered == ids[: len(answered)]
    assert measure_reply(reply.body) > 0.999 * LARGEST_REPLY
    assert {decision.reason for decision in reply.decisions if not decision.sent} == {
        "score",
        "no_scores",
    }


def test_a_reply_still_over_6_mb_raises_where_on_error_is_raise_but_in_shadow() -> None:
    with pytest.raises(
        ReplyError,
        match=r"^\$\.Items\.CustomerProfiles: expected results that fit into Lambda's 6 MB reply$",
    ):
        reply_to(6_000, id_length=1_000, on_error="raise")
    reply, _ = reply_to(6_000, id_length=1_000, on_error="raise", mode="shadow")
    assert reply.annotations_dropped


def test_the_runner_makes_the_event_that_the_function_reads() -> None:
    event = CONNECT.build_event(
        {"p": "{}"},
        Campaign(
            application_id="app",
            campaign_id="c",
            activity_id="act",
            treatment_id="1",
            scheduled_time="2026-07-03T10:04:00.000Z",
        ),
    )
    recorded = json.loads((EVENTS / "connect.json").read_text("utf-8"))
    assert set(event["InvocationMetadata"]["CampaignContext"]) == set(
        recorded["InvocationMetadata"]["CampaignContext"]
    )
    assert set(event["Items"]["CustomerProfiles"][0]) == set(
        recorded["Items"]["CustomerProfiles"][0]
    )
    assert CONNECT.parse_event(event).context.reference == parse_time("2026-07-03T10:04:00Z")


@pytest.mark.parametrize("reply", [None, {}, {"Items": []}, {"Items": {"CustomerProfiles": {}}}])
def test_an_answer_without_its_list_is_refused(reply: Any) -> None:
    with pytest.raises(ReplyError, match=r"^\$\.Items\.CustomerProfiles: expected a list, found "):
        CONNECT.read_reply(reply, ["p"])


@pytest.mark.parametrize("item", [None, {}, {"Id": "stranger", "ResultData": {}}, {"Id": 5}])
def test_an_answer_for_nobody_that_was_sent_is_refused(item: Any) -> None:
    with pytest.raises(
        ReplyError,
        match=r"^\$\.Items\.CustomerProfiles\[0\]\.Id: expected a ProfileId of the event, found ",
    ):
        CONNECT.read_reply({"Items": {"CustomerProfiles": [item]}}, ["p"])


def test_a_profile_without_a_usable_result_is_missing_and_costs_nobody_else() -> None:
    items = [
        {"Id": "big", "ResultData": {"a": "x" * 33_000}},
        {"Id": "none"},
        {"Id": "odd", "ResultData": {"a": "\ud800", "b": 10**300}},
        {"Id": "p", "ResultData": {"decision": "keep"}},
    ]
    read = CONNECT.read_reply({"Items": {"CustomerProfiles": items}}, ["big", "none", "odd", "p"])
    assert list(read) == ["none", "odd", "p"]
    assert read["none"] == {}
