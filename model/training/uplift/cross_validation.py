"""Score people by models fitted without them: of the effect, and of the response to compare with.

Never fits what ships.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.features import FeatureSpec
from model.people.progress import Progress
from model.training.folds import FOLDS
from model.training.models import Directions, ModelSettings, make_boosting
from model.training.selection import fill_absent, limit_threads
from model.training.uplift.campaign import UpliftPeople, split_users
from model.training.uplift.learners import EffectModel
from model.training.uplift.selection import fit_effect

PERMUTED_PEOPLE = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UpliftValidation:
    """Scores of people by models that were fitted without them; row i is person i.

    effects     float64 [n], the effect of a message, -1 to 1
    responses   float64 [n], the score of a response model of the people messaged
    learners    the learner chosen in each fold, and how often
    importance  by feature: how far the effect moves, on average, when the feature is permuted
    """

    effects: npt.NDArray[np.float64]
    responses: npt.NDArray[np.float64]
    learners: dict[str, int]
    folds: int
    importance: dict[str, float]


def cross_validate(
    campaign: UpliftPeople,
    spec: FeatureSpec,
    progress: Progress,
    *,
    directions: Directions,
    asked: str,
    seed: int,
) -> UpliftValidation:
    """Choose, fit and scale a model in each fold as for all people, and score the rest."""
    count = len(campaign.outcomes)
    effects, responses = np.empty(count), np.empty(count)
    learners: Counter[str] = Counter()
    moves = []
    pairs = split_users(campaign, FOLDS, seed)
    for fold, (train, test) in enumerate(pairs):
        progress("cross-validating", fold, len(pairs))
        part, matrix = campaign.choose(train), campaign.matrix[test]
        model = fit_effect(part, directions, asked, seed)
        learners[model.learner] += 1
        with limit_threads(count):
            effects[test] = model.apply(matrix)
            responses[test] = score_responses(part, matrix, seed)
            moves.append(permute_features(model, spec, matrix, seed + fold))
    progress("cross-validating", len(pairs), len(pairs))
    return UpliftValidation(
        effects=effects,
        responses=responses,
        learners=dict(learners),
        folds=len(pairs),
        importance={
            feature.name: round(float(move), 6)
            for feature, move in zip(spec.features, np.mean(moves, axis=0), strict=True)
        },
    )


def score_responses(
    campaign: UpliftPeople, matrix: npt.NDArray[np.float32], seed: int
) -> npt.NDArray[np.float64]:
    """Score `matrix` by a response model of the people messaged, as `train` fits without a lot."""
    messaged = campaign.choose(np.flatnonzero(campaign.treated == 1))
    model = make_boosting(ModelSettings(), None, len(messaged.outcomes), seed)
    model.fit(fill_absent(messaged.matrix, [slice(None)]), messaged.outcomes)
    scores: npt.NDArray[np.float64] = model.predict_proba(matrix)[:, 1]
    return scores


def permute_features(
    model: EffectModel, spec: FeatureSpec, matrix: npt.NDArray[np.float32], seed: int
) -> npt.NDArray[np.float64]:
    """How far the effect moves when a feature is permuted with all its columns: [features]."""
    random = np.random.default_rng(seed)
    if len(matrix) > PERMUTED_PEOPLE:
        matrix = matrix[random.choice(len(matrix), PERMUTED_PEOPLE, replace=False)]
    whole, moves = model.apply(matrix), np.zeros(len(spec.features))
    for number, (feature, start) in enumerate(zip(spec.features, spec.starts, strict=True)):
        permuted = matrix.copy()
        columns = slice(start, start + len(feature.columns))
        permuted[:, columns] = matrix[random.permutation(len(matrix)), columns]
        moves[number] = np.abs(model.apply(permuted) - whole).mean()
    return moves
