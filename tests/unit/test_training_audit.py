from __future__ import annotations

import numpy as np
import pytest

from model.features import Feature, FeatureSpec
from model.training.audit import audit_people, describe_leaks, find_leaks
from tests.training_people import make_scored

SPEC = FeatureSpec(tuple(Feature(name=name, path=f"Metrics.{name}", kind="number") for name in ("honest", "leak", "same")))
RANDOM = np.random.default_rng(0)
OUTCOMES = RANDOM.integers(0, 2, 800)


@pytest.mark.parametrize(
    "leak",
    [
        OUTCOMES + RANDOM.normal(0, 0.2, 800),
        np.abs(RANDOM.normal(0, 1, 800))
        * np.where(OUTCOMES == 1, 0.02, np.sign(RANDOM.normal(size=800))),  # neither high nor low, but near 0
        np.where(OUTCOMES == 1, 3.0, np.nan),  # only there for those who responded
    ],
)
def test_names_a_feature_that_tells_the_outcome_by_itself(leak: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    honest = OUTCOMES + RANDOM.normal(0, 1.5, 800)
    matrix = np.column_stack([honest, leak, np.ones(800)]).astype(np.float32)
    audit = audit_people(make_scored(matrix, OUTCOMES, SPEC), 0)
    assert audit.leaks == ("leak",)
    assert audit.alone["honest"] < 0.75
    assert audit.remarks == ("same: the same for everybody",)
    assert describe_leaks(audit, SPEC) == [
        f"leak: alone it ranks people with a ROC AUC of {audit.alone['leak']:.3f}; is it known before the message is sent?"
    ]


def test_suspects_a_feature_far_ahead_of_all_others_but_not_good_ones_among_their_like() -> None:
    assert find_leaks({"a": 0.9, "b": 0.6}) == ("a",)
    assert find_leaks({"a": 0.9, "b": 0.85}) == ()
    assert find_leaks({"a": 0.77, "b": 0.5}) == ()
    assert find_leaks({"a": 0.9}) == ()
    assert find_leaks({"a": 0.96, "b": 0.97}) == ("a", "b")


def test_sees_a_leak_among_many_of_whom_few_responded() -> None:
    outcomes = np.zeros(60_000, dtype=np.int64)
    outcomes[::2_000] = 1
    honest = RANDOM.normal(size=60_000)
    matrix = np.column_stack([honest, outcomes + RANDOM.normal(0, 0.1, 60_000), np.ones(60_000)]).astype(np.float32)
    audit = audit_people(make_scored(matrix, outcomes, SPEC), 0)
    assert audit.leaks == ("leak",)
    assert audit.remarks[-1].startswith("0.05% of people responded")


def test_says_when_responders_are_rare() -> None:
    outcomes = (np.arange(2_000) % 50 == 0).astype(np.int64)
    matrix = RANDOM.random((2_000, 3)).astype(np.float32)
    audit = audit_people(make_scored(matrix, outcomes, SPEC), 0)
    assert audit.remarks == ("2.00% of people responded: figures about so few move much, see their intervals",)
