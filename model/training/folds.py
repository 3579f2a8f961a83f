"""Split people into rows to fit on and rows to score, with no user on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.training.people import Outcomes

Rows: TypeAlias = npt.NDArray[np.int64]
Pair: TypeAlias = tuple[Rows, Rows]

FOLDS = 5
LEAST_IN_FOLD = 5  # people with either outcome, on either side: with fewer a fold means nothing
USERS_NEEDED = 50  # with either outcome: users do not divide as evenly as people
# Stratifying takes time for each group. Among so many groups, random folds are balanced anyway.
MOST_STRATIFIED_GROUPS = 20_000
# People with either outcome in a sample, if there are so many: often one in a thousand responds.
LEAST_SAMPLED = 200


class Scheme(StrEnum):
    """How people were held out; `metrics.held_out` of a manifest."""

    SHUFFLED = "shuffled"
    BY_USER = "by user"
    BY_TIME = "by time"


@dataclass(frozen=True, slots=True)
class Folds:
    """Pairs of rows, to fit on and to score. By time, the earliest people are never scored."""

    scheme: Scheme
    pairs: tuple[Pair, ...]

    @property
    def scored(self) -> Rows:
        """The rows that are scored, ascending."""
        return np.sort(np.concatenate([test for _, test in self.pairs]))


class FoldTask(NamedTuple):
    """What a splitter needs: `least` people with either outcome on either side of `parts` folds."""

    outcomes: Outcomes
    groups: npt.NDArray[np.int64]
    dates: npt.NDArray[np.float64] | None
    seed: int
    least: int
    parts: int


def make_folds(
    outcomes: Outcomes,
    groups: npt.NDArray[np.int64],
    dates: npt.NDArray[np.float64] | None,
    seed: int,
    *,
    least: int = LEAST_IN_FOLD,
    parts: int = FOLDS,
) -> Folds:
    """Split people by the scheme that fits them.

    Raises DataError if users, or dates, do not make folds with `least` people of either outcome.
    """
    scheme = choose_scheme(groups, dates)
    task = FoldTask(outcomes, groups, dates, seed, least, parts)
    return Folds(scheme, SCHEMES[scheme].split(task))


def choose_scheme(groups: npt.NDArray[np.int64], dates: npt.NDArray[np.float64] | None) -> Scheme:
    """By time if outcomes have different dates, else by user if users have several endpoints."""
    if dates is not None and len(np.unique(dates)) > 1:
        return Scheme.BY_TIME
    return Scheme.SHUFFLED if int(groups.max()) + 1 == len(groups) else Scheme.BY_USER


def split_shuffled(task: FoldTask) -> tuple[Pair, ...]:
    """Shuffle, because files are often in the order in which people joined; stratify by outcome."""
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415  # slow to import

    folds = StratifiedKFold(task.parts, shuffle=True, random_state=task.seed)
    return tuple(folds.split(np.zeros((len(task.outcomes), 1)), task.outcomes))


def split_by_user(task: FoldTask) -> tuple[Pair, ...]:
    """Shuffle users, each with all endpoints. Raises DataError for folds without both outcomes."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold  # noqa: PLC0415  # slow

    outcomes, groups = task.outcomes, task.groups
    stratified = int(groups.max()) < MOST_STRATIFIED_GROUPS
    splitter = StratifiedGroupKFold if stratified else GroupKFold
    folds = splitter(task.parts, shuffle=True, random_state=task.seed)
    pairs = tuple(folds.split(np.zeros((len(outcomes), 1)), outcomes, groups))
    if not all(_has_both(outcomes, rows, task.least) for pair in pairs for rows in pair):
        ones, zeros = (len(np.unique(groups[outcomes == outcome])) for outcome in (1, 0))
        raise DataError(
            f"expected enough users for {task.parts} folds, each with at least {task.least} "
            f"endpoints of either outcome (usually {USERS_NEEDED} users with each outcome), found "
            f"{ones} users with outcome 1 and {zeros} with outcome 0"
        )
    return pairs


