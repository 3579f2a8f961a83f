"""Choose a model and its parameters from the people it will be fitted on, and from no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RandomizedSearchCV
from threadpoolctl import threadpool_limits

from model.features import Matrix
from model.training.folds import Rows, sample_rows
from model.training.models import (
    AUTO,
    CANDIDATES,
    MODELS,
    ModelChoice,
    ModelSettings,
    make_model,
    read_directions,
)
from model.training.people import People

# A search is limited by people, trials and folds. A time limit would make the bundle depend on the
# machine.
SEARCHED_PEOPLE = 20_000
SEARCH_TRIALS = 10
SEARCH_FOLDS = 3
COMPARED_PEOPLE = 10_000
FEW = 2_000  # people, below which a comparison uses all five folds instead of three
CLEARLY = 0.001  # of ROC AUC
# Below this, one thread is fast enough (a million people: 4 minutes), and on a busy machine several
# threads wait for each other: two needed over 20 minutes for the same million.
LEAST_FOR_THREADS = 2_000_000


def choose_model(settings: ModelSettings, people: People, rows: Rows, seed: int) -> ModelChoice:
    """Choose what to fit on these `rows`, judged in folds of these rows alone.

    "auto" takes the first of `CANDIDATES` unless another ranks at most 10,000 of the people better.
    With `search`, the best of ten parameter sets follows, by ROC AUC on at most 20,000 people.
    """
    choice = (
        compare_candidates(settings, people, rows, seed)
        if settings.model == AUTO
        else ModelChoice(settings.model, {})
    )
    if not settings.search:
        return choice
    drawn, folds = sample_rows(people.outcomes, people.groups, rows, SEARCHED_PEOPLE, seed)
    matrix = fill_absent(people.matrix[drawn], [train for train, _ in folds])
    search = RandomizedSearchCV(
        make_model(settings, choice, people.spec, len(people.outcomes), seed),
        MODELS[choice.model].search_space,
        n_iter=SEARCH_TRIALS,
        scoring="roc_auc",
        cv=folds[:SEARCH_FOLDS],
        refit=False,
        random_state=seed,
    )
    with limit_threads(len(drawn)):
        best = search.fit(matrix, people.outcomes[drawn]).best_params_
    return ModelChoice(choice.model, dict(best))


def compare_candidates(
    settings: ModelSettings, people: People, rows: Rows, seed: int
) -> ModelChoice:
    """The candidate with the best mean ROC AUC over folds; the first if none is 0.001 better."""
    directed = read_directions(people.spec) is not None
    candidates = [choice for choice in CANDIDATES if MODELS[choice.model].holds or not directed]
    drawn, folds = sample_rows(people.outcomes, people.groups, rows, COMPARED_PEOPLE, seed)
    matrix = fill_absent(people.matrix[drawn], [train for train, _ in folds])
    outcomes = people.outcomes[drawn]
    compared = folds if len(drawn) < FEW else folds[:SEARCH_FOLDS]
    areas = []
    with limit_threads(len(drawn)):
        for choice in candidates:
            model = make_model(settings, choice, people.spec, len(people.outcomes), seed)
            scored = [
                (
                    outcomes[test],
                    model.fit(matrix[train], outcomes[train]).predict_proba(matrix[test])[:, 1],
                )
                for train, test in compared
            ]
            areas.append(np.mean([roc_auc_score(*pair) for pair in scored]))
    best = int(np.argmax(areas))
    return candidates[best] if areas[best] > areas[0] + CLEARLY else candidates[0]


def fill_absent(matrix: Matrix, trains: Sequence[Rows | slice]) -> Matrix:
    """`matrix` with 0 in each column that has no value at all in one of `trains`.

    No model can be fitted on a column without values, and a constant column teaches nothing.
    Such columns occur by time, before a value was recorded, and in samples, if few people have it.
    """
    absent = np.any([np.isnan(matrix[rows]).all(axis=0) for rows in trains], axis=0)
    return np.where(absent, np.float32(0), matrix) if absent.any() else matrix


def limit_threads(people: int) -> Any:
    """A context that fits and scores on one thread below 2,000,000 people."""
    return threadpool_limits(1 if people < LEAST_FOR_THREADS else None)
