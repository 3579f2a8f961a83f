"""A sigmoid behind the folds' models: whether it helps, and the scores through it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from model.errors import DataError
from model.people.progress import Progress
from model.training.fit import find_sigmoid, fit_choice
from model.training.folds import Folds, Pair, Rows, Scheme
from model.training.measures import Scores
from model.training.models import ModelChoice, ModelSettings
from model.training.nested import (
    InnerMargins,
    calibrate_by_pairs,
    fit_pairs,
    list_pairs,
    name_choice,
)
from model.training.people import Outcomes, People
from model.training.selection import limit_threads
from model.training.target_rates import encode_for
from model.training.work import Work

# A sigmoid must lower the Brier score by this share. Less is noise (CDNOW: below 0.0001).
LEAST_GAIN = 0.001


def lowers_brier(plain: Scores, through: Scores, outcomes: Outcomes, rows: Rows) -> bool:
    """Whether a sigmoid lowers the Brier score by at least `LEAST_GAIN`."""
    without = brier_score_loss(outcomes[rows], plain[rows])
    return bool(brier_score_loss(outcomes[rows], through[rows]) < (1 - LEAST_GAIN) * without)


def try_cheap_sigmoid(
    plain: Scores, margins: Scores, outcomes: Outcomes, folds: Folds
) -> Scores | None:
    """Scores through a cheap sigmoid; None if a proper one is not worth its fits in each fold.

    Fits a sigmoid on the margins of the other folds, or of the same fold if it is the only one.
    That is a little too optimistic, by time much too optimistic. Used only to decide, except by
    a quick training, whose card says so.
    """
    through = np.full(len(outcomes), np.nan)
    column = margins.reshape(-1, 1)
    for number, (_, test) in enumerate(folds.pairs):
        others = [rows for other, (_, rows) in enumerate(folds.pairs) if other != number]
        train = np.concatenate(others) if others else test
        sigmoid = LogisticRegression(C=1e6).fit(column[train], outcomes[train])
        if sigmoid.coef_[0, 0] <= 0:
            return None
        through[test] = sigmoid.predict_proba(column[test])[:, 1]
    return through if lowers_brier(plain, through, outcomes, folds.scored) else None


def calibrate(
    people: People,
    settings: ModelSettings,
    folds: Folds,
    choices: Sequence[ModelChoice],
    *,
    seed: int,
    inner: InnerMargins | None,
    margins: Scores,
    progress: Progress,
) -> Scores | None:
    """Scores through a sigmoid that each fold learns from its training part, as cheaply as it can.

    Comparing in pairs of folds has left the margins that a sigmoid learns from, if it was on all
    people. `margins` [n] are those of the folds' own models.
    """
    if folds.scheme is Scheme.BY_TIME:
        fits = list(zip(folds.pairs, choices, strict=True))
        return calibrate_in_folds(people, settings, seed, fits, progress)
    if inner is None or len(inner.rows) < len(folds.scored):
        pairs = len(list_pairs(len(folds.pairs)))
        rows = len(folds.scored) * (len(folds.pairs) - 2) // len(folds.pairs)
        work = Work(progress, "calibrating", pairs * rows * len({*map(name_choice, choices)}))
        wanted = [[choice] for choice in choices]
        inner = fit_pairs(
            settings, people, folds, folds.scored, wanted=wanted, seed=seed, fitted=work.add
        )
        work.add(work.total)
    return calibrate_by_pairs(people, folds, choices, inner, margins)


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
