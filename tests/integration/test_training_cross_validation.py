from __future__ import annotations

import re

import numpy as np
import pytest

from model.features import FeatureSpec
from model.kinds import Feature
from model.training.cross_validation import cross_validate, describe_change
from model.training.folds import Scheme, make_folds
from model.training.measures import measure
from model.training.models import ModelSettings
from model.training.people import People, take_rows
from tests.training_people import fit_model, ignore_progress, make_scored

pytestmark = pytest.mark.usefixtures("undrawn")

SPEC = FeatureSpec(
    tuple(Feature(name=name, path=f"Metrics.{name}", kind="number") for name in "ab")
)
BOOSTING, LOGISTIC = ModelSettings(model="boosting"), ModelSettings(model="logistic")


def test_finds_nothing_in_outcomes_that_are_independent_of_the_features() -> None:
    random = np.random.default_rng(1)
    people = make_scored(
        random.random((3_000, 2), dtype=np.float32), random.integers(0, 2, 3_000), SPEC
    )
    validation = cross_validate(people, BOOSTING, 0, ignore_progress)
    low, high = measure(validation.scores, people.outcomes, people.groups, 0.5, 0)["intervals"][
        "roc_auc"
    ]
    assert low < 0.5 < high
    assert high - low < 0.06


def test_finds_what_is_there_and_reports_each_fold() -> None:
    random = np.random.default_rng(1)
    matrix = random.random((2_000, 2), dtype=np.float32)
    steps = []
    people = make_scored(matrix, (random.random(2_000) < matrix[:, 0]).astype(np.int64), SPEC)
    validation = cross_validate(people, BOOSTING, 0, lambda *step: steps.append(step))
    assert (
        0.78 < measure(validation.scores, people.outcomes, people.groups, 0.5, 0)["roc_auc"] < 0.88
    )  # the true score has 0.833
    assert not validation.calibrated
    done = [done for stage, done, total in steps if (stage, total) == ("cross-validating", 8_000)]
    assert done == [0, 1_600, 3_200, 4_800, 6_400, 8_000, 8_000], "in rows that are fitted on"
    assert validation.importance["a"] > 0.2
    assert abs(validation.importance["b"]) < 0.02


def test_scores_later_people_by_models_of_earlier_people() -> None:
    random = np.random.default_rng(1)
    matrix = random.random((1_200, 2), dtype=np.float32)
    people = make_scored(
        matrix,
        (random.random(1_200) < matrix[:, 0]).astype(np.int64),
        SPEC,
        dates=np.arange(1_200.0),
    )
    validation = cross_validate(people, LOGISTIC, 0, ignore_progress)
    assert validation.scheme is Scheme.BY_TIME
    assert validation.rows.tolist() == list(range(200, 1_200))
    assert len(validation.scores) == 1_000


def test_by_time_learns_from_a_feature_that_is_recorded_only_later() -> None:
    random = np.random.default_rng(1)
    matrix = random.random((1_200, 2), dtype=np.float32)
    outcomes = (random.random(1_200) < matrix[:, 1]).astype(np.int64)
    matrix[:700, 1] = np.nan
    people = make_scored(matrix, outcomes, SPEC, dates=np.arange(1_200.0))
    validation = cross_validate(people, LOGISTIC, 0, ignore_progress)
    assert [area > 0.7 for area in validation.areas] == [False, False, False, True, True]


def test_always_calibrates_balanced_outcomes() -> None:
    random = np.random.default_rng(1)
    matrix = random.random((1_000, 2), dtype=np.float32)
    people = make_scored(matrix, (random.random(1_000) < 0.3 * matrix[:, 0]).astype(np.int64), SPEC)
    validation = cross_validate(
        people, ModelSettings(model="logistic", balanced=True), 0, ignore_progress
    )
    assert validation.calibrated
    assert abs(validation.scores.mean() - people.outcomes.mean()) < 0.01


