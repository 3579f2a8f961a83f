"""Law: permuting the event permutes the reply; no outcome depends on the other endpoints."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.rooms import freeze, make_handler
from tests.strategies import (
    CAMPAIGNS,
    CONNECT_EVENTS,
    DOCUMENTS,
    PINPOINT_EVENTS,
    POLICIES,
    make_web_event,
)


@given(event=PINPOINT_EVENTS, policy=POLICIES, working=st.booleans(), random=st.randoms())
def test_permuting_the_event_permutes_the_reply(
    event: dict[str, Any], policy: dict[str, Any], working: bool, random: Random
) -> None:
    ids = list(event["Endpoints"])
    random.shuffle(ids)
    handle = make_handler(policy, working=working)
    reply = handle(event)
    shuffled = handle({**event, "Endpoints": {id_: event["Endpoints"][id_] for id_ in ids}})
    assert list(shuffled) == [id_ for id_ in ids if id_ in reply]
    assert freeze(shuffled) == freeze({id_: reply[id_] for id_ in shuffled})


@given(event=CONNECT_EVENTS, policy=POLICIES, working=st.booleans())
def test_reversing_a_connect_event_reverses_the_reply(
    event: dict[str, Any], policy: dict[str, Any], working: bool
) -> None:
    handle = make_handler(policy, working=working)
    results = handle(event)["Items"]["CustomerProfiles"]
    turned = handle(
        {**event, "Items": {"CustomerProfiles": event["Items"]["CustomerProfiles"][::-1]}}
    )["Items"]["CustomerProfiles"]
    assert turned == results[::-1]


@given(
    people=st.lists(DOCUMENTS, max_size=8),
    campaign=CAMPAIGNS,
    policy=POLICIES,
    working=st.booleans(),
)
def test_reversing_a_request_reverses_the_answer(
    people: list[Any], campaign: Any, policy: dict[str, Any], working: bool
) -> None:
    handle = make_handler(policy, working=working)

    def ask(people: list[Any]) -> Any:
        reply = handle(make_web_event({"people": people, "campaign": campaign}))
        return json.loads(reply["body"])["people"]

    assert ask(people[::-1]) == ask(people)[::-1]
