"""segment_scorer/lift/breakdown.py: by band, decile and treatment, each with its warning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segment_scorer.lift.breakdown import MOST_ROWS, break_down
from segment_scorer.lift.decisions import Grouping
from segment_scorer.lift.estimate import estimate_effect
from segment_scorer.lift.users import SEVERAL, SelectedUsers

COUNT = 8000


def make_users(**more: Any) -> SelectedUsers:
    """People of whom a quarter is held out; the message works only for high scores."""
    generator = np.random.default_rng(5)
    messaged = generator.random(COUNT) > 0.25
    scores = generator.random(COUNT)
    chance = 0.1 + 0.3 * messaged * (scores > 0.5)
    none = Grouping(names=(), codes=np.full(COUNT, -1, dtype=np.int32))
    fields = {
        "messaged": messaged,
        "outcomes": (generator.random(COUNT) < chance) * 1.0,
        "scores": scores,
        "bands": Grouping(names=("low", "high"), codes=(scores > 0.5).astype(np.int32)),
        "treatments": none,
        "messages": np.ones(COUNT, dtype=np.int64),
    }
    return SelectedUsers(**(fields | more))


def code(values: list[int]) -> Grouping:
    codes = np.resize(np.array(values, dtype=np.int32), COUNT)
    return Grouping(names=tuple("abcdefghijklmnopqrstuvwxyz"), codes=codes)


def test_each_band_is_compared_within_itself_highest_scores_first() -> None:
    users = make_users()
    found = break_down(users, binary=True)["band"]
    assert [row.name for row in found.rows] == ["high", "low"]
    high = users.choose(users.bands.codes == 1)
    expected = estimate_effect(
        high.outcomes[high.messaged], high.outcomes[~high.messaged], binary=True, confidence=0.975
    )
    assert found.rows[0].difference == expected.difference
    assert found.rows[0].messaged + found.rows[1].messaged == int(users.messaged.sum())


def test_intervals_allow_for_the_number_of_comparisons_and_say_so() -> None:
    found = break_down(make_users(), binary=True)["decile"]
    assert [row.name for row in found.rows][::9] == ["1 (highest scores)", "10 (lowest scores)"]
    assert found.confidence == pytest.approx(1 - 0.05 / 10)
    assert "10 comparisons" in found.warning
    assert "99.5 %" in found.warning


def test_says_whether_the_rows_differ_by_more_than_chance_gives() -> None:
    found = break_down(make_users(), binary=True)["band"]
    assert found.differs is True
    assert "differ by more than chance" in found.warning
    same = code([0, 1])
    found = break_down(make_users(bands=same), binary=True)["band"]
    assert found.differs is False
    assert "do not choose people by them" in found.warning


def test_every_treatment_is_compared_with_the_whole_control_group() -> None:
    users = make_users(treatments=code([0, 1, SEVERAL, -1]))
    found = break_down(users, binary=True)["treatment"]
    assert [row.name for row in found.rows] == ["a", "b"]
    assert {row.control for row in found.rows} == {int((~users.messaged).sum())}
    assert found.differs is None


def test_a_group_that_is_too_small_has_no_figures() -> None:
    users = make_users(bands=code([0] * 99 + [1]))
    small = break_down(users, binary=True)["band"].rows
    row = next(row for row in small if row.name == "b")
    assert row.control < 25
    assert (row.messaged_rate, row.control_rate, row.difference) == (None, None, None)
    assert break_down(users, binary=True)["band"].confidence == pytest.approx(0.95)


def test_only_so_many_groups_are_shown() -> None:
    users = make_users(bands=code(list(range(26))))
    assert len(break_down(users, binary=True)["band"].rows) == MOST_ROWS


def test_what_the_decisions_do_not_hold_is_left_out() -> None:
    nothing = make_users(bands=code([-1]), scores=np.full(COUNT, np.nan))
    assert break_down(nothing, binary=True) == {}


def test_people_without_a_band_have_a_row() -> None:
    users = make_users(bands=code([0, 1, -1]), scores=np.full(COUNT, np.nan))
    rows = break_down(users, binary=True)["band"].rows
    assert [row.name for row in rows] == ["a", "b", "none"]


def test_equal_scores_are_in_one_decile() -> None:
    users = make_users(scores=np.resize([0.2, 0.8], COUNT))
    rows = break_down(users, binary=True)["decile"].rows
    assert len(rows) == 2
    assert sum(row.messaged + row.control for row in rows) == COUNT
