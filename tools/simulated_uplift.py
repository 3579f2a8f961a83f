"""Campaigns among invented people for whom the effect of the message is known, person by person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from model.training.models import AUTO
from model.training.uplift.campaign import UpliftPeople, split_users
from model.training.uplift.judge import judge_effects
from model.training.uplift.phrases import describe_doubt
from model.training.uplift.selection import fit_effect

Floats = npt.NDArray[np.float64]

FOLDS = 5
NEGATIVE = -0.03  # an effect that is clearly below 0


@dataclass(frozen=True, slots=True)
class Truth:
    """A campaign, and the true effect of the message on each person, float64 [n]."""

    campaign: UpliftPeople
    effect: Floats


def no_effect(features: Floats) -> Floats:
    """The message changes nothing, for nobody."""
    return np.zeros(len(features))


def steady_effect(features: Floats) -> Floats:
    """The effect rises steadily with one feature; it is below 0 for a third of the people."""
    effect: Floats = 0.03 + 0.09 * np.tanh(features[:, 1])
    return effect


def bent_effect(features: Floats) -> Floats:
    """Only people in the middle of one feature are moved; those at both ends are put off."""
    effect: Floats = np.where(np.abs(features[:, 1]) < 0.7, 0.12, -0.06)
    return effect


def draw_campaign(
    seed: int, people: int, effect: Callable[[Floats], Floats], share: float = 0.5
) -> Truth:
    """One campaign: four features, one of which says who responds anyway."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(people, 4))
    treated = (random.random(people) < share).astype(np.int64)
    true = effect(features)
    chance = 0.2 + 0.08 * np.tanh(features[:, 0]) + treated * true
    outcomes = (random.random(people) < chance).astype(np.int64)
    return Truth(
        UpliftPeople(
            matrix=features.astype(np.float32),
            outcomes=outcomes,
            treated=treated,
            groups=np.arange(people),
            share=share,
        ),
        true,
    )


def score_out_of_fold(campaign: UpliftPeople, seed: int) -> tuple[Floats, list[str]]:
    """Effects by models fitted without the people that they score, and the learners chosen."""
    effects, learners = np.empty(len(campaign.outcomes)), []
    for train, test in split_users(campaign, FOLDS, seed):
        model = fit_effect(campaign.choose(train), None, AUTO, seed)
        effects[test] = model.predict(campaign.matrix[test])
        learners.append(model.learner)
    return effects, learners


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the trainer found in one campaign.

    claims      whether it claims that the scores choose people better than a lot
    rank        Spearman's correlation of scores and true effects; 0 where all are the same
    slope       by how much the true effect rises when the score rises by one
    distance    mean distance, over deciles of the score, of mean score and mean true effect
    negative    of the people whom the message clearly puts off, the share with a score below 0
    put_off     whether the observed effect among people with a score below 0 is below 0 too,
                with its whole interval
    """

    claims: bool
    rank: float
    slope: float
    distance: float
    negative: float
    put_off: bool
    learners: tuple[str, ...]


def judge_campaign(truth: Truth, seed: int) -> Found:
    """Score, and compare with the truth."""
    campaign, true = truth.campaign, truth.effect
    effects, learners = score_out_of_fold(campaign, seed)
    metrics, _ = judge_effects(effects, campaign, 0.0, seed)
    varied = effects.std() > 0 and true.std() > 0
    below = true < NEGATIVE
    deciles = np.array_split(np.argsort(effects, kind="stable"), 10)
    interval = metrics["put_off"]["interval"]
    return Found(
        claims=not describe_doubt(metrics),
        rank=float(stats.spearmanr(effects, true).statistic) if varied else 0.0,
        slope=float(np.polyfit(effects, true, 1)[0]) if varied else 0.0,
        distance=float(
            np.mean([abs(effects[part].mean() - true[part].mean()) for part in deciles])
        ),
        negative=float((effects[below] < 0).mean()) if below.any() else 0.0,
        put_off=interval is not None and interval[1] < 0,
        learners=tuple(learners),
    )
