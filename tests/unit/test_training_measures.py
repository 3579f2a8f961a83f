from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from model.training.measures import (
    FIGURES,
    Ranking,
    compare_calibration,
    count_scores,
    cut_deciles,
    describe_guess,
    describe_threshold,
    draw_difference,
    measure,
    tell_apart,
)
from model.training.people import Labels


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


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    # Scores of responders are normal with mean 1, the others' with mean 0: the true area is 0.7602.
    covered = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        outcomes = random.integers(0, 2, 300)
        scores = 1 / (1 + np.exp(-random.normal(outcomes)))
        low, high = measure(scores, outcomes, np.arange(300), 0.5, seed)["intervals"]["roc_auc"]
        covered += low <= 0.7602 <= high
    assert 33 <= covered <= 40


def test_says_each_figure_and_what_the_threshold_does() -> None:
    metrics = measure(
        np.array([0.1, 0.2, 0.25, 0.9]), np.array([0, 0, 0, 1]), np.arange(4), 0.25, 0
    )
    assert set(FIGURES) < set(metrics)
    assert metrics["at_threshold"] == {"reach": 0.5, "precision": 0.5, "recall": 1.0}
    assert (metrics["n"], metrics["base_rate"], metrics["roc_auc"]) == (4, 0.25, 1.0)
    assert metrics["brier"] == pytest.approx((0.01 + 0.04 + 0.0625 + 0.01) / 4, abs=1e-6)
    assert describe_threshold(np.array([0.1, 0.2]), np.array([0, 1]), 0.5) == {
        "reach": 0.0,
        "precision": None,
        "recall": 0.0,
    }


def test_the_same_scores_differ_by_nothing_and_better_ones_by_more() -> None:
    random = np.random.default_rng(0)
    outcomes = random.integers(0, 2, 1_000)
    good, poor = outcomes + random.normal(size=1_000), outcomes + 3 * random.normal(size=1_000)
    assert draw_difference(good, good, outcomes, np.arange(1_000), 0) == (0.0, 0.0)
    assert draw_difference(good, poor, outcomes, np.arange(1_000), 0)[0] > 0.05


def test_deciles_begin_with_the_best_and_end_with_everybody() -> None:
    outcomes = np.array([0] * 90 + [1] * 10)
    rows = cut_deciles(np.arange(100) / 100, outcomes)
    assert rows[0] == {
        "decile": 1,
        "people": 10,
        "responders": 10,
        "rate": 1.0,
        "lift": 10.0,
        "gain": 1.0,
    }
    assert [row["responders"] for row in rows[1:]] == [0] * 9
    assert rows[-1]["gain"] == 1.0


def test_calibration_compares_promise_and_outcome_from_the_lowest_score() -> None:
    rows = compare_calibration(
        np.repeat([0.2, 0.8], 50), np.array([0] * 40 + [1] * 10 + [0] * 10 + [1] * 40)
    )
    assert [row["promised"] for row in rows] == [0.2] * 5 + [0.8] * 5
    assert sum(row["came"] * row["people"] for row in rows) == pytest.approx(50)


def test_counts_everybody_once_in_the_histogram() -> None:
    counts = count_scores(np.array([0.0, 0.5, 0.5, 1.0]), np.array([0, 1, 0, 1]))
    assert len(counts["edges"]) == 26
    assert (sum(counts["responded"]), sum(counts["others"])) == (2, 2)


def test_tells_channels_apart_where_there_are_enough_people() -> None:
    random = np.random.default_rng(0)
    outcomes = random.integers(0, 2, 700)
    labels = {"channel": Labels(("SMS", "EMAIL", ""), np.array([0] * 200 + [1] * 400 + [2] * 100))}
    told = tell_apart(random.random(700), outcomes, labels, np.arange(700))
    assert [(row["value"], row["people"]) for row in told["channel"]] == [
        ("EMAIL", 400),
        ("SMS", 200),
    ]


def test_no_order_is_found_among_people_with_the_same_score() -> None:
    # A file sorted by outcome, responders first or last: its order is not the model's.
    scores, outcomes = np.full(1_000, 0.3), np.repeat([1, 0], [300, 700])
    for told in (outcomes, outcomes[::-1]):
        rows = cut_deciles(scores, told)
        assert [row["rate"] for row in rows] == [0.3] * 10
        assert [row["responders"] for row in rows] == [30] * 10
        assert [row["gain"] for row in rows] == pytest.approx(np.arange(1, 11) / 10)
        assert [row["came"] for row in compare_calibration(scores, told)] == [0.3] * 10


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=20, max_size=80).filter(
        lambda people: sum(o for _, o in people) > 0
    )
)
def test_tables_are_the_same_whatever_the_order_of_the_file(people: list[tuple[int, int]]) -> None:
    tables = []
    for ordered in (people, sorted(people), sorted(people, reverse=True)):
        scores, outcomes = (
            np.array([score / 4 for score, _ in ordered]),
            np.array([one for _, one in ordered]),
        )
        tables.append((cut_deciles(scores, outcomes), compare_calibration(scores, outcomes)))
        assert sum(row["responders"] for row in tables[-1][0]) == outcomes.sum()
    assert tables[0] == tables[1] == tables[2]


def test_says_so_where_scores_may_be_a_guess() -> None:
    assert describe_guess({"intervals": {"roc_auc": [0.499, 0.56]}})[0].startswith(
        "the interval of ROC AUC reaches down to 0.5"
    )
    assert describe_guess({"intervals": {"roc_auc": [0.501, 0.56]}}) == []
