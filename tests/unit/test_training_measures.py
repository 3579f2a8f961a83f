from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from model.training.measures import (
    FIGURES,
    Ranking,
    bootstrap_difference,
    describe_guess,
    measure,
    measure_threshold,
)


@given(
    st.lists(
        st.tuples(st.integers(0, 10), st.integers(0, 1), st.integers(0, 3)), min_size=2, max_size=60
    ).filter(
        lambda people: (
            sum(one * weight for _, one, weight in people)
            and sum((1 - one) * weight for _, one, weight in people)
        )
    )
)
def test_measures_as_scikit_learn_does_with_ties_and_weights(
    people: list[tuple[int, int, int]],
) -> None:
    scores = np.array([score / 10 for score, _, _ in people])
    outcomes = np.array([one for _, one, _ in people])
    weights = np.array([float(weight) for _, _, weight in people])
    measured = Ranking(scores, outcomes).measure(weights)
    clipped = np.clip(scores, 1e-15, 1 - 1e-15)
    assert measured == pytest.approx(
        (
            roc_auc_score(outcomes, scores, sample_weight=weights),
            average_precision_score(outcomes, scores, sample_weight=weights),
            brier_score_loss(outcomes, scores, sample_weight=weights),
            log_loss(outcomes, clipped, sample_weight=weights, labels=[0, 1]),
        ),
        rel=1e-9,
        abs=1e-12,
    )


def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    # Scores of responders are normal with mean 1, the others' with mean 0: the true area is 0.7602.
    covered = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        outcomes = random.integers(0, 2, 300)
        scores = 1 / (1 + np.exp(-random.normal(outcomes)))
        low, high = measure(scores, outcomes, np.arange(300), 0.5, seed)["intervals"]["roc_auc"]
        covered += low <= 0.7602 <= high
    assert 33 <= covered <= 40


def test_gives_each_figure_and_what_the_threshold_keeps() -> None:
    metrics = measure(
        np.array([0.1, 0.2, 0.25, 0.9]), np.array([0, 0, 0, 1]), np.arange(4), 0.25, 0
    )
    assert set(FIGURES) < set(metrics)
    assert metrics["at_threshold"] == {"reach": 0.5, "precision": 0.5, "recall": 1.0}
    assert (metrics["n"], metrics["base_rate"], metrics["roc_auc"]) == (4, 0.25, 1.0)
    assert metrics["brier"] == pytest.approx((0.01 + 0.04 + 0.0625 + 0.01) / 4, abs=1e-6)
    assert measure_threshold(np.array([0.1, 0.2]), np.array([0, 1]), 0.5) == {
        "reach": 0.0,
        "precision": None,
        "recall": 0.0,
    }


def test_the_same_scores_differ_by_nothing_and_better_ones_by_more() -> None:
    random = np.random.default_rng(0)
    outcomes = random.integers(0, 2, 1_000)
    good, poor = outcomes + random.normal(size=1_000), outcomes + 3 * random.normal(size=1_000)
    assert bootstrap_difference(good, good, outcomes, np.arange(1_000), 0) == (0.0, 0.0)
    assert bootstrap_difference(good, poor, outcomes, np.arange(1_000), 0)[0] > 0.05


def test_says_if_scores_may_be_no_better_than_chance() -> None:
    (sentence,) = describe_guess({"intervals": {"roc_auc": [0.499, 0.56]}})
    assert "interval of ROC AUC includes 0.5" in sentence
    assert describe_guess({"intervals": {"roc_auc": [0.501, 0.56]}}) == []
