from __future__ import annotations

import numpy as np
import pytest

from model.errors import SpecError
from model.features import FeatureSpec
from model.kinds import Feature
from model.training.fit import MODELS, ModelSettings, choose_model, find_sigmoid, fit_model
from tests.training_people import make_scored

VISITS = FeatureSpec((Feature(name="visits", path="Metrics.Visits", kind="number"),))


@pytest.mark.parametrize("name", ["boosting", "forest"])
def test_holds_the_score_to_the_direction_that_the_spec_gives(name: str) -> None:
    random = np.random.default_rng(0)
    matrix = random.random((2_000, 1), dtype=np.float32)
    outcomes = (np.abs(matrix[:, 0] - 0.5) < 0.25).astype(np.int64)  # rises, then falls
    ladder = np.linspace(0, 1, 200, dtype=np.float32).reshape(-1, 1)
    for monotonic, rises_only in (("increasing", True), ("", False)):
        spec = FeatureSpec(
            (Feature(name="x", path="Metrics.X", kind="number", monotonic=monotonic),)
        )
        model, _ = fit_model(
            ModelSettings(model=name), make_scored(matrix, outcomes, spec), 0, calibrated=False
        )
        scores = model.predict_proba(ladder)[:, 1]
        assert bool((np.diff(scores) >= 0).all()) is rises_only


def test_a_logistic_regression_takes_no_direction() -> None:
    spec = FeatureSpec(
        (Feature(name="x", path="Metrics.X", kind="number", monotonic="increasing"),)
    )
    people = make_scored(np.zeros((100, 1), dtype=np.float32), np.arange(100) % 2, spec)
    with pytest.raises(
        SpecError, match="expected no monotonic in the feature spec for a logistic regression"
    ):
        fit_model(ModelSettings(model="logistic"), people, 0, calibrated=False)


@pytest.mark.parametrize(
    "settings", [ModelSettings(), ModelSettings(model="logistic", search=True)]
)
def test_chooses_where_few_people_have_a_feature_and_few_responded(settings: ModelSettings) -> None:
    random = np.random.default_rng(0)
    matrix = random.random((60_000, 2), dtype=np.float32)
    matrix[1:, 1] = np.nan
    outcomes = np.zeros(60_000, dtype=np.int64)
    outcomes[-25:] = 1
    spec = FeatureSpec((*VISITS.features, Feature(name="rare", path="Metrics.Rare", kind="number")))
    people = make_scored(matrix, outcomes, spec)
    assert choose_model(settings, people, np.arange(60_000), 0).model in MODELS


@pytest.mark.parametrize("name", ["boosting", "logistic"])
def test_a_search_finds_settings_and_the_same_ones_every_time(name: str) -> None:
    random = np.random.default_rng(0)
    matrix = random.random((300, 1), dtype=np.float32)
    people = make_scored(matrix, (random.random(300) < matrix[:, 0]).astype(np.int64), VISITS)
    settings = ModelSettings(model=name, search=True)
    found = [choose_model(settings, people, np.arange(300), 0) for _ in range(2)]
    assert found[0].model == name
    assert found[0].settings
    assert found[0] == found[1]
    assert choose_model(ModelSettings(model=name), people, np.arange(300), 0).settings == {}


def test_balanced_outcomes_raise_the_scores_where_responders_are_few() -> None:
    random = np.random.default_rng(0)
    matrix = random.random((1_000, 1), dtype=np.float32)
    people = make_scored(
        matrix, (random.random(1_000) < 0.2 * matrix[:, 0]).astype(np.int64), VISITS
    )
    means = [
        fit_model(ModelSettings(model="boosting", balanced=balanced), people, 0, calibrated=False)[
            0
        ]
        .predict_proba(matrix)[:, 1]
        .mean()
        for balanced in (False, True)
    ]
    assert means[0] < 0.2
    assert means[1] > 0.35


def test_auto_takes_a_blend_for_few_people_on_a_straight_line_and_trees_where_it_bends() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(400, 6)).astype(np.float32)
    spec = FeatureSpec(
        tuple(Feature(name=name, path=f"Metrics.{name}", kind="number") for name in "abcdef")
    )
    line, bend = matrix.sum(axis=1), 3 * np.abs(matrix[:, 0]) - 2.4
    chosen = [
        choose_model(
            ModelSettings(),
            make_scored(
                matrix, (random.random(400) < 1 / (1 + np.exp(-margin))).astype(np.int64), spec
            ),
            np.arange(400),
            0,
        )
        for margin in (line, bend)
    ]
    assert [choice.model for choice in chosen] == ["blend", "boosting"]


def test_auto_never_takes_a_model_that_cannot_hold_a_direction() -> None:
    random = np.random.default_rng(0)
    spec = FeatureSpec(
        (Feature(name="x", path="Metrics.X", kind="number", monotonic="increasing"),)
    )
    matrix = random.normal(size=(200, 1)).astype(np.float32)
    people = make_scored(
        matrix, (random.random(200) < 1 / (1 + np.exp(-matrix[:, 0]))).astype(np.int64), spec
    )
    assert choose_model(ModelSettings(), people, np.arange(200), 0).model == "boosting"


@pytest.mark.parametrize("name", ["boosting", "logistic"])
def test_a_sigmoid_never_falls(name: str) -> None:
    # Out of fold a model of noise ranks people worse than a guess about every other time; then everybody has the response rate.
    flat = 0
    for seed in range(6):
        random = np.random.default_rng(seed)
        matrix, outcomes = (
            random.random((200, 1), dtype=np.float32),
            (random.random(200) < 0.3).astype(np.int64),
        )
        model, _ = fit_model(
            ModelSettings(model=name, balanced=True),
            make_scored(matrix, outcomes, VISITS),
            0,
            calibrated=True,
        )
        scores = model.predict_proba(matrix)[:, 1]
        assert find_sigmoid(model).a_ <= 0
        if find_sigmoid(model).a_ == 0:
            flat += 1
            assert scores == pytest.approx(outcomes.mean())
    assert flat


def test_learns_a_sigmoid_where_a_fold_of_it_never_saw_a_feature() -> None:
    random = np.random.default_rng(0)
    matrix = random.random((300, 2), dtype=np.float32)
    outcomes = (random.random(300) < matrix[:, 0]).astype(np.int64)
    matrix[1:, 1] = np.nan
    spec = FeatureSpec((*VISITS.features, Feature(name="rare", path="Metrics.Rare", kind="number")))
    model, _ = fit_model(
        ModelSettings(model="boosting"), make_scored(matrix, outcomes, spec), 0, calibrated=True
    )
    assert find_sigmoid(model).a_ < 0
