"""Law: the bound on a reply's size is never too low, so a reply that is not measured fits."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from function.hosts import pinpoint
from function.hosts.pinpoint import PINPOINT
from function.policy_file import read_policy
from tests.fakes import Watcher, make_event
from tests.rooms import MARSHALLER, make_handler, read_drawn
from tests.strategies import PINPOINT_EVENTS, POLICIES

GROWING = st.text('\x7f😀é"\\\x01\u2028a', max_size=400)
SWELLING = st.dictionaries(
    GROWING,
    st.builds(
        lambda text, numbers: {"Address": text, "Attributes": {text: [text]}, "Unknown": numbers},
        GROWING,
        st.lists(st.floats()),
    ),
    max_size=4,
).map(make_event)


@given(event=st.one_of(PINPOINT_EVENTS, SWELLING), policy=POLICIES)
def test_the_bound_is_never_below_the_true_size(
    event: dict[str, Any], policy: dict[str, Any]
) -> None:
    watcher = Watcher()
    reply = make_handler(policy, observer=watcher)(event)
    (account,) = watcher.accounts
    batch, decisions = account.batch, account.decisions
    rules = read_drawn(policy)[0].rules_for(batch.context)
    written, _ = MARSHALLER.marshal_response(reply)
    assert len(written) <= pinpoint.bound_size(reply, batch, decisions, rules)


def test_a_batch_within_the_documented_limits_is_never_encoded_to_be_measured() -> None:
    largest = {f"{index}": {"Address": "x" * 15_000} for index in range(50)}
    batch = PINPOINT.parse_event(make_event(largest))
    assert (
        pinpoint.bound_size(
            largest, batch, [], read_policy({}, threshold=0.5, quantiles=(0.0, 1.0)).rules
        )
        <= pinpoint.LARGEST_REPLY
    )
