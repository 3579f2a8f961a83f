"""How good the scores are, told only from people that the model which scored them had not seen. Never fits what ships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from model.features import FeatureSpec, Matrix
from model.training.datasets import Report
from model.training.fit import Recipe, choose_model, fill_absent, find_margins, limit_threads, make_model
from model.training.folds import Folds, Rows, make_folds
from model.training.measures import Ranking, Scores
from model.training.people import Outcomes, People

# A sigmoid must lower the Brier score by this share to be worth its place: less is noise (CDNOW: below 0.0001).
LEAST_GAIN = 0.001
SHUFFLED_PEOPLE = 4_000  # a fold, for the importance of features


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Scores of people by a model that was fitted without them.

    rows        int64 [m], ascending: who was scored; by time the earliest people are not
    scores      float64 [m]
    calibrated  whether they went through a sigmoid, as the model that ships then does
    areas       ROC AUC in each fold
    importance  by feature: how far ROC AUC falls when the feature is shuffled among people
    """

    rows: Rows
    scores: Scores
    calibrated: bool
    scheme: str
    folds: int
    importance: dict[str, float]
    areas: tuple[float, ...]


def evaluate_out_of_fold(people: People, recipe: Recipe, seed: int, report: Report) -> Evaluation:
    """Score people by models fitted on others, chosen on the others too, and decide on calibration."""
    matrix, outcomes = people.matrix, people.outcomes
    folds = make_folds(outcomes, people.groups, people.dates, seed)
    plain, margins = np.full(len(outcomes), np.nan), np.full(len(outcomes), np.nan)
    falls: list[npt.NDArray[np.float64]] = []
    for fold, (train, test) in enumerate(folds.pairs):
        report("evaluating on people held out", fold, len(folds.pairs))
        choice = choose_model(recipe, people, train, seed)
        with limit_threads(len(outcomes)):
            model = make_model(recipe, choice, people.spec, len(outcomes), seed).fit(
                fill_absent(matrix[train], [slice(None)]), outcomes[train]
            )
            plain[test] = model.predict_proba(matrix[test])[:, 1]
            margins[test] = find_margins(model, matrix[test])
            falls.append(shuffle_features(model, people.spec, matrix[test], outcomes[test], seed + fold))
    report("evaluating on people held out", len(folds.pairs), len(folds.pairs))
    rows = folds.scored
    through, rising = calibrate_out_of_fold(margins, outcomes, folds)
    gain = brier_score_loss(outcomes[rows], through[rows]) < (1 - LEAST_GAIN) * brier_score_loss(outcomes[rows], plain[rows])
    calibrated = recipe.balanced or bool(gain and rising)
    fall = np.mean(falls, axis=0)
    return Evaluation(
        rows=rows,
        scores=(through if calibrated else plain)[rows],
        calibrated=calibrated,
        scheme=folds.scheme,
        folds=len(folds.pairs),
        areas=tuple(round(Ranking(plain[test], outcomes[test]).measure()[0], 6) for _, test in folds.pairs),
        importance={feature.name: round(float(value), 6) for feature, value in zip(people.spec.features, fall, strict=True)},
    )


def calibrate_out_of_fold(margins: Scores, outcomes: Outcomes, folds: Folds) -> tuple[Scores, bool]:
    """What a sigmoid makes of out-of-fold `margins` [n] (NaN where nobody was scored), itself learnt from the other folds only.

    And whether it rises in every fold. One that falls turns a model around that ranks people worse than a guess, as out of fold a model
    of noise does by construction, and makes it look good: it must never be used.
    """
    rising = True
    through = np.full(len(outcomes), np.nan)
    column = margins.reshape(-1, 1)
    for number, (_, test) in enumerate(folds.pairs):
        others = [rows for other, (_, rows) in enumerate(folds.pairs) if other != number]
        train = np.concatenate(others) if others else test
        sigmoid = LogisticRegression(C=1e6).fit(column[train], outcomes[train])
        through[test] = sigmoid.predict_proba(column[test])[:, 1]
        rising = rising and bool(sigmoid.coef_[0, 0] > 0)
    return through, rising


def shuffle_features(model: Any, spec: FeatureSpec, matrix: Matrix, outcomes: Outcomes, seed: int) -> npt.NDArray[np.float64]:
    """How far ROC AUC on these people falls when each feature, all its columns together, is shuffled among them: float64 [features]."""
    random = np.random.default_rng(seed)
    if len(outcomes) > SHUFFLED_PEOPLE:
        rows = random.choice(len(outcomes), SHUFFLED_PEOPLE, replace=False)
        matrix, outcomes = matrix[rows], outcomes[rows]
    falls = np.zeros(len(spec.features))
    if not 0 < outcomes.sum() < len(outcomes):
        return falls
    whole = Ranking(model.predict_proba(matrix)[:, 1], outcomes).measure()[0]
    for number, (feature, start) in enumerate(zip(spec.features, spec.starts, strict=True)):
        shuffled = matrix.copy()
        columns = slice(start, start + len(feature.columns))
        shuffled[:, columns] = matrix[random.permutation(len(matrix)), columns]
        falls[number] = whole - Ranking(model.predict_proba(shuffled)[:, 1], outcomes).measure()[0]
    return falls
