"""Laws of the comparison, whatever the outcomes are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_scorer.lift.decisions import Decisions, Grouping
from segment_scorer.lift.estimate import Interval, estimate_effect
from segment_scorer.lift.outcome_table import CampaignOutcomes
from segment_scorer.lift.users import SelectedUsers, join_users

RESPONSES = st.lists(st.booleans(), min_size=25, max_size=80)
AMOUNTS = st.lists(
    st.floats(0.0, 1e6, allow_subnormal=False).map(lambda x: round(x, 2)), min_size=25, max_size=80
)
# user, held out, selected, outcome: an endpoint a row; whether a user is held out follows below
ENDPOINTS = st.lists(
    st.tuples(st.integers(0, 30), st.booleans(), st.integers(0, 3)), min_size=1, max_size=90
)


def to_group(values: list[bool] | list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


def check_order(interval: Interval) -> None:
    assert interval.low <= interval.value <= interval.high


@given(RESPONSES, RESPONSES)
def test_an_interval_holds_its_value_and_stays_within_all_and_nothing(
    one: list[bool], two: list[bool]
) -> None:
    effect = estimate_effect(to_group(one), to_group(two), binary=True)
    check_order(effect.difference)
    if effect.approximate:
        assert effect.difference.low >= -1.0 - 1e-9
        assert effect.difference.high <= 1.0 + 1e-9
    if effect.relative is not None:
        check_order(effect.relative)
        assert effect.relative.low >= -1.0


@given(RESPONSES, RESPONSES)
def test_swapping_the_groups_turns_the_sign(one: list[bool], two: list[bool]) -> None:
    there = estimate_effect(to_group(one), to_group(two), binary=True).difference
    back = estimate_effect(to_group(two), to_group(one), binary=True).difference
    assert (back.value, back.low, back.high) == pytest.approx(
        (-there.value, -there.high, -there.low), abs=1e-9
    )


@given(AMOUNTS, AMOUNTS, st.floats(0.01, 100.0))
def test_another_currency_changes_nothing_but_the_unit(
    one: list[float], two: list[float], rate: float
) -> None:
    plain = estimate_effect(to_group(one), to_group(two), binary=False)
    other = estimate_effect(to_group(one) * rate, to_group(two) * rate, binary=False)
    expected = plain.difference.scale(rate)
    for name in ("value", "low", "high"):
        assert getattr(other.difference, name) == pytest.approx(
            getattr(expected, name), rel=1e-6, abs=1e-6
        )


def join(rows: list[tuple[int, bool, int]], order: list[int]) -> SelectedUsers:
    """The users of endpoints in some order; every third user is held out."""
    chosen = [rows[index] for index in order]
    count = len(rows)
    held_out = np.array([user % 3 == 0 for user, _, _ in chosen])
    none = Grouping(names=(), codes=np.full(count, -1, dtype=np.int32))
    decisions = Decisions(
        ids=np.array(order),
        users=np.array([user for user, _, _ in chosen]),
        selected=np.array([selected for _, selected, _ in chosen], dtype=np.int8),
        holdout=held_out.astype(np.int8),
        sent=(~held_out).astype(np.int8),
        failed=np.zeros(count, dtype=bool),
        scores=np.full(count, np.nan),
        bands=none,
        treatments=none,
        runs=np.zeros(count, dtype=np.int16),
    )
    values = np.array([outcome for _, _, outcome in rows], dtype=np.float64)
    return join_users(decisions, CampaignOutcomes(key="Id", ids=np.arange(count), values=values))[0]


@given(ENDPOINTS, st.randoms(use_true_random=False))
def test_users_are_the_same_in_any_order_of_endpoints(
    rows: list[tuple[int, bool, int]], chance: object
) -> None:
    order = list(range(len(rows)))
    straight = join(rows, order)
    chance.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    mixed = join(rows, order)
    assert np.array_equal(straight.messaged, mixed.messaged)
    assert np.array_equal(straight.outcomes, mixed.outcomes)


@given(ENDPOINTS)
def test_every_selected_user_is_on_one_side_once(rows: list[tuple[int, bool, int]]) -> None:
    users = join(rows, list(range(len(rows))))
    selected = {user for user, chosen, _ in rows if chosen}
    assert len(users.messaged) == len(selected)
    assert int((~users.messaged).sum()) == sum(user % 3 == 0 for user in selected)
    binary = all(outcome in {0, 1} for _, _, outcome in rows)
    totals = {user: sum(value for other, _, value in rows if other == user) for user in selected}
    expected = sum(min(total, 1) if binary else total for total in totals.values())
    assert users.outcomes.sum() == expected
