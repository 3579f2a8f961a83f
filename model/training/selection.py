"""Choose a model and its parameters from the people it will be fitted on, and from no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.features import Matrix
from model.training.folds import Rows, sample_rows
from model.training.measures import bootstrap_difference
from model.training.models import (
    AUTO,
    MODELS,
    ModelChoice,
    ModelSettings,
    list_candidates,
    make_model,
)
from model.training.people import Outcomes, People
from model.training.verdict import MARGIN

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

    "auto" takes the first of `CANDIDATES`, or the model in use, unless another ranks at most 10,000
    of the people better.
    With `search`, the best of ten parameter sets follows, by ROC AUC on at most 20,000 people.
    """
    from sklearn.model_selection import RandomizedSearchCV  # noqa: PLC0415  # slow to import

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
    """The candidate with the best mean ROC AUC over folds, as `pick_candidate` picks it."""
    candidates = list_candidates(settings, people.spec)
    drawn, folds = sample_rows(people.outcomes, people.groups, rows, COMPARED_PEOPLE, seed)
    matrix = fill_absent(people.matrix[drawn], [train for train, _ in folds])
    outcomes = people.outcomes[drawn]
    compared = folds if len(drawn) < FEW else folds[:SEARCH_FOLDS]
    scores = np.full((len(candidates), len(drawn)), np.nan)
    with limit_threads(len(drawn)):
        for number, choice in enumerate(candidates):
            model = make_model(settings, choice, people.spec, len(people.outcomes), seed)
            for train, test in compared:
                model.fit(matrix[train], outcomes[train])
                scores[number, test] = model.predict_proba(matrix[test])[:, 1]
    tests = [test for _, test in compared]
    number = pick_candidate(settings, scores, outcomes, people.groups[drawn], tests)
    return candidates[number]


def pick_candidate(
    settings: ModelSettings,
    scores: npt.NDArray[np.float64],
    outcomes: Outcomes,
    groups: npt.NDArray[np.int64],
    tests: Sequence[Rows],
) -> int:
    """The number of the candidate with the best mean ROC AUC over `tests`.

    `scores` [candidates, n] are out of fold. The first stays if none is 0.001 better. A model in
    use also stays if the gate could not tell that the other one is as good: otherwise another seed
    would make another model of the same people.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415  # slow to import

    known = [
        test
        for test in tests
        if 0 < outcomes[test].sum() < len(test) and not np.isnan(scores[:, test]).any()
    ]
    areas = [
        np.mean([roc_auc_score(outcomes[test], each[test]) for test in known]) if known else 0.0
        for each in scores
    ]
    best = int(np.argmax(areas))
    if areas[best] <= areas[0] + CLEARLY:
        return 0
    if settings.prior is None:
        return best
    rows = np.sort(np.concatenate(known))
    low, _ = bootstrap_difference(
        scores[best, rows], scores[0, rows], outcomes[rows], groups[rows], seed=0
    )
    return best if low >= -MARGIN else 0


def fill_absent(matrix: Matrix, trains: Sequence[Rows | slice]) -> Matrix:
    """`matrix` with 0 in each column that has no value at all in one of `trains`.

    No model can be fitted on a column without values, and a constant column teaches nothing.
    Such columns occur by time, before a value was recorded, and in samples, if few people have it.
    """
    absent = np.any([np.isnan(matrix[rows]).all(axis=0) for rows in trains], axis=0)
    return np.where(absent, np.float32(0), matrix) if absent.any() else matrix


def limit_threads(people: int) -> Any:
    """A context that fits and scores on one thread below 2,000,000 people."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  # of the extra `train`

    return threadpool_limits(1 if people < LEAST_FOR_THREADS else None)
