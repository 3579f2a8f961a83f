"""Decisions and outcomes in, users out: who was messaged, who was held out, how each responded.

The user is the unit (design decision 12): all endpoints of a user are on one side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from segment_scorer.lift.decisions import UNKNOWN, Codes, Decisions, Grouping
from segment_scorer.lift.outcome_table import CampaignOutcomes
from segment_scorer.lift.tables import Hashes, match_hashes

Scalar = TypeVar("Scalar", bound=np.generic)
Missing: TypeAlias = Literal["auto", "zero", "exclude"]
SEVERAL = -2  # code of a user whose endpoints got different treatments


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedUsers:
    """The selected users, element by element.

    messaged    True: messaged by intention to treat, whatever became of the message; False: control
    outcomes    0 or 1, or the sum of the user's amounts; NaN where none is known
    scores      the highest score of the user's selected endpoints; NaN where there is none
    bands, treatments  of the endpoint with that score; treatment code -2 where they differ
    messages    messages sent to the user; of the control group, those that would have been sent
    """

    messaged: npt.NDArray[np.bool_]
    outcomes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    bands: Grouping
    treatments: Grouping
    messages: npt.NDArray[np.int64]

    def choose(self, rows: npt.NDArray[np.bool_]) -> SelectedUsers:
        """The users that `rows` marks."""
        return SelectedUsers(
            messaged=self.messaged[rows],
            outcomes=self.outcomes[rows],
            scores=self.scores[rows],
            bands=replace(self.bands, codes=self.bands.codes[rows]),
            treatments=replace(self.treatments, codes=self.treatments.codes[rows]),
            messages=self.messages[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchCounts:
    """What the join saw, for the checks.

    unknown_rows         endpoints whose `selected` or `holdout` is empty, though it is needed
    failed_rows          of them, endpoints for which the hook gave no valid answer
    in_both_groups       users with an endpoint in the control group and another outside it
    control_sent         selected users of the control group who were sent a message all the same
    not_sent             messaged users whose every message failed
    several_runs         users who are in more than one run
    outcomes, matched    ids in the outcomes file, and how many of them are in the decisions
    """

    unknown_rows: int
    failed_rows: int
    in_both_groups: int
    control_sent: int
    not_sent: int
    several_runs: int
    outcomes: int
    matched: int


def join_users(
    decisions: Decisions, outcomes: CampaignOutcomes
) -> tuple[SelectedUsers, MatchCounts]:
    """Add up endpoints by user and give the selected ones.

    A user is selected if any endpoint is. An endpoint that failed and of which nothing is known
    is left out: a hook fails for a whole batch, whichever group its people are in.
    """
    unknown, unknown_rows = _find_unknown(decisions)
    keys, user = np.unique(decisions.users, return_inverse=True)
    count = len(keys)
    chosen = decisions.selected == 1
    selected = _count(user, chosen, count) > 0
    in_control = _count(user, decisions.holdout == 1, count)
    outside = _count(user, decisions.holdout == 0, count)
    held_out = in_control > 0
    sent = _count(user, chosen & (decisions.sent == 1), count)
    sent_unknown = _count(user, chosen & (decisions.sent == UNKNOWN), count) > 0
    messages = np.where(sent_unknown | held_out, _count(user, chosen, count), sent)
    values, matched = _add_outcomes(decisions, outcomes, keys, user, count)
    # The last write wins: in order of score it is that of the highest-scored selected endpoint.
    order = np.flatnonzero(chosen)
    order = order[np.argsort(np.nan_to_num(decisions.scores[order], nan=-np.inf), kind="stable")]
    everybody = SelectedUsers(
        messaged=~held_out,
        outcomes=values,
        scores=_spread(user[order], decisions.scores[order], count, np.nan),
        bands=Grouping(
            names=decisions.bands.names,
            codes=_spread(user[order], decisions.bands.codes[order], count, -1),
        ),
        treatments=Grouping(
            names=decisions.treatments.names,
            codes=_find_treatments(user, decisions, chosen, count),
        ),
        messages=messages,
    )
    return everybody.choose(selected), MatchCounts(
        unknown_rows=unknown_rows,
        failed_rows=int((unknown & decisions.failed).sum()),
        in_both_groups=int((selected & held_out & (outside > 0)).sum()),
        control_sent=int((selected & held_out & (sent > 0)).sum()),
        not_sent=int((selected & ~held_out & ~sent_unknown & (sent == 0)).sum()),
        several_runs=_count_several_runs(user, decisions, count),
        outcomes=len(outcomes.ids),
        matched=matched,
    )


def select_users(decisions: Decisions) -> SelectedUsers:
    """The selected users, before anybody's outcome is known."""
    nothing = CampaignOutcomes(key="Id", ids=np.empty(0, np.int64), values=np.empty(0))
    return join_users(decisions, nothing)[0]


