"""How good the scores are, told only from people that the model which scored them had not seen. Never fits what ships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from model.errors import DataError
from model.features import FeatureSpec, Matrix
from model.training.datasets import Progress
from model.training.fit import (
    ModelChoice,
    ModelSettings,
    choose_model,
    find_margins,
    find_sigmoid,
    fit_choice,
    limit_threads,
)
from model.training.folds import Folds, Rows, make_folds
from model.training.measures import Ranking, Scores
from model.training.people import Outcomes, People
from model.training.phrases import say_share

# A sigmoid must lower the Brier score by this share to be worth its place: less is noise (CDNOW: below 0.0001).
LEAST_GAIN = 0.001
SHUFFLED_PEOPLE = 4_000  # a fold, for the importance of features
# The latest people respond otherwise than their scores say where the two differ by a fifth, and by more than chance explains.
WIDELY = 0.2
ERRORS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Scores of people by a model that was fitted without them.

    rows        int64 [m], ascending: who was scored; by time the earliest people are not
    scores      float64 [m]
    calibrated  whether they went through a sigmoid, as the model that ships then does
    areas       ROC AUC in each fold
    importance  by feature: how far ROC AUC falls when the feature is shuffled among people
    remarks     a sentence where outcomes change over time
    """

    rows: Rows
    scores: Scores
    calibrated: bool
    scheme: str
    folds: int
    importance: dict[str, float]
    areas: tuple[float, ...]
    remarks: tuple[str, ...] = ()


def evaluate_out_of_fold(
    people: People, settings: ModelSettings, seed: int, progress: Progress
) -> Evaluation:
    """Score people by models made of others alone, as the model that ships is made of everybody: chosen, fitted, calibrated.

    A sigmoid is used always where outcomes are balanced, else where it helps: it is tried cheaply first, then learnt in earnest.
    """
    matrix, outcomes = people.matrix, people.outcomes
    folds = make_folds(outcomes, people.groups, people.dates, seed)
    scores, margins = np.full(len(outcomes), np.nan), np.full(len(outcomes), np.nan)
    falls: list[npt.NDArray[np.float64]] = []
    choices: list[ModelChoice] = []
    for fold, (train, test) in enumerate(folds.pairs):
        progress("evaluating on people held out", fold, len(folds.pairs))
        choices.append(choose_model(settings, people, train, seed))
        model = fit_choice(settings, people, train, choices[-1], seed, calibrated=settings.balanced)
        with limit_threads(len(outcomes)):
            scores[test] = model.predict_proba(matrix[test])[:, 1]
            if not settings.balanced:
                margins[test] = find_margins(model, matrix[test])
            falls.append(
                shuffle_features(model, people.spec, matrix[test], outcomes[test], seed + fold)
            )
    progress("evaluating on people held out", len(folds.pairs), len(folds.pairs))
    calibrated = settings.balanced
    if not calibrated and promise_gain(scores, margins, outcomes, folds):
        through = calibrate_in_folds(
            people, settings, seed, list(zip(folds.pairs, choices, strict=True)), progress
        )
        calibrated = through is not None and lowers_brier(scores, through, outcomes, folds.scored)
        scores = through if through is not None and calibrated else scores
    fall = np.mean(falls, axis=0)
    latest = folds.pairs[-1][1]
    return Evaluation(
        rows=folds.scored,
        scores=scores[folds.scored],
        calibrated=calibrated,
        scheme=folds.scheme,
        folds=len(folds.pairs),
        areas=tuple(
            round(Ranking(scores[test], outcomes[test]).measure()[0], 6) for _, test in folds.pairs
        ),
        importance={
            feature.name: round(float(value), 6)
            for feature, value in zip(people.spec.features, fall, strict=True)
        },
        remarks=describe_change(scores[latest], outcomes[latest])
        if folds.scheme == "by time"
        else (),
    )


def lowers_brier(plain: Scores, through: Scores, outcomes: Outcomes, rows: Rows) -> bool:
    """Whether scores through a sigmoid are better than those without by `LEAST_GAIN`."""
    without = brier_score_loss(outcomes[rows], plain[rows])
    return bool(brier_score_loss(outcomes[rows], through[rows]) < (1 - LEAST_GAIN) * without)


def promise_gain(plain: Scores, margins: Scores, outcomes: Outcomes, folds: Folds) -> bool:
    """Whether a sigmoid is worth learning in earnest, which takes five more fits a fold.

    Tried on margins that are there already, in each fold one learnt from the other folds (from itself, where it is the only one). That
    looks a little better than it is, and by time much better: no score that is told comes from it.
    """
    through = np.full(len(outcomes), np.nan)
    column = margins.reshape(-1, 1)
    for number, (_, test) in enumerate(folds.pairs):
        others = [rows for other, (_, rows) in enumerate(folds.pairs) if other != number]
        train = np.concatenate(others) if others else test
        sigmoid = LogisticRegression(C=1e6).fit(column[train], outcomes[train])
        if sigmoid.coef_[0, 0] <= 0:
            return False
        through[test] = sigmoid.predict_proba(column[test])[:, 1]
    return lowers_brier(plain, through, outcomes, folds.scored)


def calibrate_in_folds(
    people: People,
    settings: ModelSettings,
    seed: int,
    fits: list[tuple[tuple[Rows, Rows], ModelChoice]],
    progress: Progress,
) -> Scores | None:
    """Scores [n] (NaN where nobody was scored) through a sigmoid that each fold's training part alone taught, as the one that ships is.

    None where one of them does not rise, or users do not make folds within a fold.
    """
    through = np.full(len(people.outcomes), np.nan)
    for fold, ((train, test), choice) in enumerate(fits):
        progress("trying a sigmoid", fold, len(fits))
        try:
            model = fit_choice(settings, people, train, choice, seed, calibrated=True)
        except DataError:
            return None
        if find_sigmoid(model).a_ >= 0:
            return None
        with limit_threads(len(people.outcomes)):
            through[test] = model.predict_proba(people.matrix[test])[:, 1]
    progress("trying a sigmoid", len(fits), len(fits))
    return through


def describe_change(scores: Scores, outcomes: Outcomes) -> tuple[str, ...]:
    """A sentence where the latest people, scored by what was learnt from earlier ones, respond clearly otherwise than their scores say."""
    expected, came = float(scores.mean()), float(outcomes.mean())
    chance = float(np.sqrt((scores * (1 - scores)).sum())) / len(scores)
    if abs(expected - came) <= max(WIDELY * came, ERRORS * chance):
        return ()
    words = f"the latest {len(scores):,} people responded at {say_share(came)}; scores learnt from earlier people say {say_share(expected)}"
    return (
        f"{words}: response changes over time, so figures, scores and the share that a threshold keeps may not hold for the next campaign",
    )


def shuffle_features(
    model: Any, spec: FeatureSpec, matrix: Matrix, outcomes: Outcomes, seed: int
) -> npt.NDArray[np.float64]:
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
