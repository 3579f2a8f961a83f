"""Compare models inside every fold of a cross-validation at once, without by-time folds.

A model fitted without the folds i and j scores both. It serves the comparison inside the training
part of fold i, on fold j, and that inside the training part of fold j, on fold i. With each fold
and the next one left out, five fits a candidate serve all five folds: each compares on two others.
No comparison has seen the fold that its choice is judged by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from model.training.fit import find_margins
from model.training.folds import Folds, Rows, draw_rows
from model.training.measures import Scores
from model.training.models import ModelChoice, ModelSettings, list_candidates, make_model
from model.training.people import People
from model.training.selection import (
    COMPARED_PEOPLE,
    fill_absent,
    limit_threads,
    pick_candidate,
)
from model.training.target_rates import encode_for

Fitted = Callable[[int], None]  # told how many rows a model was fitted on


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerMargins:
    """Margins of people inside each fold's training part.

    rows     int64 [m]: the people compared, all or a sample
    fold_of  int64 [m]: the fold of each
    margins  candidate -> float64 [folds, m]: `margins[choice][k, i]` is of person `rows[i]` by a
             model that saw neither fold k nor the person's own fold; NaN in fold k itself, and in
             folds that are not next to it
    """

    rows: Rows
    fold_of: npt.NDArray[np.int64]
    margins: dict[str, npt.NDArray[np.float64]]


def name_choice(choice: ModelChoice) -> str:
    """A key for a choice, whose parameters are a dict."""
    return f"{choice.model} {sorted(choice.parameters.items())}"


def compare_in_folds(
    settings: ModelSettings, people: People, folds: Folds, seed: int, fitted: Fitted
) -> tuple[list[ModelChoice], ModelChoice, InnerMargins]:
    """The choice inside each fold; the choice for all people; and what they were made from."""
    candidates = list_candidates(settings, people.spec)
    rows = draw_rows(people.outcomes, folds.scored, COMPARED_PEOPLE, seed)
    wanted = [candidates] * len(folds.pairs)
    inner = fit_pairs(settings, people, folds, rows, wanted=wanted, seed=seed, fitted=fitted)
    outcomes, groups = people.outcomes[rows], people.groups[rows]
    parts = [np.flatnonzero(inner.fold_of == fold) for fold in range(len(folds.pairs))]
    stacked = np.array([inner.margins[name_choice(choice)] for choice in candidates])
    choices = []
    for fold in range(len(parts)):
        others = [part for other, part in enumerate(parts) if other != fold]
        number = pick_candidate(settings, stacked[:, fold], outcomes, groups, others)
        choices.append(candidates[number])
    # For all people: each person by a model that saw neither the person's fold nor the next one.
    following = (inner.fold_of + 1) % len(parts)
    once = stacked[:, following, np.arange(len(rows))]
    return choices, candidates[pick_candidate(settings, once, outcomes, groups, parts)], inner


def fit_pairs(
    settings: ModelSettings,
    people: People,
    folds: Folds,
    rows: Rows,
    *,
    wanted: Sequence[Sequence[ModelChoice]],
    seed: int,
    fitted: Fitted,
) -> InnerMargins:
    """Fit the choices that `wanted[k]` names for fold k without that fold and one next to it."""
    fold_of = find_folds(folds, len(people.outcomes))[rows]
    count, matrix, outcomes = len(wanted), people.matrix[rows], people.outcomes[rows]
    margins: dict[str, npt.NDArray[np.float64]] = {}
    for first, second in list_pairs(count):
        train = np.flatnonzero((fold_of != first) & (fold_of != second))
        known = encode_for(people, rows[train], seed)
        filled = fill_absent(matrix if known is people else known.matrix[rows], [train])
        named = {name_choice(choice): choice for k in (first, second) for choice in wanted[k]}
        for name, choice in named.items():
            at = margins.setdefault(name, np.full((count, len(rows)), np.nan))
            if not 0 < outcomes[train].sum() < len(train):
                continue  # a sample of few users
            model = make_model(settings, choice, people.spec, len(people.outcomes), seed)
            with limit_threads(len(people.outcomes)):
                model.fit(filled[train], outcomes[train])
                for outer, scored in ((first, second), (second, first)):
                    part = np.flatnonzero(fold_of == scored)
                    at[outer, part] = find_margins(model, filled[part]) if len(part) else 0.0
            fitted(len(train))
    return InnerMargins(rows=rows, fold_of=fold_of, margins=margins)


def list_pairs(folds: int) -> list[tuple[int, int]]:
    """Each fold and the next one, the last with the first."""
    return sorted({(min(k, (k + 1) % folds), max(k, (k + 1) % folds)) for k in range(folds)})


def find_folds(folds: Folds, people: int) -> npt.NDArray[np.int64]:
    """The fold that each person is scored in, int64 [n]."""
    fold_of = np.full(people, -1, dtype=np.int64)
    for fold, (_, test) in enumerate(folds.pairs):
        fold_of[test] = fold
    return fold_of


def calibrate_by_pairs(
    people: People,
    folds: Folds,
    choices: Sequence[ModelChoice],
    inner: InnerMargins,
    margins: Scores,
) -> Scores | None:
    """Scores [n] through a sigmoid that each fold learns from the margins inside its training part.

    `margins` [n] are those of the folds' own models. None if a sigmoid does not rise.
    """
    through = np.full(len(people.outcomes), np.nan)
    outcomes = people.outcomes[inner.rows]
    for fold, ((_, test), choice) in enumerate(zip(folds.pairs, choices, strict=True)):
        known = inner.margins[name_choice(choice)][fold]
        train = np.flatnonzero(~np.isnan(known))
        learnt = known[train].reshape(-1, 1)
        sigmoid = LogisticRegression(C=1e6).fit(learnt, outcomes[train])
        if sigmoid.coef_[0, 0] <= 0:
            return None
        through[test] = sigmoid.predict_proba(margins[test].reshape(-1, 1))[:, 1]
    return through