def fill_missing(users: SelectedUsers, outcomes: CampaignOutcomes, missing: Missing) -> bool:
    """Whether people without an outcome count as 0. "auto": yes, if the file lists no 0 at all."""
    zero = missing == "zero" or (missing == "auto" and outcomes.lists_only_responders)
    if zero:
        users.outcomes[np.isnan(users.outcomes)] = 0.0
    return zero


def _find_unknown(decisions: Decisions) -> tuple[npt.NDArray[np.bool_], int]:
    """Rows that cannot be used, and how many of them are no failure of the hook."""
    unknown = (decisions.selected == UNKNOWN) | (
        (decisions.selected == 1) & (decisions.holdout == UNKNOWN)
    )
    return unknown, int((unknown & ~decisions.failed).sum())


def _count(user: Hashes, rows: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.int64]:
    """How many of `rows` each user has."""
    return np.bincount(user[rows], minlength=count)


def _add_outcomes(
    decisions: Decisions, outcomes: CampaignOutcomes, keys: Hashes, user: Hashes, count: int
) -> tuple[npt.NDArray[np.float64], int]:
    """Each user's outcome, NaN where no id of theirs has one; and how many outcomes were used."""
    if outcomes.key == "UserId":
        found, positions = match_hashes(keys, outcomes.ids)
        totals = np.full(count, np.nan)
        totals[found] = outcomes.values[positions[found]]
        return totals, int(found.sum())
    ids, first = np.unique(decisions.ids, return_index=True)  # an id counts once, in many runs too
    found, positions = match_hashes(ids, outcomes.ids)
    owner, values = user[first][found], outcomes.values[positions[found]]
    totals = np.bincount(owner, weights=values, minlength=count)
    if outcomes.binary:
        totals = np.minimum(totals, 1.0)
    return np.where(_count(owner, np.ones(len(owner), dtype=bool), count) > 0, totals, np.nan), int(
        found.sum()
    )


def _spread(
    owner: Hashes, values: npt.NDArray[Scalar], count: int, empty: float
) -> npt.NDArray[Scalar]:
    """The last value of each owner."""
    spread = np.full(count, empty, dtype=values.dtype)
    spread[owner] = values
    return spread


def _find_treatments(
    user: Hashes, decisions: Decisions, chosen: npt.NDArray[np.bool_], count: int
) -> Codes:
    """Each user's treatment; -2 where the selected endpoints differ."""
    codes = decisions.treatments.codes
    known = chosen & (codes >= 0)
    lowest = np.full(count, np.iinfo(np.int32).max, dtype=np.int32)
    highest = np.full(count, -1, dtype=np.int32)
    np.minimum.at(lowest, user[known], codes[known])
    np.maximum.at(highest, user[known], codes[known])
    return np.where((highest >= 0) & (lowest != highest), SEVERAL, highest).astype(np.int32)


def _count_several_runs(user: Hashes, decisions: Decisions, count: int) -> int:
    """Users with endpoints in more than one run."""
    if not decisions.runs.any():
        return 0
    lowest = np.full(count, np.iinfo(np.int16).max, dtype=np.int16)
    highest = np.zeros(count, dtype=np.int16)
    np.minimum.at(lowest, user, decisions.runs)
    np.maximum.at(highest, user, decisions.runs)
    return int((lowest != highest).sum())
