from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.training.people import Subgroups
from model.training.score_tables import (
    tabulate_calibration,
    tabulate_deciles,
    tabulate_decision,
    tabulate_scores,
    tabulate_subgroups,
    tabulate_top,
)


def test_deciles_begin_with_the_highest_scores_and_end_with_all_people() -> None:
    outcomes = np.array([0] * 90 + [1] * 10)
    rows = tabulate_deciles(np.arange(100) / 100, outcomes)
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


def test_calibration_compares_predicted_and_observed_from_the_lowest_score() -> None:
    rows = tabulate_calibration(
        np.repeat([0.2, 0.8], 50), np.array([0] * 40 + [1] * 10 + [0] * 10 + [1] * 40)
    )
    assert [row["promised"] for row in rows] == [0.2] * 5 + [0.8] * 5
    assert sum(row["came"] * row["people"] for row in rows) == pytest.approx(50)


def test_counts_each_person_once_in_the_histogram() -> None:
    counts = tabulate_scores(np.array([0.0, 0.5, 0.5, 1.0]), np.array([0, 1, 0, 1]))
    assert len(counts["edges"]) == 26
    assert (sum(counts["responded"]), sum(counts["others"])) == (2, 2)


def test_gives_figures_by_channel_for_channels_with_enough_people() -> None:
    random = np.random.default_rng(0)
    outcomes = random.integers(0, 2, 700)
    subgroups = {
        "channel": Subgroups(("SMS", "EMAIL", ""), np.array([0] * 200 + [1] * 400 + [2] * 100))
    }
    tables = tabulate_subgroups(random.random(700), outcomes, subgroups, np.arange(700))
    assert [(row["value"], row["people"]) for row in tables["channel"]] == [
        ("EMAIL", 400),
        ("SMS", 200),
    ]


def test_groups_that_are_compared_have_intervals() -> None:
    random = np.random.default_rng(0)
    outcomes = random.integers(0, 2, 900)
    scores = np.clip(0.5 + 0.3 * (outcomes - 0.5) + random.normal(0, 0.2, 900), 0, 1)
    two = {"channel": Subgroups(("SMS", "EMAIL"), np.repeat([0, 1], [300, 600]))}
    one = {"channel": Subgroups(("SMS",), np.zeros(900, dtype=np.int64))}
    rows, groups = np.arange(900), np.arange(900)
    for row in tabulate_subgroups(scores, outcomes, two, rows, groups=groups)["channel"]:
        for name in ("roc_auc", "rate"):
            low, high = row["intervals"][name]
            assert low < row[name] < high
    (alone,) = tabulate_subgroups(scores, outcomes, one, rows, groups=groups)["channel"]
    assert "intervals" not in alone, "the figures of all people have their own"


def test_counts_the_best_few_percent_and_what_a_threshold_keeps() -> None:
    scores, outcomes = np.linspace(0, 1, 1_000), np.repeat([0, 1], [900, 100])
    top = tabulate_top(scores, outcomes)
    assert [(row["share"], row["people"], row["responders"]) for row in top] == [
        (0.01, 10, 10),
        (0.02, 20, 20),
        (0.05, 50, 50),
    ]
    assert top[-1]["lift"] == 10.0
    assert top[-1]["gain"] == 0.5
    assert tabulate_top(np.array([0.1, 0.2]), np.array([0, 1])) == []
    assert tabulate_decision(scores, outcomes, 0.95) == {
        "kept": {"people": 50, "responders": 50},
        "filtered": {"people": 950, "responders": 50},
    }


def test_people_with_the_same_score_have_no_order() -> None:
    # A file sorted by outcome, responders first or last: its order is not the model's.
    scores, outcomes = np.full(1_000, 0.3), np.repeat([1, 0], [300, 700])
    for ordered in (outcomes, outcomes[::-1]):
        rows = tabulate_deciles(scores, ordered)
        assert [row["rate"] for row in rows] == [0.3] * 10
        assert [row["responders"] for row in rows] == [30] * 10
        assert [row["gain"] for row in rows] == pytest.approx(np.arange(1, 11) / 10)
        assert [row["came"] for row in tabulate_calibration(scores, ordered)] == [0.3] * 10


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
        tables.append((tabulate_deciles(scores, outcomes), tabulate_calibration(scores, outcomes)))
        assert sum(row["responders"] for row in tables[-1][0]) == outcomes.sum()
    assert tables[0] == tables[1] == tables[2]