def test_a_fold_is_fitted_as_the_model_that_ships() -> None:
    # Neither the model nor its sigmoid has seen the people of the fold: each fold equals a training
    # on the other people.
    random = np.random.default_rng(4)
    matrix = random.random((600, 2), dtype=np.float32)
    people = make_scored(matrix, (random.random(600) < 0.3 * matrix[:, 0]).astype(np.int64), SPEC)
    settings = ModelSettings(model="logistic", balanced=True)
    validation = cross_validate(people, settings, 0, ignore_progress)
    folds = make_folds(people.outcomes, people.groups, None, 0)
    for train, test in folds.pairs:
        shipped, _ = fit_model(settings, take_rows(people, train), 0, calibrated=True)
        assert (
            validation.scores[test].tolist() == shipped.predict_proba(matrix[test])[:, 1].tolist()
        )


def make_turn(random: np.random.Generator, count: int) -> People:
    """People of whom half respond in the earlier half, and one in twenty in the later half."""
    matrix = random.random((count, 2), dtype=np.float32)
    late = np.arange(count) >= count // 2
    outcomes = (random.random(count) < np.where(late, 0.1, 1.0) * matrix[:, 0]).astype(np.int64)
    return make_scored(matrix, outcomes, SPEC, dates=late.astype(np.float64))


@pytest.mark.parametrize("balanced", [False, True])
def test_learns_the_sigmoid_of_later_people_from_earlier_people(*, balanced: bool) -> None:
    # Learnt from the later people, it would give a mean score and a Brier score of about 0.05.
    people = make_turn(np.random.default_rng(0), 2_000)
    validation = cross_validate(
        people, ModelSettings(model="boosting", balanced=balanced), 0, ignore_progress
    )
    assert validation.calibrated
    assert validation.scores.mean() > 0.4
    assert (
        measure(validation.scores, people.outcomes[validation.rows], validation.rows, 0.5, 0)[
            "brier"
        ]
        > 0.2
    )


def test_says_if_the_latest_people_respond_unlike_their_scores() -> None:
    random = np.random.default_rng(0)
    turned = cross_validate(
        make_turn(random, 2_000), ModelSettings(model="logistic"), 0, ignore_progress
    )
    words = (
        r"response changes over time: of the latest 1,000 people [45]\.\d% responded, "
        r".* predict (49|50|51)\.\d%"
    )
    assert len(turned.notices) == 1
    assert re.match(words, turned.notices[0])
    matrix = random.random((2_000, 2), dtype=np.float32)
    outcomes = (random.random(2_000) < matrix[:, 0]).astype(np.int64)
    for dates in (None, np.repeat([0.0, 1.0], 1_000)):
        steady = make_scored(matrix, outcomes, SPEC, dates=dates)
        assert (
            cross_validate(steady, ModelSettings(model="logistic"), 0, ignore_progress).notices
            == ()
        )


def test_a_difference_within_chance_is_no_change() -> None:
    scores = np.full(50, 0.1)
    assert (
        describe_change(scores, np.repeat([1, 0], [8, 42])) == ()
    )  # 16 % of fifty: 1.4 standard errors
    assert describe_change(np.full(5_000, 0.1), np.repeat([1, 0], [800, 4_200])) != ()
    assert (
        describe_change(np.full(500_000, 0.1), np.repeat([1, 0], [51_000, 449_000])) == ()
    )  # certain, but small


def test_never_turns_a_model_of_noise_around() -> None:
    # Out of fold such a model usually ranks people worse than chance. A sigmoid that may fall gave
    # a mean ROC AUC of 0.547 here.
    areas = []
    for seed in range(8):
        random = np.random.default_rng(seed)
        people = make_scored(
            random.random((300, 2), dtype=np.float32), random.integers(0, 2, 300), SPEC
        )
        validation = cross_validate(people, ModelSettings(model="logistic"), 0, ignore_progress)
        areas.append(measure(validation.scores, people.outcomes, people.groups, 0.5, 0)["roc_auc"])
    assert np.mean(areas) < 0.51
