"""Fit a chosen model, with or without a sigmoid that calibrates its scores. Reads no file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline

from model.features import Matrix
from model.training.folds import FOLDS, Pair, Rows, split_rows
from model.training.models import ModelChoice, ModelSettings, make_model
from model.training.people import Outcomes, People
from model.training.selection import fill_absent, limit_threads

# A sigmoid has two parameters. From this many people on, two folds teach it as well as five, in a
# third of the time.
MANY = 200_000


def fit_choice(
    settings: ModelSettings,
    people: People,
    rows: Rows,
    choice: ModelChoice,
    seed: int,
    *,
    calibrated: bool,
) -> Any:
    """Fit `choice` on these `rows`.

    Both the evaluated models and the shipped one are made here, so the figures describe the model
    that ships. `calibrated` adds one sigmoid, learnt out of fold from these rows alone, behind one
    classifier: the only form that exports faithfully. Raises DataError if users make no folds.
    """
    count = len(people.outcomes)
    model = make_model(settings, choice, people.spec, count, seed)
    fitted: list[Rows | slice] = [slice(None)]
    if calibrated:
        parts = FOLDS if count < MANY else 2
        pairs = split_rows(people.outcomes, people.groups, rows, seed, parts)
        fitted = [train for train, _ in pairs]
        model = add_sigmoid(model, pairs)
    with limit_threads(count):
        model.fit(fill_absent(people.matrix[rows], fitted), people.outcomes[rows])
    if calibrated:
        flatten_falling_sigmoid(model, people.outcomes[rows])
    return model


def find_margins(model: Any, matrix: Matrix) -> npt.NDArray[np.float64]:
    """The input of a sigmoid, float64 [n]: margins, or probabilities if a model has no margins."""
    margins = (
        model.decision_function(matrix)
        if hasattr(model, "decision_function")
        else model.predict_proba(matrix)[:, 1]
    )
    return np.asarray(margins, dtype=np.float64)


def add_sigmoid(model: Any, pairs: tuple[Pair, ...]) -> Any:
    """Put a sigmoid behind the last classifier of a model.

    Behind a whole pipeline, skl2onnx 1.20 would feed probabilities to a sigmoid that learnt from
    margins.
    """
    if isinstance(model, Pipeline):
        return Pipeline([*model.steps[:-1], ("sigmoid", add_sigmoid(model[-1], pairs))])
    return CalibratedClassifierCV(model, method="sigmoid", cv=pairs, ensemble=False)


def find_sigmoid(model: Any) -> Any:
    """The fitted sigmoid of a model: score = 1 / (1 + exp(a_ x margin + b_)), rising if a_ < 0."""
    last = model[-1] if isinstance(model, Pipeline) else model
    return last.calibrated_classifiers_[0].calibrators[0]


def flatten_falling_sigmoid(model: Any, outcomes: Outcomes) -> None:
    """Replace a falling sigmoid, in place, by one that gives everyone the response rate.

    A sigmoid falls if the model ranks people worse than chance out of fold, which a model of noise
    often does. It would reverse the model and present noise as a finding.
    """
    sigmoid = find_sigmoid(model)
    if sigmoid.a_ >= 0:
        rate = float(outcomes.mean())
        sigmoid.a_, sigmoid.b_ = 0.0, math.log((1 - rate) / rate)
