"""Law: raising the threshold adds no endpoint (keep = at_least), nor does lowering it (below)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.rooms import make_handler
from tests.strategies import KIND, PINPOINT_EVENTS, POLICIES, move_score


def place(policy: dict[str, Any], threshold: float) -> float:
    """A threshold from 0 to 1 -> in the range of the policy's kind of scores."""
    return move_score(threshold) if KIND in policy else threshold


THRESHOLDS = st.one_of(st.floats(0, 1), st.integers(0, 20).map(lambda number: number / 20))


@given(event=PINPOINT_EVENTS, policy=POLICIES, thresholds=st.tuples(THRESHOLDS, THRESHOLDS))
def test_raising_the_threshold_never_adds_an_endpoint(
    event: dict[str, Any], policy: dict[str, Any], thresholds: tuple[float, float]
) -> None:
    low, high = (
        set(make_handler({**policy, "keep": "at_least", "threshold": place(policy, t)})(event))
        for t in sorted(thresholds)
    )
    assert high <= low


@given(event=PINPOINT_EVENTS, policy=POLICIES, thresholds=st.tuples(THRESHOLDS, THRESHOLDS))
def test_lowering_the_threshold_never_adds_an_endpoint_where_low_scores_stay(
    event: dict[str, Any], policy: dict[str, Any], thresholds: tuple[float, float]
) -> None:
    low, high = (
        set(make_handler({**policy, "keep": "below", "threshold": place(policy, t)})(event))
        for t in sorted(thresholds)
    )
    assert low <= high


@given(event=PINPOINT_EVENTS, policy=POLICIES, threshold=THRESHOLDS)
def test_at_least_and_below_keep_every_scored_endpoint_exactly_once(
    event: dict[str, Any], policy: dict[str, Any], threshold: float
) -> None:
    strict = {
        **policy,
        "mode": "filter",
        "unreadable": "drop",
        "sparse": "drop",
        "holdout": {},
        "threshold": place(policy, threshold),
    }
    high, low = (
        list(make_handler({**strict, "keep": keep})(event)) for keep in ("at_least", "below")
    )
    everybody = make_handler({**strict, "keep": "at_least", "threshold": place(policy, 0.0)})(event)
    assert sorted(high + low) == sorted(everybody)
