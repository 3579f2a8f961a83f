"""Law: the event is unchanged afterwards, to its last nested value."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.rooms import freeze, make_handler
from tests.strategies import HOOK_EVENTS, POLICIES


@given(event=HOOK_EVENTS, policy=POLICIES, working=st.booleans())
def test_the_event_is_unchanged_afterwards(
    event: dict[str, Any], policy: dict[str, Any], working: bool
) -> None:
    before = freeze(event)
    make_handler(policy, working=working)(event)
    assert freeze(event) == before


@given(event=HOOK_EVENTS, policy=POLICIES)
def test_the_same_event_gets_the_same_reply_again(
    event: dict[str, Any], policy: dict[str, Any]
) -> None:
    handle = make_handler(policy)
    assert freeze(handle(event)) == freeze(handle(event))
