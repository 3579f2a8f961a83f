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
USERS_NEEDED = 50  # with either outcome: users do not divide as evenly as people
# Stratifying groups takes time for each group; among so many, chance alone stratifies.
MOST_STRATIFIED_GROUPS = 20_000
# People of either outcome that a sample holds, where there are so many: responders are often one in a thousand.
LEAST_DRAWN = 200


@dataclass(frozen=True, slots=True)
class Folds:
    """`scheme`: "shuffled", "by user" or "by time"; `pairs`: rows to fit on, rows to score. By time the earliest are never scored."""

    scheme: str
    pairs: tuple[tuple[Rows, Rows], ...]

    @property
    def scored(self) -> Rows:
        """The rows that are scored, ascending."""
        return np.sort(np.concatenate([test for _, test in self.pairs]))


def make_folds(
    outcomes: Outcomes,
    groups: npt.NDArray[np.int64],
    dates: npt.NDArray[np.float64] | None,
    seed: int,
    *,
    least: int = LEAST_IN_FOLD,
    parts: int = FOLDS,
) -> Folds:
    """Split people, five times or as often as `parts` says.

    By time where outcomes are dated: always fitted on what was known before. Else shuffled, because files are often in the order in which
    people joined, and stratified, because responders are few; endpoints of one user stay together. Raises DataError where
    users do not make five folds with `least` endpoints of either outcome on either side.
    """
    if dates is not None and len(np.unique(dates)) > 1:
        return Folds("by time", split_by_time(outcomes, groups, dates))
    count = int(groups.max()) + 1
    nobody = np.zeros((len(outcomes), 1))
    if count == len(outcomes):
        return Folds(
            "shuffled",
            tuple(StratifiedKFold(parts, shuffle=True, random_state=seed).split(nobody, outcomes)),
        )
    splitter = StratifiedGroupKFold if count <= MOST_STRATIFIED_GROUPS else GroupKFold
    pairs = tuple(splitter(parts, shuffle=True, random_state=seed).split(nobody, outcomes, groups))
    if not all(_has_both(outcomes, rows, least) for pair in pairs for rows in pair):
        ones, zeros = (len(np.unique(groups[outcomes == outcome])) for outcome in (1, 0))
        raise DataError(
            f"expected users enough for five folds with both outcomes in each, {least} times or more: "
            f"usually {USERS_NEEDED} users with each outcome, found {ones} with 1 and {zeros} with 0"
        )
    return Folds("by user", pairs)


def split_by_time(
    outcomes: Outcomes, groups: npt.NDArray[np.int64], dates: npt.NDArray[np.float64]
) -> tuple[tuple[Rows, Rows], ...]:
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


def draw_rows(
    outcomes: Outcomes, groups: npt.NDArray[np.int64], rows: Rows, most: int, seed: int
) -> tuple[Rows, tuple[tuple[Rows, Rows], ...]]:
    """At most so many of the rows, ascending, and folds of them, to compare on: they may be thinner than those that figures are told from.

    Drawn at random, but so that 200 of either outcome are among them, or all there are.
    """
    random = np.random.default_rng(seed)
    drawn = random.choice(rows, min(most, len(rows)), replace=False)
    for outcome in (0, 1):
        those = rows[outcomes[rows] == outcome]
        needed = min(LEAST_DRAWN, len(those), most // 2)
        if (outcomes[drawn] == outcome).sum() < needed:
            others = drawn[outcomes[drawn] != outcome]
            drawn = np.concatenate(
                [random.choice(those, needed, replace=False), others[: most - needed]]
            )
    drawn = np.sort(drawn)
    return drawn, split_rows(outcomes, groups, drawn, seed)


def split_rows(
    outcomes: Outcomes, groups: npt.NDArray[np.int64], rows: Rows, seed: int, parts: int = FOLDS
) -> tuple[tuple[Rows, Rows], ...]:
    """Folds of these rows, shuffled, told by their place in `rows`.

    They may be thinner than those that figures are told from. Raises DataError as `make_folds` does.
    """
    numbered = np.unique(groups[rows], return_inverse=True)[1]
    return make_folds(outcomes[rows], numbered, None, seed, least=1, parts=parts).pairs


def _has_both(outcomes: Outcomes, rows: Rows, least: int = LEAST_IN_FOLD) -> bool:
    ones = int(outcomes[rows].sum())
    return min(ones, len(rows) - ones) >= least
