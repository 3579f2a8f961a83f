"""The recommended threshold of an uplift model: cost / value, a reach, or 0."""

from __future__ import annotations

import numpy as np
import pytest

from model.errors import DataError
from model.training.threshold import ThresholdGoal
from model.training.uplift.threshold import choose_effect_threshold

EFFECTS = np.linspace(-0.1, 0.3, 41)


def test_without_money_it_is_0_though_scores_are_below() -> None:
    assert choose_effect_threshold(ThresholdGoal(), EFFECTS) == (0.0, "positive_effect")


def test_with_money_it_is_cost_divided_by_value() -> None:
    threshold, rule = choose_effect_threshold(ThresholdGoal(value=20.0, cost=0.5), EFFECTS)
    assert threshold == pytest.approx(0.025)
    assert rule == "profit"


def test_a_message_that_costs_more_than_a_response_is_worth_goes_to_nobody() -> None:
    threshold, _ = choose_effect_threshold(ThresholdGoal(value=1.0, cost=2.0), EFFECTS)
    assert threshold == 1.0


def test_a_reach_may_have_a_threshold_below_0() -> None:
    threshold, rule = choose_effect_threshold(ThresholdGoal(reach=0.9), EFFECTS)
    assert rule == "reach"
    assert threshold < 0
    assert np.mean(threshold <= EFFECTS) == pytest.approx(0.9, abs=0.03)


def test_a_precision_is_refused() -> None:
    with pytest.raises(DataError, match="--precision: expected another goal"):
        choose_effect_threshold(ThresholdGoal(precision=0.5), EFFECTS)
