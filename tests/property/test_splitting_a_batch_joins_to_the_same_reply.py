"""Law: split a batch and join the replies: the same map (if it is scored and fits)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.rooms import freeze, make_handler
from tests.strategies import CAMPAIGNS, DOCUMENTS, PINPOINT_EVENTS, POLICIES, make_web_event


@given(event=PINPOINT_EVENTS, policy=POLICIES, cut=st.integers(0, 8))
def test_splitting_a_batch_and_joining_the_replies_gives_the_same_map(
    event: dict[str, Any], policy: dict[str, Any], cut: int
) -> None:
    handle = make_handler(policy)
    endpoints = list(event["Endpoints"].items())
    halves = [
        handle({**event, "Endpoints": dict(half)}) for half in (endpoints[:cut], endpoints[cut:])
    ]
    assert freeze({**halves[0], **halves[1]}) == freeze(handle(event))


@given(
    people=st.lists(DOCUMENTS, max_size=8),
    campaign=CAMPAIGNS,
    policy=POLICIES,
    cut=st.integers(0, 8),
)
def test_splitting_a_request_and_joining_the_answers_gives_the_same_answers(
    people: list[Any], campaign: Any, policy: dict[str, Any], cut: int
) -> None:
    handle = make_handler(policy)

    def ask(some: list[Any]) -> list[Any]:
        reply = handle(make_web_event({"people": some, "campaign": campaign}))
        answered: list[Any] = json.loads(reply["body"])["people"]
        return answered

    assert ask(people[:cut]) + ask(people[cut:]) == ask(people)
