"""Law: changing the holdout's percent or salt changes nobody's `selected`."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from function.records import Decision, Reason
from tests.fakes import Watcher
from tests.rooms import make_handler
from tests.strategies import HOOK_EVENTS, POLICIES

HOLDOUTS = st.fixed_dictionaries(
    {
        "percent": st.sampled_from([0.0, 10.0, 50.0, 90.0, 100.0]),
        "salt": st.sampled_from(["", "spring", "summer"]),
        "attribute": st.sampled_from(["", "Control"]),
    }
)


def decisions_on(event: dict[str, Any], policy: dict[str, Any], working: bool) -> list[Decision]:
    watcher = Watcher()
    make_handler(policy, working=working, observer=watcher, stream=io.StringIO())(event)
    return list(watcher.decisions)


@given(
    event=HOOK_EVENTS,
    policy=POLICIES,
    holdouts=st.tuples(HOLDOUTS, HOLDOUTS),
    working=st.booleans(),
)
def test_changing_the_holdout_changes_nobodys_selected(
    event: dict[str, Any],
    policy: dict[str, Any],
    holdouts: tuple[dict[str, Any], dict[str, Any]],
    working: bool,
) -> None:
    one, other = (
        decisions_on(event, {**policy, "holdout": holdout}, working) for holdout in holdouts
    )
    assert [decision.selected for decision in one] == [decision.selected for decision in other]
    assert all(isinstance(decision.selected, bool) for decision in one)


@given(event=HOOK_EVENTS, policy=POLICIES, holdout=HOLDOUTS, working=st.booleans())
def test_in_filter_whoever_is_selected_and_not_held_out_is_sent_and_no_one_else(
    event: dict[str, Any], policy: dict[str, Any], holdout: dict[str, Any], working: bool
) -> None:
    policy = {**policy, "mode": "filter", "holdout": holdout}
    for decision in decisions_on(event, policy, working):
        assert decision.sent == (decision.selected and not decision.holdout)
        assert decision.holdout == (decision.reason == Reason.HOLDOUT)
