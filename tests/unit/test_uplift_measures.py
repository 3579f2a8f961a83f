"""The figures that uplift is judged by, on people whose figures can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from model.training.uplift.campaign import UpliftPeople
from model.training.uplift.judge import judge_effects
from model.training.uplift.measures import Uplift
from model.training.uplift.phrases import describe_doubt, describe_put_off


def make_campaign(outcomes: list[int], treated: list[int]) -> UpliftPeople:
    count = len(outcomes)
    return UpliftPeople(
        matrix=np.zeros((count, 1), dtype=np.float32),
        outcomes=np.array(outcomes),
        treated=np.array(treated),
        groups=np.arange(count),
        share=float(np.mean(treated)),
    )


PERFECT = make_campaign([1, 1, 0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0])


def draw(seed: int, people: int, effect: float) -> tuple[np.ndarray, UpliftPeople]:
    """Scores from -1 to 1, and people whom the message moves by `effect` times their score."""
    random = np.random.default_rng(seed)
    scores = random.uniform(-1, 1, people)
    treated = random.integers(0, 2, people)
    outcomes = random.random(people) < 0.4 + effect * scores * treated
    return scores, make_campaign(outcomes.astype(int).tolist(), treated.tolist())


def test_perfect_scores_have_a_qini_coefficient_of_1_and_reversed_ones_of_less_than_0() -> None:
    perfect = np.array([4, 4, 3, 3, 3, 3, 1, 1], dtype=float)
    assert Uplift(perfect, PERFECT).measure()[0][0] == pytest.approx(1)
    assert Uplift(-perfect, PERFECT).measure()[0][0] < -0.2


def test_equal_scores_have_a_qini_coefficient_of_0() -> None:
    assert Uplift(np.zeros(8), PERFECT).measure()[0][0] == pytest.approx(0)


def test_the_curve_counts_extra_responses_per_person_messaged() -> None:
    outcomes, treated = [1, 0, 1, 1, 0, 0], [1, 0, 1, 0, 1, 0]
    curve = Uplift(np.array([6.0, 5, 4, 3, 2, 1]), make_campaign(outcomes, treated)).trace()
    # Of the best four, two were messaged and both responded; of the other two, one did.
    assert curve.shares[4] == pytest.approx(4 / 6)
    assert curve.gains[4] == pytest.approx((2 - 1 * 2 / 2) / 3)
    assert curve.gains[-1] == pytest.approx(2 / 3 - 1 / 3)


def test_a_person_who_counts_twice_is_as_good_as_two_people() -> None:
    random = np.random.default_rng(1)
    scores, campaign = draw(1, 60, 0.3)
    weights = random.integers(1, 4, 60).astype(float)
    twice = np.repeat(np.arange(60), weights.astype(int))
    alone = Uplift(scores, campaign).measure(weights)[0][0]
    assert alone == pytest.approx(Uplift(scores[twice], campaign.choose(twice)).measure()[0][0])


def test_the_effect_among_the_best_is_the_difference_of_their_rates() -> None:
    scores, campaign = draw(2, 1000, 0.3)
    best = np.argsort(-scores)[:100]
    treated, outcomes = campaign.treated[best] == 1, campaign.outcomes[best]
    expected = outcomes[treated].mean() - outcomes[~treated].mean()
    assert Uplift(scores, campaign).measure()[0][1] == pytest.approx(expected)


def test_people_whom_the_message_puts_off_are_found() -> None:
    scores, campaign = draw(3, 3000, 0.35)
    metrics, evaluation = judge_effects(0.35 * scores, campaign, 0.0, 0)
    assert metrics["intervals"]["qini"][0] > 0
    assert metrics["put_off"]["interval"][1] < 0
    assert "did put them off" in describe_put_off(metrics)
    assert metrics["calibration_slope"] == pytest.approx(1, abs=0.3)
    effects = [row["effect"] for row in evaluation["deciles"]]
    assert effects[0] > 0.1 > -0.1 > effects[-1]
    assert metrics["at_threshold"]["gain"] > metrics["effect"]
    assert describe_doubt(metrics) == []


def test_scores_without_meaning_are_called_no_better_than_a_lot() -> None:
    scores, _ = draw(4, 2000, 0.3)
    _, campaign = draw(5, 2000, 0.0)
    metrics, _ = judge_effects(scores, campaign, 0.0, 0)
    assert "no better than a lot does" in describe_doubt(metrics)[0]
    assert "cannot be told" in describe_put_off(metrics)


def test_the_same_score_for_everybody_has_no_calibration_and_is_in_doubt() -> None:
    _, campaign = draw(6, 500, 0.0)
    metrics, _ = judge_effects(np.full(500, 0.02), campaign, 0.0, 0)
    assert metrics["calibration_slope"] is None
    assert describe_doubt(metrics)
    assert describe_put_off(metrics) == "no one has a score below 0"


def test_a_campaign_earns_its_extra_responses_less_its_messages() -> None:
    scores, campaign = draw(7, 1000, 0.3)
    metrics, evaluation = judge_effects(scores, campaign, 0.0, 0, money=(10.0, 0.5))
    profit = evaluation["profit"]
    assert profit["everybody"] == pytest.approx(1000 * (10 * metrics["effect"] - 0.5), abs=0.01)
    reach, gain = metrics["at_threshold"]["reach"], metrics["at_threshold"]["gain"]
    assert profit["kept"] == pytest.approx(1000 * (10 * gain - 0.5 * reach), abs=0.01)
    low, high = profit["kept_interval"]
    assert low < profit["kept"] < high


def test_intervals_are_drawn_by_user() -> None:
    scores, campaign = draw(8, 400, 0.3)
    four = np.repeat(np.arange(400), 4)
    by_user = UpliftPeople(
        matrix=campaign.matrix[four],
        outcomes=campaign.outcomes[four],
        treated=campaign.treated[four],
        groups=four,
        share=campaign.share,
    )
    low, high = judge_effects(scores[four], by_user, 0.0, 0)[0]["intervals"]["effect"]
    one_low, one_high = judge_effects(scores, campaign, 0.0, 0)[0]["intervals"]["effect"]
    assert high - low == pytest.approx(one_high - one_low, rel=0.05)
