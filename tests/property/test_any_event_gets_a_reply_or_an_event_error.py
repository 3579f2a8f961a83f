"""Law: any JSON value as event gives a reply or an EventError (on_error keep or drop).

`make fuzz` runs it at length.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from function.errors import EventError
from function.hosts import find_host
from function.hosts.connect import LARGEST_RESULT
from function.hosts.reading import LARGEST_REPLY
from function.marshaller import measure_reply
from function.records import Account
from tests.fakes import Watcher
from tests.rooms import make_handler
from tests.strategies import (
    ANY_JSON,
    DEEP,
    HOOK_EVENTS,
    MANY_OVERRIDES,
    POLICIES,
    WEB_EVENTS,
    make_web_event,
    spoil,
)

VARIANTS = 50
NEARLY_EVENTS = st.one_of(
    ANY_JSON,
    DEEP,
    st.dictionaries(st.sampled_from(["Endpoints", "Items", "InvocationMetadata"]), ANY_JSON),
    st.builds(lambda below: {"Items": {"CustomerProfiles": below}}, ANY_JSON),
    st.builds(lambda below: {"Endpoints": below}, ANY_JSON),
    st.builds(lambda below: {"requestContext": below}, ANY_JSON),
    st.builds(lambda event, body: {**event, "body": body}, WEB_EVENTS, ANY_JSON),
    st.builds(make_web_event, ANY_JSON),
)


def make_checker(policy: Mapping[str, Any], working: bool) -> Callable[[Any], str]:
    """Make a function that sends an event and says what came of it: see `check_event`."""
    watcher = Watcher()
    handler = make_handler(policy, working=working, observer=watcher)

    def check(event: Any) -> str:
        watcher.accounts.clear()
        return check_event(event, handler, watcher)

    return check


def check_event(event: Any, handler: Callable[[Any], dict[str, Any]], watcher: Watcher) -> str:
    """Send one event, check everything that must hold of the answer, and say what came of it."""
    before = repr(event)
    try:
        reply = handler(event)
    except EventError:
        assert not isinstance(event, dict) or find_host(event) is None
        return "no hook events"
    assert repr(event) == before
    json.dumps(reply, allow_nan=False)
    assert measure_reply(reply) <= LARGEST_REPLY
    json.dumps(reply, allow_nan=False, ensure_ascii=False).encode()
    (account,) = watcher.accounts
    batch, decisions = account.batch, account.decisions
    assert len(decisions) == len(batch.endpoints)
    if batch.host == "pinpoint":
        assert [endpoint.id for endpoint in batch.endpoints] == list(event["Endpoints"])
        assert list(reply) == [
            e.id for e, decision in zip(batch.endpoints, decisions, strict=True) if decision.sent
        ]
        return "Pinpoint events"
    if batch.host == "web":
        return check_answer(reply, account)
    answered = [item["Id"] for item in reply["Items"]["CustomerProfiles"]]
    assert answered == [endpoint.id for endpoint in batch.endpoints if endpoint.id]
    assert len(batch.endpoints) == len(event["Items"]["CustomerProfiles"])
    assert all(
        measure_reply(item["ResultData"]) <= LARGEST_RESULT
        for item in reply["Items"]["CustomerProfiles"]
    )
    return "Connect events"


def check_answer(reply: dict[str, Any], account: Account) -> str:
    """Check an answer over HTTP: every person, in order; or a problem with a status."""
    content = json.loads(reply["body"])
    if account.batch.refusal is not None:
        assert content["status"] == reply["statusCode"] == account.batch.refusal.status
        return "refused requests"
    assert reply["statusCode"] == 200
    ids = [person["id"] for person in content["people"]]
    assert ids == [endpoint.id or None for endpoint in account.batch.endpoints]
    decisions = [person["decision"] == "keep" for person in content["people"]]
    assert decisions == [decision.sent for decision in account.decisions]
    return "requests over HTTP"


@given(event=NEARLY_EVENTS, policy=POLICIES, working=st.booleans())
def test_any_json_value_gives_a_reply_or_an_event_error(
    *, event: Any, policy: dict[str, Any], working: bool, fuzz_round: int, fuzz_counts: Counter[str]
) -> None:
    fuzz_counts[make_checker(policy, working)(event)] += 1


def spoil_event(event: dict[str, Any], random: Random, parts: list[Any]) -> Any:
    """Spoil one part of an event; of a request mostly a part of its body."""
    if "requestContext" in event and random.random() < 0.9:  # most of them
        body = spoil(json.loads(event["body"]), random, parts)
        return {**event, "body": json.dumps(body)}
    return spoil(event, random, parts)


@given(
    event=HOOK_EVENTS,
    policy=POLICIES,
    working=st.booleans(),
    overrides=st.integers(0, 7),
    parts=st.lists(ANY_JSON, max_size=3),
    random=st.randoms(),
)
def test_any_hook_event_gives_a_reply_that_can_be_decoded_and_loses_nobody(
    *,
    event: Any,
    policy: dict[str, Any],
    working: bool,
    overrides: int,
    parts: list[Any],
    random: Random,
    fuzz_round: int,
    fuzz_counts: Counter[str],
) -> None:
    many = {"override": MANY_OVERRIDES} if overrides == 7 else {}
    check = make_checker(policy | many, working)
    fuzz_counts[check(event)] += 1
    # hypothesis takes ten times as long to make an event as the handler to answer it. So each event
    # is also sent spoilt in many ways.
    for _ in range(VARIANTS):
        fuzz_counts[check(spoil_event(event, random, parts))] += 1
    if many:
        fuzz_counts["policies of 5,000 overrides"] += 1