def split_by_time(task: FoldTask) -> tuple[Pair, ...]:
    """Six periods with about as many people; each after the first is scored from all before it.

    A date is never divided, so few dates make fewer folds. A user who is scored is not fitted on.
    Raises DataError if no period has both outcomes before and in it.
    """
    outcomes, groups, dates = task.outcomes, task.groups, task.dates
    if dates is None:
        raise ValueError("expected dates")
    ordered = np.sort(dates)
    edges = np.unique([ordered[len(ordered) * cut // (FOLDS + 1)] for cut in range(1, FOLDS + 1)])
    periods = np.searchsorted(edges, dates, side="right")
    pairs: list[Pair] = []
    for period in range(1, len(edges) + 1):
        test = np.flatnonzero(periods == period)
        train = np.flatnonzero((periods < period) & ~np.isin(groups, groups[test]))
        if _has_both(outcomes, train) and _has_both(outcomes, test):
            pairs.append((train, test))
    if not pairs:
        raise DataError(
            f"expected at least {LEAST_IN_FOLD} people with each outcome before and after some "
            "date, found no such date; remove the date column to split at random"
        )
    return tuple(pairs)


class SchemeEntry(NamedTuple):
    """The function that splits; who was held out, for the model card and for the terminal."""

    split: Callable[[FoldTask], tuple[Pair, ...]]
    sentence: str
    brief: str


SCHEMES: dict[Scheme, SchemeEntry] = {
    Scheme.SHUFFLED: SchemeEntry(
        split_shuffled,
        "people held out at random, each scored by a model fitted on the others",
        "{:,} people held out at random",
    ),
    Scheme.BY_USER: SchemeEntry(
        split_by_user,
        "people held out by user, each scored by a model fitted on other users",
        "{:,} people held out by user",
    ),
    Scheme.BY_TIME: SchemeEntry(
        split_by_time,
        "people held out by time, each scored by a model fitted on earlier people",
        "{:,} later people held out by time",
    ),
}


def sample_rows(
    outcomes: Outcomes, groups: npt.NDArray[np.int64], rows: Rows, most: int, seed: int
) -> tuple[Rows, tuple[Pair, ...]]:
    """A sample as `draw_rows` gives it, and folds of it, for comparisons only."""
    drawn = draw_rows(outcomes, rows, most, seed)
    return drawn, split_rows(outcomes, groups, drawn, seed)


def draw_rows(outcomes: Outcomes, rows: Rows, most: int, seed: int) -> Rows:
    """A random sample of at most `most` rows, ascending.

    Holds at least 200 people with each outcome, or all there are.
    """
    random = np.random.default_rng(seed)
    drawn = random.choice(rows, min(most, len(rows)), replace=False)
    for outcome in (0, 1):
        those = rows[outcomes[rows] == outcome]
        needed = min(LEAST_SAMPLED, len(those), most // 2)
        if (outcomes[drawn] == outcome).sum() < needed:
            others = drawn[outcomes[drawn] != outcome]
            drawn = np.concatenate(
                [random.choice(those, needed, replace=False), others[: most - needed]]
            )
    return np.sort(drawn)


def split_rows(
    outcomes: Outcomes, groups: npt.NDArray[np.int64], rows: Rows, seed: int, parts: int = FOLDS
) -> tuple[Pair, ...]:
    """Folds of these rows, as indexes into `rows`, never by time.

    A fold may hold fewer people with either outcome than a fold of the evaluation. Raises DataError
    as `make_folds` does.
    """
    numbered = np.unique(groups[rows], return_inverse=True)[1]
    return make_folds(outcomes[rows], numbered, None, seed, least=1, parts=parts).pairs


def _has_both(outcomes: Outcomes, rows: Rows, least: int = LEAST_IN_FOLD) -> bool:
    ones = int(outcomes[rows].sum())
    return min(ones, len(rows) - ones) >= least
