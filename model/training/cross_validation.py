"""Score people by models fitted without them, and judge the scores. Never fits what ships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.features import FeatureSpec, Matrix
from model.people.progress import Progress
from model.training.calibration import calibrate, lowers_brier, try_cheap_sigmoid
from model.training.fit import find_margins, fit_choice
from model.training.folds import Folds, Rows, Scheme, make_folds
from model.training.measures import Ranking, Scores
from model.training.models import AUTO, ModelChoice, ModelSettings, list_candidates
from model.training.nested import InnerMargins, compare_in_folds, list_pairs
from model.training.people import Outcomes, People
from model.training.phrases import format_share
from model.training.selection import COMPARED_PEOPLE, choose_model, limit_threads
from model.training.target_rates import encode_for
from model.training.work import Work

STAGE = "cross-validating"
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
    scheme      how people were held out, in so many `folds`
    split       the folds, whose scored people are `rows`; None for a model that was brought along
    choice      the model for all people
    nested      whether each fold chose its model without the people it is judged by
    areas       ROC AUC of each fold
    importance  by feature: the fall of ROC AUC when the feature is permuted among people
    notices     a sentence if response changes over time
    """

    rows: Rows
    scores: Scores
    calibrated: bool
    scheme: Scheme
    folds: int
    choice: ModelChoice
    importance: dict[str, float]
    areas: tuple[float, ...]
    notices: tuple[str, ...] = ()
    split: Folds | None = None
    nested: bool = True


def cross_validate(
    people: People,
    settings: ModelSettings,
    seed: int,
    progress: Progress,
    *,
    quick: bool = False,
) -> CrossValidation:
    """Choose, fit and calibrate a model in each fold as for all people, and score the rest.

    A sigmoid is always used for balanced outcomes, otherwise only if it helps. It is first tried
    cheaply, and learnt properly in each fold only if that promises a gain. `quick` chooses once, on
    all people, and takes the cheap sigmoid; the figures are then a little too good.
    """
    outcomes = people.outcomes
    folds = make_folds(outcomes, people.groups, people.dates, seed)
    work = Work(progress, STAGE, count_work(people, settings, folds, quick=quick))
    choices, final, inner = choose_in_folds(people, settings, folds, seed, work, quick=quick)
    scores, margins = np.full(len(outcomes), np.nan), np.full(len(outcomes), np.nan)
    falls: list[npt.NDArray[np.float64]] = []
    for fold, (train, test) in enumerate(folds.pairs):
        known = encode_for(people, train, seed)
        matrix = known.matrix
        model = fit_choice(
            settings, known, train, choices[fold], seed, calibrated=settings.balanced
        )
        with limit_threads(len(outcomes)):
            scores[test] = model.predict_proba(matrix[test])[:, 1]
            if not settings.balanced:
                margins[test] = find_margins(model, matrix[test])
            falls.append(
                permute_features(model, people.spec, matrix[test], outcomes[test], seed + fold)
            )
        work.add(len(train))
    work.add(work.total)
    calibrated = settings.balanced
    cheap = None if calibrated else try_cheap_sigmoid(scores, margins, outcomes, folds)
    if cheap is not None:
        through = (
            cheap
            if quick
            else calibrate(
                people,
                settings,
                folds,
                choices,
                seed=seed,
                inner=inner,
                margins=margins,
                progress=progress,
            )
        )
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
        split=folds,
        choice=final,
        nested=not quick,
        areas=tuple(
            round(Ranking(scores[test], outcomes[test]).measure()[0], 6) for _, test in folds.pairs
        ),
        importance={
            feature.name: round(float(fall), 6)
            for feature, fall in zip(people.spec.features, np.mean(falls, axis=0), strict=True)
        },
        notices=describe_change(scores[latest], outcomes[latest]) if dated else (),
    )


def compares_in_pairs(settings: ModelSettings, folds: Folds) -> bool:
    """Whether one set of fits compares the candidates inside all folds.

    By time each fold learns from other periods; a search compares in folds of its own.
    """
    return settings.model == AUTO and not settings.search and folds.scheme is not Scheme.BY_TIME


def count_work(people: People, settings: ModelSettings, folds: Folds, *, quick: bool) -> int:
    """The rows that all models of a cross-validation are fitted on, comparisons included."""
    fitted = sum(len(train) for train, _ in folds.pairs)
    if quick or not compares_in_pairs(settings, folds):
        return fitted
    candidates, pairs = len(list_candidates(settings, people.spec)), len(folds.pairs)
    compared = min(COMPARED_PEOPLE, len(people.outcomes)) * (pairs - 2) // pairs
    return fitted + candidates * compared * len(list_pairs(pairs))


def choose_in_folds(
    people: People,
    settings: ModelSettings,
    folds: Folds,
    seed: int,
    work: Work,
    *,
    quick: bool,
) -> tuple[list[ModelChoice], ModelChoice, InnerMargins | None]:
    """The choice inside each fold, the choice for all people, and the margins of comparing."""

    def choose(rows: Rows) -> ModelChoice:
        return choose_model(settings, encode_for(people, rows, seed), rows, seed)

    whole = np.arange(len(people.outcomes))
    if quick:
        choice = choose(whole)
        return [choice] * len(folds.pairs), choice, None
    if compares_in_pairs(settings, folds):
        return compare_in_folds(settings, people, folds, seed, work.add)
    return [choose(train) for train, _ in folds.pairs], choose(whole), None


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
