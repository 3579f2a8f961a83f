"""Law: an event decoded by our marshaller is answered as the same event as a plain dict.

The decoded one has documents of exact types, which nothing checks again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.errors import EventError
from function.hosts.pinpoint_event import MOST_GROWTH, DecodedEvent, read_event
from function.marshaller import measure_reply
from model.document_types import ExactDocument
from tests.fakes import Watcher, make_event
from tests.rooms import MARSHALLER, make_handler
from tests.strategies import ANY_JSON, HOOK_EVENTS, POLICIES

# As JSON text, which a float would not keep
NUMBERS = st.sampled_from(
    [
        *("0", "-0", "-0.0", "1", "1.0", "0.5", "1e5", "1E5", "1e-7", "9e15", "-9e15", "1e16"),
        *("9007199254740993", "9223372036854775808", "123456789012345678901234567890", "1e400"),
        *("0.1000000000000000055511151231257827", "1" * 400, "true", "null", '"0.5"', '"\\ud800"'),
    ]
)
TEXTS = st.sampled_from(['"EMAIL"', '"é"', '"\\u00e9"', '"\\ud83d\\ude00"', "null", "7", '["a"]'])
GROUPS = {
    "Metrics": NUMBERS,
    "Attributes": st.one_of(TEXTS, NUMBERS),
    "Location": st.one_of(TEXTS, NUMBERS),
    "User": TEXTS,
    "Unknown": NUMBERS,
}
NAMES = st.sampled_from(["score", "Latitude", "City", "UserId", "Other", "get"])


def join(fields: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in fields.items()) + "}"


GROUP_TEXTS = {
    name: st.dictionaries(NAMES, values, max_size=3).map(join) for name, values in GROUPS.items()
}
DOCUMENTS = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={**GROUP_TEXTS, "ChannelType": TEXTS, "Address": TEXTS, "OptOut": NUMBERS},
    ).map(join),
    st.sampled_from(["null", "[]", "7", "{}", '{"Metrics": null}']),
)
EVENT_TEXTS = st.dictionaries(st.sampled_from(["a", "b", "é", "😀"]), DOCUMENTS, max_size=4).map(
    lambda people: join({"CampaignId": '"c"', "Endpoints": join(people)})
)
CHANGING = {"timestamp", "_aws", "scoring_ms", "external_ms"}


def exact(value: Any) -> str:
    """A JSON value as text that tells 1 from 1.0 and 0.0 from -0.0; names in any order."""
    return json.dumps(value, sort_keys=True)


def answer(event: Any, policy: dict[str, Any]) -> tuple[Any, Any, list[Any], list[dict[str, Any]]]:
    """The reply, the ids in order, the decisions, and the records without what time changes."""
    watcher, log = Watcher(), io.StringIO()
    handle = make_handler(policy, observer=watcher, stream=log)
    try:
        reply = json.loads(MARSHALLER.marshal_response(handle(event))[0])
    except EventError as error:
        return str(error), None, [], []
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    return (
        exact(reply),
        list(reply),
        [list(account.decisions) for account in watcher.accounts],
        [{k: v for k, v in each.items() if k not in CHANGING} for each in records],
    )


def check(body: bytes, policy: dict[str, Any]) -> Any:
    decoded = MARSHALLER.unmarshal_request(body)
    assert answer(decoded, policy) == answer(json.loads(body), policy)
    return decoded


@given(text=EVENT_TEXTS, policy=POLICIES)
def test_whatever_its_people_are(text: str, policy: dict[str, Any]) -> None:
    check(text.encode(), policy)


@given(event=st.one_of(HOOK_EVENTS, ANY_JSON), policy=POLICIES)
def test_whatever_its_host_is(event: Any, policy: dict[str, Any]) -> None:
    try:
        body = json.dumps(event, allow_nan=False)
    except ValueError:  # Infinity and NaN are no JSON: both marshallers refuse the event
        return
    check(body.encode(), policy)


@given(text=EVENT_TEXTS)
def test_its_people_never_take_more_room_than_is_allowed_for(text: str) -> None:
    event = MARSHALLER.unmarshal_request(text.encode())
    if isinstance(event, DecodedEvent):
        reply = make_handler({"mode": "shadow"})(event)
        assert measure_reply(reply) <= MOST_GROWTH * event.size


USUAL = {"Metrics": {"score": 0.9, "whole": 2**53 + 1}, "Attributes": {"a": ["b"], "c": None}}


def kinds_of(people: Mapping[str, Any]) -> dict[str, type]:
    event = check(json.dumps(make_event(dict(people))).encode(), {"mode": "annotate"})
    return {id_: type(value) for id_, value in event["Endpoints"].items()}


@pytest.mark.parametrize(
    "unusual",
    [
        {"Metrics": {"score": "0.9"}},
        {"Metrics": {"score": 2**63}},
        {"Unknown": 1},
        {"User": {"Unknown": 1}},
        {"Address": 5},
        None,
        [],
    ],
)
def test_one_unusual_person_does_not_make_the_others_unusual(unusual: Any) -> None:
    found = kinds_of({"a": USUAL, "unusual": unusual, "b": USUAL})
    assert found.pop("unusual") is not ExactDocument
    assert set(found.values()) == {ExactDocument}


def test_a_number_that_msgspec_refuses_does_not_make_the_others_unusual() -> None:
    body = b'{"Endpoints": {"a": {"Metrics": {"score": 0.9}}, "b": {"Metrics": {"score": 1e400}}}}'
    event = check(body, {})
    assert [type(value) for value in event["Endpoints"].values()] == [ExactDocument, dict]


def test_text_that_msgspec_cannot_skip_costs_nobody_else_a_closer_look() -> None:
    people = {"a": USUAL, "lone": {"Address": "\ud800"}, "b": USUAL}
    event = check(json.dumps(make_event(people)).encode(), {})
    assert not isinstance(event, DecodedEvent)  # AWS's own marshaller read it
    assert [each.typed for each in read_event(event).endpoints] == [True, False, True]


def test_null_and_absent_fields_are_sent_back_as_they_came() -> None:
    body = b'{"Endpoints": {"a": {"Address": null, "Metrics": null, "User": {"UserId": null}}}}'
    reply = make_handler({"mode": "shadow"})(MARSHALLER.unmarshal_request(body))
    assert json.loads(MARSHALLER.marshal_response(reply)[0]) == json.loads(body)["Endpoints"]
