from __future__ import annotations

import numpy as np
import pytest

from model.errors import SpecError
from model.features import FeatureSpec
from model.kinds import Feature
from model.training.fit import find_sigmoid
from model.training.models import CANDIDATES, MODELS, ModelSettings
from model.training.selection import choose_model
from tests.training_people import fit_model, make_scored

pytestmark = pytest.mark.usefixtures("undrawn")

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
    with pytest.raises(SpecError, match=r"expected no `monotonic` .*: a logistic regression"):
        fit_model(ModelSettings(model="logistic"), people, 0, calibrated=False)


@pytest.mark.parametrize(
    "settings", [ModelSettings(), ModelSettings(model="logistic", search=True)]
)
def test_chooses_a_model_although_few_people_have_a_feature_and_few_responded(
    settings: ModelSettings,
) -> None:
    random = np.random.default_rng(0)
    matrix = random.random((30_000, 2), dtype=np.float32)
    matrix[1:, 1] = np.nan
    outcomes = np.zeros(30_000, dtype=np.int64)
    outcomes[-25:] = 1
    spec = FeatureSpec((*VISITS.features, Feature(name="rare", path="Metrics.Rare", kind="number")))
    people = make_scored(matrix, outcomes, spec)
    assert choose_model(settings, people, np.arange(30_000), 0).model in MODELS


def test_balanced_outcomes_raise_the_scores_of_rare_responses() -> None:
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


def test_learns_a_sigmoid_although_one_of_its_folds_never_saw_a_feature() -> None:
    random = np.random.default_rng(0)
    matrix = random.random((300, 2), dtype=np.float32)
    outcomes = (random.random(300) < matrix[:, 0]).astype(np.int64)
    matrix[1:, 1] = np.nan
    spec = FeatureSpec((*VISITS.features, Feature(name="rare", path="Metrics.Rare", kind="number")))
    model, _ = fit_model(
        ModelSettings(model="boosting"), make_scored(matrix, outcomes, spec), 0, calibrated=True
    )
    assert find_sigmoid(model).a_ < 0


def test_every_candidate_of_auto_is_a_model() -> None:
    assert {choice.model for choice in CANDIDATES} <= set(MODELS)
    assert MODELS[CANDIDATES[0].model].holds, "a spec with directions always has a candidate"
