"""Score people by models fitted without them, and judge the scores. Never fits what ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from model.errors import DataError
from model.features import FeatureSpec, Matrix
from model.people.progress import Progress
from model.training.fit import find_margins, find_sigmoid, fit_choice
from model.training.folds import Folds, Pair, Rows, Scheme, make_folds
from model.training.measures import Ranking, Scores
from model.training.models import ModelChoice, ModelSettings
from model.training.people import Outcomes, People
from model.training.phrases import format_share
from model.training.selection import choose_model, limit_threads
from model.training.target_rates import encode_for

# A sigmoid must lower the Brier score by this share. Less is noise (CDNOW: below 0.0001).
LEAST_GAIN = 0.001
PERMUTED_PEOPLE = 4_000  # a fold, for the importance of features
# Response has changed if the latest people differ from their scores by a fifth of their rate, and
# by more than three standard errors.
WIDELY = 0.2
ERRORS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """Scores of people by models that were fitted without them.

    rows        int64 [m], ascending: the people scored; by time the earliest are not
    scores      float64 [m]
    calibrated  whether the scores, and those of the model that ships, pass through a sigmoid
    areas       ROC AUC of each fold
    importance  by feature: the fall of ROC AUC when the feature is permuted among people
    notices     a sentence if response changes over time
    """

    rows: Rows
    scores: Scores
    calibrated: bool
    scheme: Scheme
    folds: int
    importance: dict[str, float]
    areas: tuple[float, ...]
    notices: tuple[str, ...] = ()


def cross_validate(
    people: People, settings: ModelSettings, seed: int, progress: Progress
) -> CrossValidation:
    """Choose, fit and calibrate a model in each fold as for all people, and score the rest.

    A sigmoid is always used for balanced outcomes, otherwise only if it helps. It is first tried
    cheaply, and learnt properly in each fold only if that promises a gain.
    """
    outcomes = people.outcomes
    folds = make_folds(outcomes, people.groups, people.dates, seed)
    scores, margins = np.full(len(outcomes), np.nan), np.full(len(outcomes), np.nan)
    falls: list[npt.NDArray[np.float64]] = []
    choices: list[ModelChoice] = []
    for fold, (train, test) in enumerate(folds.pairs):
        progress("cross-validating", fold, len(folds.pairs))
        known = encode_for(people, train, seed)
        matrix = known.matrix
        choices.append(choose_model(settings, known, train, seed))
        model = fit_choice(settings, known, train, choices[-1], seed, calibrated=settings.balanced)
        with limit_threads(len(outcomes)):
            scores[test] = model.predict_proba(matrix[test])[:, 1]
            if not settings.balanced:
                margins[test] = find_margins(model, matrix[test])
            falls.append(
                permute_features(model, people.spec, matrix[test], outcomes[test], seed + fold)
            )
    progress("cross-validating", len(folds.pairs), len(folds.pairs))
    calibrated = settings.balanced
    if not calibrated and promises_gain(scores, margins, outcomes, folds):
        fits = list(zip(folds.pairs, choices, strict=True))
        through = calibrate_in_folds(people, settings, seed, fits, progress)
        if through is not None and lowers_brier(scores, through, outcomes, folds.scored):
            scores, calibrated = through, True
    latest = folds.pairs[-1][1]
    dated = folds.scheme is Scheme.BY_TIME
    return CrossValidation(
        rows=folds.scored,
        scores=scores[folds.scored],
        calibrated=calibrated,
        scheme=folds.scheme,
        folds=len(folds.pairs),
        areas=tuple(
            round(Ranking(scores[test], outcomes[test]).measure()[0], 6) for _, test in folds.pairs
        ),
        importance={
            feature.name: round(float(fall), 6)
            for feature, fall in zip(people.spec.features, np.mean(falls, axis=0), strict=True)
        },
        notices=describe_change(scores[latest], outcomes[latest]) if dated else (),
    )


def lowers_brier(plain: Scores, through: Scores, outcomes: Outcomes, rows: Rows) -> bool:
    """Whether a sigmoid lowers the Brier score by at least `LEAST_GAIN`."""
    without = brier_score_loss(outcomes[rows], plain[rows])
    return bool(brier_score_loss(outcomes[rows], through[rows]) < (1 - LEAST_GAIN) * without)


def promises_gain(plain: Scores, margins: Scores, outcomes: Outcomes, folds: Folds) -> bool:
    """Whether a sigmoid is worth learning in each fold, which takes five more fits a fold.

    Fits a sigmoid on the margins of the other folds, or of the same fold if it is the only one.
    That is a little too optimistic, by time much too optimistic. Used only to decide; never
    reported.
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
    fits: Sequence[tuple[Pair, ModelChoice]],
    progress: Progress,
) -> Scores | None:
    """Scores [n] through a sigmoid that each fold learns from its training part alone.

    NaN for people who are not scored. None if a sigmoid does not rise, or if users make no folds
    within a fold.
    """
    through = np.full(len(people.outcomes), np.nan)
    for fold, ((train, test), choice) in enumerate(fits):
        progress("calibrating", fold, len(fits))
        known = encode_for(people, train, seed)
        try:
            model = fit_choice(settings, known, train, choice, seed, calibrated=True)
        except DataError:
            return None
        if find_sigmoid(model).a_ >= 0:
            return None
        with limit_threads(len(people.outcomes)):
            through[test] = model.predict_proba(known.matrix[test])[:, 1]
    progress("calibrating", len(fits), len(fits))
    return through


def describe_change(scores: Scores, outcomes: Outcomes) -> tuple[str, ...]:
    """A sentence if the latest people respond clearly unlike their scores."""
    predicted, observed = float(scores.mean()), float(outcomes.mean())
    error = float(np.sqrt((scores * (1 - scores)).sum())) / len(scores)
    if abs(predicted - observed) <= max(WIDELY * observed, ERRORS * error):
        return ()
    sentence = (
        f"response changes over time: of the latest {len(scores):,} people "
        f"{format_share(observed)} responded, but scores learnt from earlier people predict "
        f"{format_share(predicted)}. The figures, the scores and the share that a threshold keeps "
        "may not hold for the next campaign"
    )
    return (sentence,)


def permute_features(
    model: Any, spec: FeatureSpec, matrix: Matrix, outcomes: Outcomes, seed: int
) -> npt.NDArray[np.float64]:
    """The fall of ROC AUC when a feature is permuted with all its columns: float64 [features]."""
    random = np.random.default_rng(seed)
    if len(outcomes) > PERMUTED_PEOPLE:
        rows = random.choice(len(outcomes), PERMUTED_PEOPLE, replace=False)
        matrix, outcomes = matrix[rows], outcomes[rows]
    falls = np.zeros(len(spec.features))
    if not 0 < outcomes.sum() < len(outcomes):
        return falls
    whole = Ranking(model.predict_proba(matrix)[:, 1], outcomes).measure()[0]
    for number, (feature, start) in enumerate(zip(spec.features, spec.starts, strict=True)):
        permuted = matrix.copy()
        columns = slice(start, start + len(feature.columns))
        permuted[:, columns] = matrix[random.permutation(len(matrix)), columns]
        falls[number] = whole - Ranking(model.predict_proba(permuted)[:, 1], outcomes).measure()[0]
    return falls
