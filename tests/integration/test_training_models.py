"""Models that take seconds to fit: trees, comparisons and searches. Fast ones are in unit tests."""

from __future__ import annotations

import numpy as np
import pytest

from model.features import FeatureSpec
from model.kinds import Feature
from model.training.cross_validation import cross_validate
from model.training.fit import find_sigmoid
from model.training.folds import Scheme
from model.training.measures import measure
from model.training.models import ModelSettings
from model.training.selection import choose_model
from tests.training_people import fit_model, ignore_progress, make_scored

pytestmark = pytest.mark.usefixtures("undrawn")

VISITS = FeatureSpec((Feature(name="visits", path="Metrics.Visits", kind="number"),))
TWO = FeatureSpec(tuple(Feature(name=name, path=f"Metrics.{name}", kind="number") for name in "ab"))


def test_auto_takes_a_blend_for_a_linear_response_and_trees_for_a_bent_one() -> None:
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


@pytest.mark.parametrize("name", ["boosting", "logistic"])
def test_a_search_finds_settings_and_the_same_ones_every_time(name: str) -> None:
    random = np.random.default_rng(0)
    matrix = random.random((300, 1), dtype=np.float32)
    people = make_scored(matrix, (random.random(300) < matrix[:, 0]).astype(np.int64), VISITS)
    settings = ModelSettings(model=name, search=True)
    found = [choose_model(settings, people, np.arange(300), 0) for _ in range(2)]
    assert found[0].model == name
    assert found[0].parameters
    assert found[0] == found[1]
    assert choose_model(ModelSettings(model=name), people, np.arange(300), 0).parameters == {}


@pytest.mark.parametrize("name", ["boosting", "logistic"])
def test_a_sigmoid_never_falls(name: str) -> None:
    # Out of fold a model of noise ranks people worse than chance about every other time. Then all
    # people get the response rate.
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


@pytest.mark.parametrize("model", ["boosting", "forest", "auto"])
def test_by_time_learns_from_a_feature_that_is_recorded_only_later(model: str) -> None:
    random = np.random.default_rng(1)
    matrix = random.random((1_200, 2), dtype=np.float32)
    outcomes = (random.random(1_200) < matrix[:, 1]).astype(np.int64)
    matrix[:400, 1] = np.nan
    people = make_scored(matrix, outcomes, TWO, dates=np.repeat([0.0, 1.0, 2.0], 400))
    validation = cross_validate(people, ModelSettings(model=model), 0, ignore_progress)
    assert [area > 0.7 for area in validation.areas] == [False, True]


def test_a_model_that_is_chosen_and_searched_for_finds_nothing_in_noise_either() -> None:
    # Chosen on the people it is judged by, the best of many would look better than a guess.
    random = np.random.default_rng(5)
    people = make_scored(random.random((300, 2), dtype=np.float32), random.integers(0, 2, 300), TWO)
    validation = cross_validate(
        people, ModelSettings(model="logistic", search=True), 0, ignore_progress
    )
    low, high = measure(validation.scores, people.outcomes, people.groups, 0.5, 0)["intervals"][
        "roc_auc"
    ]
    assert low < 0.5 < high


def test_the_endpoints_of_a_user_never_reveal_each_other() -> None:
    # All ten endpoints of a user have the same values and outcome: one of them reveals the others.
    random = np.random.default_rng(3)
    value, outcome = random.random((150, 2), dtype=np.float32), random.integers(0, 2, 150)
    groups = np.repeat(np.arange(150), 10)
    people = make_scored(np.repeat(value, 10, axis=0), np.repeat(outcome, 10), TWO, groups=groups)
    validation = cross_validate(people, ModelSettings(model="boosting"), 0, ignore_progress)
    assert validation.scheme is Scheme.BY_USER
    low, high = measure(validation.scores, people.outcomes, groups, 0.5, 0)["intervals"]["roc_auc"]
    assert low < 0.5 < high
    assert high - low > 0.1, "150 people are few, however many endpoints they have"
