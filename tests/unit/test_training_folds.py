from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import DataError
from model.training.folds import SCHEMES, Scheme, make_folds, sample_rows

OUTCOMES: npt.NDArray[np.int64] = np.arange(600, dtype=np.int64) % 2


@settings(max_examples=30)
@given(st.integers(2, 5), st.integers(0, 9), st.booleans())
def test_no_user_is_on_both_sides_and_each_person_is_scored_at_most_once(
    endpoints: int, seed: int, dated: bool
) -> None:
    random = np.random.default_rng(seed)
    groups = np.sort(random.integers(0, 600 // endpoints, 600))
    groups = np.unique(groups, return_inverse=True)[1]
    folds = make_folds(OUTCOMES, groups, random.random(600) if dated else None, seed)
    for train, test in folds.pairs:
        assert not set(groups[train]) & set(groups[test])
    scored = np.concatenate([test for _, test in folds.pairs])
    assert len(set(scored.tolist())) == len(scored)
    assert dated or len(scored) == 600


def test_by_time_no_model_sees_later_people_and_no_date_is_divided() -> None:
    dates = np.random.default_rng(0).integers(0, 40, 600).astype(float)
    folds = make_folds(OUTCOMES, np.arange(600), dates, 0)
    assert folds.scheme is Scheme.BY_TIME
    assert len(folds.pairs) == 5
    for train, test in folds.pairs:
        assert dates[train].max() < dates[test].min()


def test_ignores_dates_that_are_all_the_same() -> None:
    assert make_folds(OUTCOMES, np.arange(600), np.full(600, 7.0), 0).scheme is Scheme.SHUFFLED


def test_two_days_make_one_fold() -> None:
    folds = make_folds(OUTCOMES, np.arange(600), np.repeat([1.0, 2.0], 300), 0)
    assert [(len(train), len(test)) for train, test in folds.pairs] == [(300, 300)]


def test_refuses_dates_that_separate_the_outcomes() -> None:
    with pytest.raises(
        DataError, match="at least 5 people with each outcome before and after some date"
    ):
        make_folds(np.repeat([0, 1], 300), np.arange(600), np.repeat([1.0, 2.0], 300), 0)


def test_refuses_too_few_users_for_five_folds() -> None:
    with pytest.raises(
        DataError,
        match=r"enough users for 5 folds.*, found 1 users with outcome 1 and 5 with outcome 0",
    ):
        make_folds(np.repeat([0, 0, 0, 0, 0, 1], 100), np.repeat(np.arange(6), 100), None, 0)


def test_a_sample_holds_the_few_who_responded_among_many() -> None:
    outcomes = np.zeros(100_000, dtype=np.int64)
    outcomes[::3_000] = 1
    drawn, pairs = sample_rows(outcomes, np.arange(100_000), np.arange(100_000), 1_000, 0)
    assert len(np.unique(drawn)) == len(drawn) == 1_000
    assert outcomes[drawn].sum() == outcomes.sum() == 34
    assert all(0 < outcomes[drawn][rows].sum() < len(rows) for pair in pairs for rows in pair)


def test_a_sample_for_comparisons_may_have_thinner_folds_than_an_evaluation() -> None:
    outcomes = np.repeat([1, 0], [30, 270])
    groups = np.arange(300) // 2
    _, pairs = sample_rows(outcomes, groups, np.arange(240), 1_000, 0)
    assert all(not np.isin(groups[train], groups[test]).any() for train, test in pairs)


def test_every_scheme_has_an_entry() -> None:
    assert set(SCHEMES) == set(Scheme)
