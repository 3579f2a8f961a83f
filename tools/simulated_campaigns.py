"""People whose outcomes with and without a message are both known, and campaigns among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segment_scorer.lift.decisions import Decisions, Grouping
from segment_scorer.lift.estimate import Effect, estimate_effect
from segment_scorer.lift.outcome_table import CampaignOutcomes
from segment_scorer.lift.users import SelectedUsers, join_users

Floats = npt.NDArray[np.float64]

USERS = 6000
SHARE = 0.1  # of the users held out


@dataclass(frozen=True, slots=True)
class Population:
    """Each person's outcome without and with a message."""

    without: Floats
    message: Floats
    binary: bool

    @property
    def truth(self) -> float:
        """What the message really changes, on average."""
        return float((self.message - self.without).mean())

    def draw(self, seed: int, share: float = SHARE) -> Effect:
        """One campaign."""
        held_out = np.random.default_rng(seed).random(len(self.without)) < share
        return estimate_effect(self.message[~held_out], self.without[held_out], binary=self.binary)

    def draw_by_user(self, seed: int, owner: npt.NDArray[np.int64], share: float = SHARE) -> Effect:
        """One campaign whose users have several endpoints; their amounts are split among these."""
        held_out = np.random.default_rng(seed).random(len(self.without)) < share
        totals = np.where(held_out, self.without, self.message)
        first = np.concatenate([[True], owner[1:] != owner[:-1]])
        if self.binary:
            values = np.where(first, totals[owner], 0.0)
        else:
            values = totals[owner] / np.bincount(owner)[owner]
        users = add_up(owner, held_out[owner], values)
        groups = (users.outcomes[users.messaged], users.outcomes[~users.messaged])
        return estimate_effect(*groups, binary=self.binary)


def make_responses(rate: float, rise: float, users: int = USERS) -> Population:
    """People of whom a share responds anyway, and a share more only with a message."""
    chance = np.random.default_rng(2026).random(users)
    without, message = ((chance < share).astype(np.float64) for share in (rate, rate + rise))
    return Population(without, message, binary=True)


def make_amounts(growth: float, *, buyers: float = 0.5, users: int = 2 * USERS) -> Population:
    """People of whom a share spends an amount with a long tail, which a message raises."""
    generator = np.random.default_rng(2026)
    amounts = generator.lognormal(3.0, 0.8, users) * (generator.random(users) < buyers)
    return Population(amounts, amounts * (1.0 + growth), binary=False)


def spread_endpoints(users: int) -> npt.NDArray[np.int64]:
    """The user of each endpoint, where every user has one to five."""
    endpoints = np.random.default_rng(2026).integers(1, 6, users)
    return np.repeat(np.arange(users), endpoints)


def add_up(
    owner: npt.NDArray[np.int64], held_out: npt.NDArray[np.bool_], values: Floats
) -> SelectedUsers:
    """The users of a campaign whose endpoints were all selected."""
    count = len(owner)
    ids = np.arange(count)
    none = Grouping(names=(), codes=np.full(count, -1, dtype=np.int32))
    decisions = Decisions(
        ids=ids,
        users=owner,
        selected=np.ones(count, dtype=np.int8),
        holdout=held_out.astype(np.int8),
        sent=(~held_out).astype(np.int8),
        failed=np.zeros(count, dtype=bool),
        scores=np.full(count, np.nan),
        bands=none,
        treatments=none,
        runs=np.zeros(count, dtype=np.int16),
    )
    return join_users(decisions, CampaignOutcomes(key="Id", ids=ids, values=values))[0]


def shows_effect(effect: Effect) -> bool:
    """Whether the interval leaves out 0."""
    return effect.difference.low > 0.0 or effect.difference.high < 0.0
