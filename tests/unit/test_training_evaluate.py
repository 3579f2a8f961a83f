from __future__ import annotations

import numpy as np
import pytest

from model.features import Feature, FeatureSpec
from model.training.evaluate import calibrate_out_of_fold, choose_threshold, evaluate_out_of_fold, measure

SPEC = FeatureSpec(tuple(Feature(name=name, path=f"Metrics.{name}", kind="number") for name in "ab"))


def stay_silent(stage: str, done: int, total: int) -> None:
    pass


def test_finds_nothing_in_outcomes_that_have_nothing_to_do_with_the_people() -> None:
    random = np.random.default_rng(1)
    evaluation = evaluate_out_of_fold(SPEC, random.random((3_000, 2), dtype=np.float32), random.integers(0, 2, 3_000), 0, stay_silent)
    assert abs(evaluation.metrics["roc_auc"] - 0.5) < 0.035  # three standard errors of the area at 3,000 people


def test_finds_what_is_there_and_reports_each_fold() -> None:
    random = np.random.default_rng(1)
    matrix = random.random((2_000, 2), dtype=np.float32)
    told = []
    outcomes = (random.random(2_000) < matrix[:, 0]).astype(np.int64)
    evaluation = evaluate_out_of_fold(SPEC, matrix, outcomes, 0, lambda *step: told.append(step))
    assert 0.78 < evaluation.metrics["roc_auc"] < 0.88  # the true score has 0.833
    assert not evaluation.calibrated
    assert told == [("evaluating out of fold", fold, 5) for fold in range(6)]


def test_a_sigmoid_out_of_fold_repairs_scores_that_are_too_sure() -> None:
    random = np.random.default_rng(2)
    margins = random.normal(size=4_000)
    outcomes = (random.random(4_000) < 1 / (1 + np.exp(-margins))).astype(np.int64)
    through = calibrate_out_of_fold(5 * margins, np.zeros((4_000, 1), dtype=np.float32), outcomes, 0)
    assert np.abs(through - 1 / (1 + np.exp(-margins))).max() < 0.06


def test_recommends_the_base_rate_and_says_what_it_does() -> None:
    outcomes = np.array([0, 0, 0, 1])
    threshold = choose_threshold(outcomes)
    assert threshold == 0.25
    metrics = measure(np.array([0.1, 0.2, 0.25, 0.9]), outcomes, threshold)
    assert metrics["at_threshold"] == {"reach": 0.5, "precision": 0.5, "recall": 1.0}
    assert (metrics["n"], metrics["base_rate"], metrics["roc_auc"]) == (4, 0.25, 1.0)
    assert metrics["brier"] == pytest.approx((0.01 + 0.04 + 0.0625 + 0.01) / 4, abs=1e-6)
