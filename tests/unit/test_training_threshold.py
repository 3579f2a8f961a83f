from __future__ import annotations

import numpy as np
import pytest

from model.errors import DataError
from model.training.measures import describe_threshold
from model.training.threshold import Purpose, choose_threshold, draw_curve

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.random(5_000)
OUTCOMES = (RANDOM.random(5_000) < SCORES).astype(np.int64)


def test_recommends_the_base_rate_where_nothing_is_asked_for() -> None:
    assert choose_threshold(Purpose(), np.array([0.1, 0.9, 0.2, 0.3]), np.array([0, 0, 0, 1])) == 0.25


def test_no_threshold_earns_clearly_more_than_the_one_for_profit() -> None:
    purpose = Purpose(value=20, cost=6)
    threshold = choose_threshold(purpose, SCORES, OUTCOMES)
    assert threshold == 0.3

    def earn(cut: float) -> float:
        kept = cut <= SCORES
        return float(20 * OUTCOMES[kept].sum() - 6 * kept.sum())

    assert earn(threshold) > 0.99 * max(earn(cut) for cut in np.linspace(0, 1, 101))


def test_a_message_that_costs_more_than_a_response_is_worth_is_never_sent() -> None:
    assert choose_threshold(Purpose(value=1, cost=2), SCORES, OUTCOMES) == 1.0


@pytest.mark.parametrize("reach", [0.0, 0.05, 0.3, 1.0])
def test_keeps_the_share_of_people_that_was_asked_for(reach: float) -> None:
    threshold = choose_threshold(Purpose(reach=reach), SCORES, OUTCOMES)
    assert describe_threshold(SCORES, OUTCOMES, threshold)["reach"] == pytest.approx(reach, abs=0.001)


def test_keeps_as_many_as_still_respond_at_the_rate_that_was_asked_for() -> None:
    threshold = choose_threshold(Purpose(precision=0.8), SCORES, OUTCOMES)
    assert describe_threshold(SCORES, OUTCOMES, threshold)["precision"] == pytest.approx(0.8, abs=0.002)
    assert threshold == pytest.approx(0.6, abs=0.05)  # everybody above it responds at 0.8 on average


def test_refuses_a_precision_that_hardly_anybody_reaches_and_says_what_is_possible() -> None:
    noise = np.random.default_rng(1).permutation(OUTCOMES)
    with pytest.raises(DataError, match=r"^expected a precision that this model reaches for 50 people or more: at most 0\.[56]"):
        choose_threshold(Purpose(precision=1.0), SCORES, noise)
    with pytest.raises(DataError, match=r"at most 0\.0000$"):
        choose_threshold(Purpose(precision=0.1), SCORES[:20], OUTCOMES[:20])


def test_the_curve_ends_with_everybody_and_has_profit_only_where_money_is_known() -> None:
    rows = draw_curve(Purpose(), SCORES, OUTCOMES)
    assert [row["reach"] for row in rows] == [round(step / 20, 2) for step in range(1, 21)]
    assert (rows[-1]["recall"], rows[-1]["precision"]) == (1.0, round(float(OUTCOMES.mean()), 6))
    assert "profit" not in rows[0]
    assert draw_curve(Purpose(value=2, cost=1), SCORES, OUTCOMES)[-1]["profit"] == round(1_000 * (2 * float(OUTCOMES.mean()) - 1), 4)
