"""Law: reply ids are a subset of the event's, in order, each with its whole definition."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from function.hosts.pinpoint import PINPOINT
from model.document import clean_value
from tests.rooms import make_handler
from tests.strategies import PINPOINT_EVENTS, POLICIES

OURS = {"Score", "Band", "Control"}


@given(event=PINPOINT_EVENTS, policy=POLICIES, working=st.booleans())
def test_reply_ids_are_a_subset_of_the_events_in_order(
    event: dict[str, Any], policy: dict[str, Any], working: bool
) -> None:
    reply = make_handler(policy, working=working)(event)
    assert list(reply) == [id_ for id_ in event["Endpoints"] if id_ in reply]
    PINPOINT.read_reply(reply, event["Endpoints"])


@given(event=PINPOINT_EVENTS, policy=POLICIES, working=st.booleans())
def test_a_definition_goes_back_whole_with_nothing_but_the_policys_additions(
    event: dict[str, Any], policy: dict[str, Any], working: bool
) -> None:
    for id_, definition in make_handler(policy, working=working)(event).items():
        received = clean_value(event["Endpoints"][id_])[0]
        bare = {
            name: value
            for name, value in definition.items()
            if name not in {"Attributes", "TitleOverride", "BodyOverride"}
        }
        assert bare == {
            name: received[name]
            for name in received
            if name not in {"Attributes", "TitleOverride", "BodyOverride"}
        }
        attributes = definition.get("Attributes")
        if attributes != received.get("Attributes"):
            added = {name for name in attributes if name in OURS}
            assert added
            before = received.get("Attributes") or {}
            assert {**before, **{name: attributes[name] for name in added}} == attributes
            assert all(
                isinstance(attributes[name], list) and isinstance(attributes[name][0], str)
                for name in added
            )
