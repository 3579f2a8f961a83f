"""The learners of an effect: people of a campaign in, a fitted `EffectModel` out.

To add a learner, add an entry to `LEARNERS`; choice, export and help read it from there. Callers
limit the threads: on a busy machine, many threads on few rows wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from model.features import Matrix
from model.training.models import Directions, ModelSettings, make_logistic
from model.training.selection import fill_absent, limit_threads
from model.training.uplift.campaign import UpliftPeople, split_users

Effects = npt.NDArray[np.float64]

LOW, HIGH = -1.0, 1.0  # of a difference of two probabilities
SIMPLEST = "two-logistic"
CROSS_FITTED = 2  # parts: each row's expected responses come from models of the others


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectModel:
    """A fitted model: effect = `offset` + `slope` x what the parts say, held to -1 to 1.

    parts   one regressor of the effect; or two classifiers, of the messaged and of the others
    """

    learner: str
    parts: tuple[Any, ...]
    offset: float = 0.0
    slope: float = 1.0

    def predict(self, matrix: Matrix) -> Effects:
        """The effect of a message on each person, float64 [n]."""
        with limit_threads(len(matrix)):
            return self.apply(matrix)

    def apply(self, matrix: Matrix) -> Effects:
        """The same, where the caller limits the threads."""
        effects: Effects = np.clip(self.offset + self.slope * self.say(matrix), LOW, HIGH)
        return effects

    def say(self, matrix: Matrix) -> Effects:
        """What the parts say, before `offset` and `slope`."""
        if len(self.parts) == 1:
            return np.asarray(self.parts[0].predict(matrix), dtype=np.float64)
        messaged, others = predict_both(self.parts, matrix)
        return np.asarray(messaged - others, dtype=np.float64)

    def scale(self, offset: float, slope: float) -> EffectModel:
        """The same parts with another offset and slope."""
        return replace(self, offset=offset, slope=slope)


class LearnerEntry(NamedTuple):
    """The function that fits; its name in a sentence; whether it can hold a direction."""

    fit: Callable[[UpliftPeople, Directions, int], EffectModel]
    title: str
    holds: bool


def fit_two_logistic(campaign: UpliftPeople, directions: Directions, seed: int) -> EffectModel:
    """Two logistic regressions, of the people messaged and of the others; the difference of both.

    A "T-learner" of few parameters: the candidate for few people. Raises SpecError for
    `directions`, which a logistic regression cannot hold.
    """
    parts = tuple(
        fit_logistic(campaign.choose(np.flatnonzero(campaign.treated == side)), directions, seed)
        for side in (1, 0)
    )
    return EffectModel(learner=SIMPLEST, parts=parts)


def fit_logistic(campaign: UpliftPeople, directions: Directions, seed: int) -> Any:
    """One logistic regression of who responds.

    The means of its scaler are rounded to float32, as ONNX holds them.
    """
    model = make_logistic(ModelSettings(), directions, len(campaign.outcomes), seed)
    model.fit(fill_absent(campaign.matrix, [slice(None)]), campaign.outcomes)
    scaler = model[1]
    scaler.mean_ = scaler.mean_.astype(np.float32).astype(np.float64)
    scaler.scale_ = scaler.scale_.astype(np.float32).astype(np.float64)
    return model


def fit_dr_learner(campaign: UpliftPeople, directions: Directions, seed: int) -> EffectModel:
    """A DR-learner: a regression of doubly robust effects on the features.

    E. H. Kennedy, "Towards optimal doubly robust estimation of heterogeneous causal effects",
    Electronic Journal of Statistics 17, 2023. By lot the effects are right on average whatever the
    expected responses are; good ones only make them less noisy. Small trees of large leaves,
    because a person's own effect is nearly all noise.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415  # slow to import

    effects = estimate_effects(campaign, seed)
    people = len(effects)
    model = HistGradientBoostingRegressor(
        learning_rate=0.05,
        max_iter=150 if people >= 20_000 else 75,
        max_leaf_nodes=6,
        min_samples_leaf=max(100, people // 100),
        l2_regularization=10.0,
        monotonic_cst=directions,
        early_stopping=False,
        random_state=seed,
    )
    with limit_threads(people):
        model.fit(fill_absent(campaign.matrix, [slice(None)]), effects)
    return EffectModel(learner="dr-learner", parts=(model,))


def estimate_effects(campaign: UpliftPeople, seed: int) -> Effects:
    """A doubly robust effect of each row, float64 [n]: noisy, and right on average.

    Expected response if messaged minus expected response if not, plus what the row's own outcome
    adds to it. The expected responses of a row come from models of other users ("cross-fitted").
    """
    expected = np.empty((2, len(campaign.outcomes)))
    for train, test in split_users(campaign, CROSS_FITTED, seed):
        fitted = fit_two_logistic(campaign.choose(train), None, seed)
        expected[:, test] = predict_both(fitted.parts, campaign.matrix[test])
    return make_robust(campaign, expected)


def predict_both(parts: Sequence[Any], matrix: Matrix) -> npt.NDArray[np.float64]:
    """The expected responses if messaged and if not, float64 [2, n]."""
    return np.array([part.predict_proba(matrix)[:, 1] for part in parts])


def make_robust(campaign: UpliftPeople, expected: npt.NDArray[np.float64]) -> Effects:
    """Doubly robust effects from expected responses, float64 [2, n]: messaged, not messaged."""
    treated, share = campaign.treated == 1, campaign.share
    own = np.where(treated, expected[0], expected[1])
    weights = np.where(treated, 1.0 / share, -1.0 / (1.0 - share))
    effects: Effects = expected[0] - expected[1] + weights * (campaign.outcomes - own)
    return effects


# The simplest first: it is kept unless another is clearly better.
LEARNERS: dict[str, LearnerEntry] = {
    SIMPLEST: LearnerEntry(
        fit_two_logistic, "Two logistic regressions, of people messaged and not messaged", False
    ),
    "dr-learner": LearnerEntry(fit_dr_learner, "A doubly robust learner with boosted trees", True),
}
