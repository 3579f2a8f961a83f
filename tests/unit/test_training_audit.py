from __future__ import annotations

import numpy as np
import pytest

from model.features import FeatureSpec
from model.kinds import Feature
from model.training.audit import (
    audit_people,
    describe_balance,
    describe_late_dates,
    describe_leaks,
    describe_lines,
    find_leaks,
)
from model.training.people import Join
from tests.training_people import make_scored

SPEC = FeatureSpec(
    tuple(
        Feature(name=name, path=f"Metrics.{name}", kind="number")
        for name in ("honest", "leak", "same")
    )
)
RANDOM = np.random.default_rng(0)
OUTCOMES = RANDOM.integers(0, 2, 800)


@pytest.mark.parametrize(
    "leak",
    [
        OUTCOMES + RANDOM.normal(0, 0.2, 800),
        # Near 0 for responders, far from 0 in both directions for others.
        np.abs(RANDOM.normal(0, 1, 800))
        * np.where(OUTCOMES == 1, 0.02, np.sign(RANDOM.normal(size=800))),
        # Present for responders alone.
        np.where(OUTCOMES == 1, 3.0, np.nan),
    ],
)
def test_names_a_feature_that_reveals_the_outcome(
    leak: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    honest = OUTCOMES + RANDOM.normal(0, 1.5, 800)
    matrix = np.column_stack([honest, leak, np.ones(800)]).astype(np.float32)
    audit = audit_people(make_scored(matrix, OUTCOMES, SPEC), 0)
    assert audit.leaks == ("leak",)
    assert audit.alone["honest"] < 0.75
    assert audit.notices == ("same: the same value for everyone",)
    (sentence,) = describe_leaks(audit, SPEC)
    assert sentence.startswith("leak: ")
    assert f"ROC AUC of {audit.alone['leak']:.3f}" in sentence


AGES = FeatureSpec(
    (
        Feature(name="opened_age", path="Attributes.Opened", kind="age"),
        Feature(name="n", path="Metrics.n", kind="number"),
    )
)


@pytest.mark.parametrize(("late", "said"), [(19, False), (20, True)])
def test_names_a_date_that_is_after_the_reference_time(late: int, said: bool) -> None:
    days = np.where(np.arange(800) < late, -1.5, -0.5).astype(np.float32)
    matrix = np.column_stack([days, np.full(800, -9.0)]).astype(np.float32)
    notices = describe_late_dates(AGES, matrix)
    assert len(notices) == said
    assert all(
        notice.startswith("opened_age: ") and "reference time for 20 people" in notice
        for notice in notices
    )
    assert set(notices) <= set(audit_people(make_scored(matrix, OUTCOMES, AGES), 0).notices)


def make_join(**counts: int) -> Join:
    usual = {
        "endpoints": 100,
        "matched": 100,
        "without_outcome": 0,
        "without_endpoint": 0,
        "repeated": 0,
        "refused": 0,
    }
    return Join(**{**usual, **counts}, refusals=())  # type: ignore[arg-type]  # all of them counts


def test_says_when_many_lines_or_ids_are_lost_to_how_they_are_written() -> None:
    assert describe_lines(make_join(refused=5, nearly=5)) == []
    (lines,) = describe_lines(make_join(refused=6))
    assert lines.startswith("6 of 106 lines are unreadable")
    (ids,) = describe_lines(make_join(nearly=6))
    assert ids.startswith("6 more endpoints would match an outcome if case and")


def test_suspects_a_feature_far_ahead_of_all_others_but_not_one_of_several_good_ones() -> None:
    assert find_leaks({"a": 0.9, "b": 0.6}) == ("a",)
    assert find_leaks({"a": 0.9, "b": 0.85}) == ()
    assert find_leaks({"a": 0.77, "b": 0.5}) == ()
    assert find_leaks({"a": 0.9}) == ()
    assert find_leaks({"a": 0.96, "b": 0.97}) == ("a", "b")


def test_finds_a_leak_among_many_people_of_whom_few_responded() -> None:
    outcomes = np.zeros(60_000, dtype=np.int64)
    outcomes[::2_000] = 1
    honest = RANDOM.normal(size=60_000)
    matrix = np.column_stack(
        [honest, outcomes + RANDOM.normal(0, 0.1, 60_000), np.ones(60_000)]
    ).astype(np.float32)
    audit = audit_people(make_scored(matrix, outcomes, SPEC), 0)
    assert audit.leaks == ("leak",)
    assert audit.notices[-1].startswith("only 0.05% of people responded")


def test_says_when_responders_are_rare() -> None:
    outcomes = (np.arange(2_000) % 50 == 0).astype(np.int64)
    matrix = RANDOM.random((2_000, 3)).astype(np.float32)
    audit = audit_people(make_scored(matrix, outcomes, SPEC), 0)
    (notice,) = audit.notices
    assert notice.startswith("only 2.00% of people responded")
    assert describe_balance(1 - outcomes)[0].startswith("only 2.00% of people did not respond")
