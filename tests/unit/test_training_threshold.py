from __future__ import annotations

import numpy as np
import pytest

from model.errors import DataError
from model.training.measures import measure_threshold
from model.training.threshold import (
    RULES,
    Rule,
    ThresholdGoal,
    choose_threshold,
    compute_profit,
    describe_rounding,
    tabulate_thresholds,
)

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.random(5_000)
OUTCOMES = (RANDOM.random(5_000) < SCORES).astype(np.int64)


def test_recommends_the_base_rate_without_a_goal() -> None:
    assert (
        choose_threshold(ThresholdGoal(), np.array([0.1, 0.9, 0.2, 0.3]), np.array([0, 0, 0, 1]))
        == 0.25
    )


def test_no_threshold_earns_clearly_more_than_the_one_for_profit() -> None:
    goal = ThresholdGoal(value=20, cost=6)
    threshold = choose_threshold(goal, SCORES, OUTCOMES)
    assert threshold == 0.3

    def earn(cut: float) -> float:
        kept = cut <= SCORES
        return float(20 * OUTCOMES[kept].sum() - 6 * kept.sum())

    assert earn(threshold) > 0.99 * max(earn(cut) for cut in np.linspace(0, 1, 101))


def test_a_message_that_costs_more_than_a_response_is_worth_is_never_sent() -> None:
    assert choose_threshold(ThresholdGoal(value=1, cost=2), SCORES, OUTCOMES) == 1.0


@pytest.mark.parametrize("reach", [0.0, 0.05, 0.3, 1.0])
def test_keeps_the_requested_share_of_people(reach: float) -> None:
    threshold = choose_threshold(ThresholdGoal(reach=reach), SCORES, OUTCOMES)
    assert measure_threshold(SCORES, OUTCOMES, threshold)["reach"] == pytest.approx(
        reach, abs=0.001
    )


def test_keeps_as_many_people_as_respond_at_the_requested_rate() -> None:
    threshold = choose_threshold(ThresholdGoal(precision=0.8), SCORES, OUTCOMES)
    assert measure_threshold(SCORES, OUTCOMES, threshold)["precision"] == pytest.approx(
        0.8, abs=0.002
    )
    # The people above 0.6 respond at 0.8 on average.
    assert threshold == pytest.approx(0.6, abs=0.05)


def test_refuses_a_precision_that_few_people_reach_and_says_what_is_possible() -> None:
    noise = np.random.default_rng(1).permutation(OUTCOMES)
    with pytest.raises(
        DataError,
        match=r"at least 50 people, which is at most 0\.[56]",
    ):
        choose_threshold(ThresholdGoal(precision=1.0), SCORES, noise)
    with pytest.raises(DataError, match=r"at most 0\.0000$"):
        choose_threshold(ThresholdGoal(precision=0.1), SCORES[:20], OUTCOMES[:20])


def test_the_curve_ends_with_all_people_and_has_profit_only_if_money_is_known() -> None:
    rows = tabulate_thresholds(ThresholdGoal(), SCORES, OUTCOMES)
    assert [row["reach"] for row in rows] == [round(step / 20, 2) for step in range(1, 21)]
    assert (rows[-1]["recall"], rows[-1]["precision"]) == (1.0, round(float(OUTCOMES.mean()), 6))
    assert "profit" not in rows[0]
    assert tabulate_thresholds(ThresholdGoal(value=2, cost=1), SCORES, OUTCOMES)[-1][
        "profit"
    ] == round(1_000 * (2 * float(OUTCOMES.mean()) - 1), 4)


def test_the_curve_never_separates_people_with_the_same_score() -> None:
    scores, outcomes = np.repeat([0.6, 0.3, 0.1], [100, 800, 100]), np.tile([1, 0], 500)
    for ordered in (outcomes, np.sort(outcomes), -np.sort(-outcomes)):
        rows = tabulate_thresholds(ThresholdGoal(value=2, cost=1), scores, ordered)
        assert [row["reach"] for row in rows] == [0.1, 0.9, 1.0]
        for row in rows:
            kept = scores >= row["threshold"]
            assert row["reach"] == kept.mean()
            assert row["precision"] == pytest.approx(ordered[kept].mean(), abs=1e-6)
            assert row["profit"] == pytest.approx(2 * ordered[kept].sum() - kept.sum())


def test_a_rare_response_has_a_threshold_with_significant_digits() -> None:
    scores = np.linspace(1e-6, 2e-5, 1_000)
    outcomes = (np.arange(1_000) == 999).astype(np.int64)
    threshold = choose_threshold(ThresholdGoal(reach=0.3), scores, outcomes)
    assert measure_threshold(scores, outcomes, threshold)["reach"] == pytest.approx(0.3, abs=0.001)
    assert choose_threshold(ThresholdGoal(value=300_000, cost=1), scores, outcomes) == 3.333e-6


def test_computes_the_profit_per_thousand_people() -> None:
    scores, outcomes = np.array([0.9, 0.6, 0.4, 0.1]), np.array([1, 1, 0, 0])
    assert compute_profit(ThresholdGoal(value=10, cost=2), scores, outcomes, 0.5) == {
        "value": 10,
        "cost": 2,
        "kept": 4_000.0,  # two messages, two responses of four people
        "everybody": 3_000.0,
        "break_even": 0.2,
        "at_break_even": 3_500.0,
    }
    assert compute_profit(ThresholdGoal(reach=0.3), scores, outcomes, 0.5) == {}


def test_warns_if_a_policy_rounds_scores_too_coarsely_for_the_threshold() -> None:
    scores = np.random.default_rng(0).gamma(2, 2e-4, 10_000)
    threshold = choose_threshold(ThresholdGoal(reach=0.3), scores, np.zeros(10_000, dtype=np.int64))
    (sentence,) = describe_rounding(scores, threshold)
    meant, kept = (scores >= threshold).mean(), (scores.round(4) >= threshold).mean()
    assert abs(kept - meant) > 0.01
    assert f"keep {kept:.1%} of people instead of {meant:.1%}" in sentence
    assert "decimals = 6" in sentence
    assert abs((scores.round(6) >= threshold).mean() - meant) < 0.005


def test_does_not_warn_if_rounding_moves_few_people() -> None:
    assert (
        describe_rounding(SCORES, choose_threshold(ThresholdGoal(reach=0.3), SCORES, OUTCOMES))
        == ()
    )
    few = np.arange(30) / 40 + 0.00004  # rounding loses the one person at the threshold, of four
    threshold = choose_threshold(ThresholdGoal(reach=0.1), few, OUTCOMES[:30])
    assert (few.round(4) >= threshold).sum() == (few >= threshold).sum() - 1
    assert describe_rounding(few, threshold) == ()
    many = np.arange(100_000) / 100_000  # five people of 30,000
    assert (many.round(4) >= 0.69999).sum() == (many >= 0.69999).sum() + 4
    assert describe_rounding(many, 0.69999) == ()


def test_every_rule_has_an_entry() -> None:
    assert set(RULES) == set(Rule)
