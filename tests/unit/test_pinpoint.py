"""function/hosts/pinpoint.py: the campaign hook's event and answer, and its limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from function.errors import ReplyError
from function.hosts import pinpoint
from function.hosts.pinpoint import PINPOINT
from function.marshaller import measure_reply
from function.policy_file import read_policy
from function.records import Batch, Campaign, Decision, Reason
from tests.fakes import Watcher, make_endpoint, make_event
from tests.rooms import make_handler

EVENTS = Path(__file__).parents[1] / "events"
BAND = [{"name": "high", "at_least": 0.5, "title_override": "Title", "body_override": "Body"}]


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / name).read_text("utf-8"))
    return event


def answer(endpoints: dict[str, Any], **policy: Any) -> dict[str, Any]:
    return make_handler(policy)(make_event(endpoints))


def test_a_recorded_event_is_filtered_and_annotated() -> None:
    event = load("pinpoint.json")
    reply = make_handler({"threshold": 0.5})(event)
    assert list(reply) == ["invented/sms-1", "invented-push-3"]
    assert reply["invented/sms-1"] == {
        **event["Endpoints"]["invented/sms-1"],
        "Attributes": {"Interests": ["music", "films"], "Tier": ["gold"], "Score": ["0.7500"]},
    }


def test_the_documentations_two_endpoints_get_a_credit_score() -> None:
    event = load("pinpoint-documentation.json")
    reply = make_handler({"mode": "annotate", "score_attribute": "CreditScore", "decimals": 2})(
        event
    )
    assert reply == {
        id_: {**definition, "Attributes": {"CreditScore": ["0.00"]}}
        for id_, definition in event["Endpoints"].items()
    }


def test_the_context_is_read_from_the_event() -> None:
    batch = PINPOINT.parse_event(load("pinpoint.json"))
    assert (batch.context.application_id, batch.context.treatment_id) == (
        "0123456789abcdef0123456789abcdef",
        "0",
    )
    assert batch.context.campaign_id == "fedcba9876543210fedcba9876543210"
    assert batch.context.reference == pytest.approx(1769886016.843)


@pytest.mark.parametrize("time", [None, "", "soon", 5, {}])
def test_an_event_without_a_readable_time_has_no_reference(time: Any) -> None:
    assert PINPOINT.parse_event(make_event({}, ScheduledTime=time)).context.reference is None


@pytest.mark.parametrize(
    "changes",
    [
        {"MessageConfiguration": None},
        {"Message": {"smsmessage": {}}},
        {"Unknown": [1]},
        {"TreatmentId": 0},
    ],
)
def test_what_else_an_event_holds_is_ignored(changes: dict[str, Any]) -> None:
    assert list(make_handler({})(make_event({"a": make_endpoint(0.9)}, **changes))) == ["a"]


def test_zero_endpoints_are_answered_with_an_empty_map() -> None:
    assert answer({}) == {}


def test_more_than_fifty_endpoints_are_accepted() -> None:
    assert len(answer({str(index): make_endpoint(0.9) for index in range(500)})) == 500


def test_an_attribute_of_the_same_name_is_replaced_and_the_others_stay() -> None:
    endpoint = make_endpoint(0.9, Attributes={"Score": ["old"], "Other": ["kept"]})
    assert answer({"a": endpoint})["a"]["Attributes"] == {"Score": ["0.9000"], "Other": ["kept"]}
    assert endpoint["Attributes"]["Score"] == ["old"]


@pytest.mark.parametrize("attributes", [None, {}])
def test_an_endpoint_without_attributes_gets_them(attributes: Any) -> None:
    assert answer({"a": make_endpoint(0.9, Attributes=attributes)})["a"]["Attributes"] == {
        "Score": ["0.9000"]
    }


@pytest.mark.parametrize(
    "channel",
    ["ADM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "BAIDU", "GCM", "SMS"],
)
def test_overrides_are_written_where_the_channel_honours_them(channel: str) -> None:
    definition = answer({"a": make_endpoint(0.9, ChannelType=channel)}, band=BAND)["a"]
    assert (definition["TitleOverride"], definition["BodyOverride"]) == ("Title", "Body")


@pytest.mark.parametrize("channel", ["EMAIL", "VOICE", "CUSTOM", "IN_APP", "PUSH", None])
def test_overrides_are_never_written_elsewhere_and_counted_when_skipped(
    channel: str | None,
) -> None:
    event = make_event(
        {
            "a": make_endpoint(0.9, ChannelType=channel),
            "b": make_endpoint(0.1),
            "c": make_endpoint(0.9, ChannelType="SMS"),
        }
    )
    batch = PINPOINT.parse_event(event)
    rules = read_policy({"band": BAND}, threshold=0.5, quantiles=(0.0, 1.0)).rules
    band = rules.bands[0]
    high = Decision(selected=True, sent=True, reason=Reason.SCORE, score=0.9, band=band)
    low = Decision(selected=False, sent=False, reason=Reason.SCORE, score=0.1)
    reply = PINPOINT.build_reply(batch, [high, low, high], rules, "m@1")
    assert "TitleOverride" not in reply.body["a"]
    assert reply.body["c"]["TitleOverride"] == "Title"
    assert reply.overrides_skipped == 1


def test_an_override_text_left_empty_leaves_what_came() -> None:
    endpoint = make_endpoint(0.9, ChannelType="SMS", TitleOverride="came")
    definition = answer(
        {"a": endpoint}, band=[{"name": "x", "at_least": 0, "body_override": "Body"}]
    )["a"]
    assert (definition["TitleOverride"], definition["BodyOverride"]) == ("came", "Body")


SPOILT: list[Any] = [
    None,
    [],
    "text",
    {"Metrics": {"score": "lots"}},
    {"Metrics": {"score": True}},
    {"Metrics": {"score": [0.9]}},
    {"Metrics": "none"},
    {"Metrics": {"score": 0.9}, "Attributes": ["Score"]},
]


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("place", [0, 25, 49])
def test_the_other_49_are_scored_as_if_the_bad_one_were_not_there(spoilt: Any, place: int) -> None:
    sound = [(f"e{index}", make_endpoint(index / 50)) for index in range(49)]
    with_it = dict([*sound[:place], ("bad", spoilt), *sound[place:]])
    reply = answer(with_it, unreadable="drop")
    assert reply == answer(dict(sound))
    kept = answer(with_it)
    assert ("bad" in kept) == isinstance(spoilt, dict)
    kept.pop("bad", None)
    assert kept == reply


UNREAD: list[dict[str, Any]] = [
    {"Metrics": {"score": 0.9, "Foo": "lots", "Bar": [1], "Baz": {}}},
    {"Address": 5, "ChannelType": ["SMS"], "OptOut": {}, "Demographic": "none"},
    {"Attributes": {f"a{index}": ["x"] for index in range(10_000)}},
    {"Attributes": {"deep": {"er": [[1]]}}},
    {"User": "someone", "Location": {"Latitude": "north"}},
    {"User": {"UserId": []}},
]


@pytest.mark.parametrize("unread", UNREAD)
def test_a_field_that_neither_model_nor_policy_reads_never_makes_a_person_unreadable(
    unread: dict[str, Any],
) -> None:
    endpoint = {**make_endpoint(0.9), **unread}
    reply = answer({"a": endpoint}, unreadable="drop")
    attributes = {**endpoint["Attributes"], "Score": ["0.9000"]}
    assert reply == {"a": {**endpoint, "Attributes": attributes}}


@pytest.mark.parametrize("user_id", [[], {}, 101, 101.5, True, None])
def test_the_holdout_draws_the_endpoints_id_where_no_user_id_can_be_used(user_id: Any) -> None:
    endpoint = {**make_endpoint(0.9), "User": {"UserId": user_id}}
    holdout = {"percent": 1e-9, "attribute": "Control"}
    reply = answer({"a": endpoint}, unreadable="drop", holdout=holdout)
    assert reply["a"]["Attributes"]["Control"] == ["false"]
    assert answer({"a": endpoint}, unreadable="drop", holdout={"percent": 100}) == {}


def test_attributes_need_to_be_an_object_only_where_the_policy_writes_one() -> None:
    endpoint = {**make_endpoint(0.9), "Attributes": "text"}
    assert answer({"a": endpoint}, unreadable="drop") == {}
    for policy in ({"score_attribute": ""}, {"mode": "shadow"}):
        assert answer({"a": endpoint}, unreadable="drop", **policy) == {"a": endpoint}


@pytest.mark.parametrize("text", ["NULL", "\\N", "NaN", "n/a", "", "1e400"])
def test_a_null_marker_or_a_number_out_of_range_in_a_metric_is_missing(text: str) -> None:
    reply = answer({"a": {"Metrics": {"score": text}}}, unreadable="drop", threshold=0.0)
    assert reply["a"]["Attributes"] == {"Score": ["0.0000"]}  # what the tiny model gives missing


def test_text_in_a_metric_that_reads_as_a_number_is_that_number() -> None:
    assert answer({"a": {"Metrics": {"score": "0.9"}}})["a"]["Attributes"] == {"Score": ["0.9000"]}


def test_what_utf8_json_cannot_carry_is_left_out_counted_and_missing() -> None:
    spoilt = {
        "Address": "\ud800",
        "ChannelType": "SMS",
        "Metrics": {"score": float("inf"), "visits": 3},
        "Attributes": {"\udfff": ["x"], "b": ["y"]},
    }
    batch = PINPOINT.parse_event(make_event({"a": spoilt}))
    assert batch.unencodable == 3
    assert answer({"a": spoilt}, threshold=0.0) == {
        "a": {
            "ChannelType": "SMS",
            "Metrics": {"visits": 3},
            "Attributes": {"b": ["y"], "Score": ["0.0000"]},
        }
    }


def test_an_id_that_utf8_cannot_encode_cannot_be_answered_and_is_counted() -> None:
    batch = PINPOINT.parse_event(
        make_event({"\ud800": make_endpoint(0.9), "b": make_endpoint(0.9)})
    )
    assert (batch.unencodable, batch.endpoints[0].document) == (1, None)
    assert batch.endpoints[0].problem == (
        "$.Endpoints[0]: expected an id that UTF-8 can encode, found other text"
    )
    assert list(answer({"\ud800": make_endpoint(0.9), "b": make_endpoint(0.9)})) == ["b"]


def test_a_problem_names_the_path_and_the_kinds_and_no_id() -> None:
    watcher = Watcher()
    endpoints = {"a": {}, "somebody": {"Metrics": {"score": "12 apples"}}, "c": None}
    make_handler({}, observer=watcher)(make_event(endpoints))
    assert [endpoint.problem for endpoint in watcher.accounts[0].batch.endpoints] == [
        None,
        "$.Endpoints[1].Metrics.score: expected a number, found text",
        "$.Endpoints[2]: expected an object, found null",
    ]


def make_large(megabytes: float, people: int = 8, **changes: Any) -> dict[str, Any]:
    size = int(megabytes * 1_000_000 / people)
    return {
        f"e{index}": make_endpoint(0.9, Address="x" * size, **changes) for index in range(people)
    }


def reply_to(endpoints: dict[str, Any], **policy: Any) -> tuple[dict[str, Any], Batch]:
    batch = PINPOINT.parse_event(make_event(endpoints))
    rules = read_policy(policy, threshold=0.5, quantiles=(0.0, 1.0)).rules
    decision = Decision(
        selected=True,
        sent=True,
        reason=Reason.SCORE,
        score=0.9,
        band=rules.bands[0] if rules.bands else None,
    )
    reply = PINPOINT.build_reply(batch, [decision] * len(endpoints), rules, "m@1")
    assert sum(decision.sent for decision in reply.decisions) == len(reply.body)
    # What does not fit is not sent, but `selected` does not depend on who else is in the reply.
    assert all(decision.selected for decision in reply.decisions)
    return {
        "body": reply.body,
        "dropped": reply.annotations_dropped,
        "reasons": [d.reason for d in reply.decisions],
    }, batch


def test_a_reply_over_6_mb_loses_its_annotations_first() -> None:
    long_band = [{"name": "x" * 1_000, "at_least": 0.0}]
    endpoints = make_large(6.0, people=300)
    reply, _ = reply_to(endpoints, band=long_band, band_attribute="Band")
    assert reply == {"body": endpoints, "dropped": True, "reasons": ["score"] * 300}


def test_a_reply_still_over_6_mb_keeps_as_many_as_fit_in_order() -> None:
    reply, _ = reply_to(make_large(8.0))
    assert list(reply["body"]) == [f"e{index}" for index in range(6)]
    assert reply["reasons"] == ["score"] * 6 + ["no_scores"] * 2
    assert measure_reply(reply["body"]) <= pinpoint.LARGEST_REPLY


def test_one_endpoint_too_large_by_itself_does_not_cost_the_next() -> None:
    endpoints = {"huge": make_endpoint(0.9, Address="x" * 7_000_000), "small": make_endpoint(0.9)}
    assert list(reply_to(endpoints)[0]["body"]) == ["small"]


def test_a_reply_still_over_6_mb_leaves_everybody_out_where_on_error_is_drop() -> None:
    reply, _ = reply_to(make_large(8.0), on_error="drop")
    assert (reply["body"], set(reply["reasons"])) == ({}, {"no_scores"})


def test_a_reply_still_over_6_mb_raises_where_on_error_is_raise() -> None:
    with pytest.raises(
        ReplyError, match=r"^\$\.Endpoints: expected definitions that fit into Lambda's 6 MB reply$"
    ):
        reply_to(make_large(8.0), on_error="raise")


@pytest.mark.parametrize(
    "policy", [{"mode": "annotate", "on_error": "drop"}, {"mode": "shadow", "on_error": "raise"}]
)
def test_where_nobody_is_left_out_as_many_as_fit_go_back(policy: dict[str, Any]) -> None:
    assert len(reply_to(make_large(8.0), **policy)[0]["body"]) == 6


def test_a_reply_that_would_grow_beyond_6_mb_only_if_it_were_escaped_is_whole() -> None:
    reply, _ = reply_to(
        {"a": make_endpoint(0.9, Address="\x7f" * 6_000_000), "b": make_endpoint(0.9)}
    )
    assert (list(reply["body"]), reply["dropped"]) == (["a", "b"], False)


def test_numbers_that_are_longer_when_written_again_are_counted_as_written() -> None:
    # `1e5` arrives as 3 bytes and leaves as `100000.0`.
    reply, _ = reply_to({"a": make_endpoint(0.9, Unknown=[1e5] * 800_000), "b": make_endpoint(0.9)})
    assert list(reply["body"]) == ["b"]


def test_the_runner_makes_the_event_that_the_function_reads() -> None:
    event = PINPOINT.build_event(
        {"a": make_endpoint(0.9)},
        Campaign(
            application_id="app",
            campaign_id="c",
            activity_id="act",
            treatment_id="1",
            scheduled_time="2026-01-31T19:00:16.843Z",
        ),
    )
    assert set(event) == set(load("pinpoint.json"))
    batch = PINPOINT.parse_event(event)
    assert (batch.context.campaign_id, batch.context.treatment_id, len(batch.endpoints)) == (
        "c",
        "1",
        1,
    )


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (None, "$: expected an object, endpoint ids to definitions; found null"),
        ([], "$: expected an object, endpoint ids to definitions; found a list"),
        ({"a": {}, "stranger": {}}, "$[1]: expected an id of the event, found another id"),
        ({"a": "text"}, "$[0]: expected an endpoint definition, an object; found text"),
    ],
)
def test_an_answer_the_host_would_not_take_is_refused(reply: Any, sentence: str) -> None:
    with pytest.raises(ReplyError) as raised:
        PINPOINT.read_reply(reply, {"a", "b"})
    assert str(raised.value) == sentence


def test_an_answer_the_host_takes_is_given_back() -> None:
    assert PINPOINT.read_reply({"a": {}}, {"a", "b"}) == {"a": {}}


@pytest.mark.parametrize("user", ["\ud800 anna", 101, "anna"])
def test_all_endpoints_of_a_user_are_on_one_side_whatever_is_wrong_with_them(user: Any) -> None:
    endpoints = {
        "whole": {"User": {"UserId": user}},
        "metrics": {"User": {"UserId": user}, "Metrics": "x"},
        "number": {"User": {"UserId": user}, "Metrics": {"score": "x"}},
        "\ud800": {"User": {"UserId": user}},
    }
    watcher = Watcher()
    for percent in range(0, 101, 5):
        make_handler({"holdout": {"percent": percent}}, observer=watcher)(make_event(endpoints))
    sides = [{each.holdout for each in account.decisions} for account in watcher.accounts]
    assert sides[0] == {False}
    assert sides[-1] == {True}
    assert {len(side) for side in sides} == {1}
