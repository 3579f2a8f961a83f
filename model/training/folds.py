"""Who is fitted on and who is scored: pairs of rows, never a person on both sides. Knows no model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

from model.errors import DataError
from model.training.people import Outcomes

Rows = npt.NDArray[np.int64]
FOLDS = 5
LEAST_IN_FOLD = 5  # people of either outcome on either side: below it a fold says nothing
# Stratifying groups takes time for each group; among so many, chance alone stratifies.
MOST_STRATIFIED_GROUPS = 20_000


@dataclass(frozen=True, slots=True)
class Folds:
    """`scheme`: "shuffled", "by user" or "by time"; `pairs`: rows to fit on, rows to score. By time the earliest are never scored."""

    scheme: str
    pairs: tuple[tuple[Rows, Rows], ...]

    @property
    def scored(self) -> Rows:
        """The rows that are scored, ascending."""
        return np.sort(np.concatenate([test for _, test in self.pairs]))


def make_folds(outcomes: Outcomes, groups: npt.NDArray[np.int64], dates: npt.NDArray[np.float64] | None, seed: int) -> Folds:
    """Split people, five times.

    By time where outcomes are dated: always fitted on what was known before. Else shuffled, because files are often in the order in which
    people joined, and stratified, because responders are few; endpoints of one user stay together.
    """
    if dates is not None and len(np.unique(dates)) > 1:
        return Folds("by time", split_by_time(outcomes, groups, dates))
    count = int(groups.max()) + 1
    nobody = np.zeros((len(outcomes), 1))
    if count == len(outcomes):
        return Folds("shuffled", tuple(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(nobody, outcomes)))
    splitter = StratifiedGroupKFold if count <= MOST_STRATIFIED_GROUPS else GroupKFold
    pairs = tuple(splitter(FOLDS, shuffle=True, random_state=seed).split(nobody, outcomes, groups))
    for train, test in pairs:
        _check_both(outcomes, train, test, "expected users enough for five folds with both outcomes in each")
    return Folds("by user", pairs)


def split_by_time(outcomes: Outcomes, groups: npt.NDArray[np.int64], dates: npt.NDArray[np.float64]) -> tuple[tuple[Rows, Rows], ...]:
    """Six stretches of about equal size; each but the first is scored by what was fitted on all before it, without its users.

    A day is never cut. Where few days make fewer stretches there are fewer folds. Raises DataError where none has both outcomes.
    """
    order = np.sort(dates)
    edges = np.unique([order[len(order) * cut // (FOLDS + 1)] for cut in range(1, FOLDS + 1)])
    stretch = np.searchsorted(edges, dates, side="right")
    pairs: list[tuple[Rows, Rows]] = []
    for number in range(1, len(edges) + 1):
        test = np.flatnonzero(stretch == number)
        train = np.flatnonzero((stretch < number) & ~np.isin(groups, groups[test]))
        if _has_both(outcomes, train) and _has_both(outcomes, test):
            pairs.append((train, test))
    if not pairs:
        raise DataError(
            f"expected {LEAST_IN_FOLD} people or more with each outcome before and after some date, to judge later outcomes "
            "by earlier ones; leave the dates out to split at random"
        )
    return tuple(pairs)


def _has_both(outcomes: Outcomes, rows: Rows) -> bool:
    ones = int(outcomes[rows].sum())
    return min(ones, len(rows) - ones) >= LEAST_IN_FOLD


def _check_both(outcomes: Outcomes, train: Rows, test: Rows, sentence: str) -> None:
    if not (_has_both(outcomes, train) and _has_both(outcomes, test)):
        raise DataError(sentence)
