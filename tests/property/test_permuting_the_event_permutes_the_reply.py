"""Law: permuting the event permutes the reply; no outcome depends on the other endpoints."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.rooms import freeze, make_handler
from tests.strategies import CONNECT_EVENTS, PINPOINT_EVENTS, POLICIES


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
