"""Choose a learner, and how far to trust it, from the people it will be fitted on alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from model.training.folds import Rows
from model.training.models import AUTO, Directions
from model.training.selection import limit_threads
from model.training.uplift.campaign import UpliftPeople, split_users
from model.training.uplift.learners import (
    LEARNERS,
    SIMPLEST,
    EffectModel,
    Effects,
    fit_two_logistic,
    make_robust,
    predict_both,
)

COMPARED_PEOPLE = 100_000
COMPARED_PARTS = 3
CLEARLY = 1.0  # standard errors


class Trial(NamedTuple):
    """A learner, and the effects that it gave people it was not fitted on, float64 [n]."""

    learner: str
    said: Effects


def fit_effect(
    campaign: UpliftPeople, directions: Directions, asked: str, seed: int
) -> EffectModel:
    """Choose a learner, fit it on these people, and scale its effects.

    Both the models that are judged and the one that ships are made here.
    """
    with limit_threads(len(campaign.outcomes)):
        sample = draw_users(campaign, COMPARED_PEOPLE, seed)
        trials, effects = try_learners(sample, directions, asked, seed)
        trial = choose_trial(trials, effects, sample.groups)
        model = LEARNERS[trial.learner].fit(campaign, directions, seed)
        said = model.say(campaign.matrix)
    slope = find_slope(trial.said, effects)
    mean = find_mean(campaign)
    return model.scale(mean - slope * float(said.mean()), slope)


def draw_users(campaign: UpliftPeople, most: int, seed: int) -> UpliftPeople:
    """A random sample of users with about `most` rows at most; all of them if they are no more."""
    count = len(campaign.outcomes)
    if count <= most:
        return campaign
    users = int(campaign.groups.max()) + 1
    drawn = np.random.default_rng(seed).random(users) < most / count
    return campaign.choose(np.flatnonzero(drawn[campaign.groups]))


def try_learners(
    campaign: UpliftPeople, directions: Directions, asked: str, seed: int
) -> tuple[list[Trial], Effects]:
    """Fit each candidate in folds, the simplest first; and the doubly robust effects, float64 [n].

    `asked`: a key of `LEARNERS`, or "auto". The two logistic models are the first candidate, and
    they give the expected responses that the effects are made from.
    """
    names = [
        name
        for name, entry in LEARNERS.items()
        if (asked == AUTO and (entry.holds or directions is None)) or asked == name
    ]
    count = len(campaign.outcomes)
    said = {name: np.empty(count) for name in names}
    expected = np.empty((2, count))
    for train, test in split_users(campaign, COMPARED_PARTS, seed + 1):
        part, matrix = campaign.choose(train), campaign.matrix[test]
        expected[:, test] = predict_both(fit_two_logistic(part, None, seed).parts, matrix)
        for name in names:
            if name == SIMPLEST:
                said[name][test] = expected[0, test] - expected[1, test]
            else:
                said[name][test] = LEARNERS[name].fit(part, directions, seed).say(matrix)
    trials = [Trial(name, values) for name, values in said.items()]
    return trials, make_robust(campaign, expected)


def choose_trial(trials: Sequence[Trial], effects: Effects, groups: Rows) -> Trial:
    """The first learner, unless a later one is closer to the doubly robust effects beyond chance.

    Each is compared after scaling, by the squared distance, with a standard error by user.
    """
    best = trials[0]
    for trial in trials[1:]:
        gain = measure_distance(best.said, effects) - measure_distance(trial.said, effects)
        _, users = np.unique(groups, return_inverse=True)
        totals = np.bincount(users, gain)
        error = float(totals.std() * np.sqrt(len(totals)))
        if float(totals.sum()) > CLEARLY * error:
            best = trial
    return best


def measure_distance(said: Effects, effects: Effects) -> Effects:
    """The squared distance of each row's effect, after scaling."""
    slope = find_slope(said, effects)
    distance: Effects = (effects - effects.mean() - slope * (said - said.mean())) ** 2
    return distance


def find_slope(said: Effects, effects: Effects) -> float:
    """How much of the differences that a learner says is there, 0 to 1.

    The slope of a regression of doubly robust effects on what was said of people not fitted on
    (the "best linear predictor" of V. Chernozhukov et al., 2018). 0: all people get the mean.
    """
    spread = float(said.var())
    if spread == 0.0:
        return 0.0
    slope = float(((effects - effects.mean()) * (said - said.mean())).mean()) / spread
    return min(1.0, max(0.0, slope))


def find_mean(campaign: UpliftPeople) -> float:
    """The mean effect: the response rate of people messaged minus that of the others."""
    treated = campaign.treated == 1
    return float(campaign.outcomes[treated].mean() - campaign.outcomes[~treated].mean())
