"""Counts different users: of the run, of each row of the report's tables, and by their best score.

Input: the records of all chunks, anew for each pass. Output: sums. Holds a bounded number of
records in memory. No user can be recognised in a sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.statistics import (
    BUCKETS,
    BY_SCORE,
    EPSILON,
    Group,
    read_group,
)
from segment_scorer.runner.second_pass import move_group
from segment_scorer.runner.writing.parts import Part
from segment_scorer.runner.writing.people import (
    HELD,
    KEPT,
    MASKS,
    ONE_PER_USER,
    RECORD,
    SELECTED,
    STAYS,
    Records,
)

MOST_RECORDS = 1 << 20  # in memory at a time: about 180 MB with their order
NOBODY = -math.inf  # in place of a score
# A flag of this module: the score alone decides about the endpoint, and no threshold is too low.
BY_ITS_SCORE, BY_RULES = 8, 16
# group and treatment ("" = none) -> table of the report -> the name of the person's row
NameRows: TypeAlias = Callable[[Group, str], Mapping[str, str]]
Numbers: TypeAlias = npt.NDArray[Any]


class RowFigures(NamedTuple):
    """One row of a table: endpoints, and the different users among them.

    scored    kept endpoints with a score
    expected  sum of their scores; users_expected: of the best kept one of each user
    """

    people: int = 0
    kept: int = 0
    scored: int = 0
    expected: float = 0.0
    users: int = 0
    users_kept: int = 0
    users_expected: float = 0.0

    def add(self, other: RowFigures) -> RowFigures:
        """Add the figures of other users."""
        return RowFigures._make(one + more for one, more in zip(self, other, strict=True))


class BestScores(NamedTuple):
    """Users whose best score is in a bucket, before a budget.

    people    their endpoints that the rules select, without the control group's; expected: the sum
              of their scores. For users whom the rules do not select: the endpoints with that score
    """

    users: int = 0
    people: int = 0
    expected: float = 0.0


class UserCounts(NamedTuple):
    """Different users: all; with an endpoint selected; with one kept; in the control group.

    expected  the best score of each user with a kept endpoint, added up
    rows      table of the report -> row -> its figures
    best      bucket of a score -> the users whose best score is there
    unscored  selected users without a score
    """

    users: int
    selected: int
    kept: int
    held_out: int
    expected: float
    rows: dict[str, dict[str, RowFigures]]
    best: dict[int, BestScores]
    unscored: int


def count_users(
    read: Callable[[], Iterable[Part]], count: int, name_rows: NameRows, config: RunConfig
) -> UserCounts:
    """Count the different users of `count` records, which `read` gives anew for each pass."""
    codes, sums = RowCodes(name_rows, config), UserSums(config)
    passes = count_passes(count)
    for number in range(passes):
        found = [np.empty(0, RECORD)]
        for part in read():
            people = part.records.copy()
            people["group"], marks = codes.number(part)
            people["flags"] = (people["flags"] & MASKS[part.verdicts]) | marks
            if passes > 1:
                people = people[people["user"] % passes == number]
            found.append(people)
        sums.add(np.concatenate(found), codes.rows)
    return sums.finish()


def count_passes(count: int) -> int:
    """How often the records are read, so that few are in memory."""
    return -(-count // MOST_RECORDS) or 1


class RowCodes:
    """A number for everybody who is in the same row of every table.

    rows  for each number, the table -> row
    """

    def __init__(self, name_rows: NameRows, config: RunConfig) -> None:
        """Begin with no number."""
        self.rows: list[Mapping[str, str]] = []
        self._name_rows = name_rows
        self._treatments = ["", *(name for name, _ in config.treatments)]
        self._known: dict[tuple[tuple[str, str], ...], int] = {}

    def number(self, part: Part) -> tuple[Numbers, Numbers]:
        """The number of each person of a chunk, and the flags of this module."""
        records, several = part.records, len(self._treatments)
        keys = records["group"].astype(np.int64) * 4 + part.verdicts
        keys = keys * several + records["treatment"]
        used = np.flatnonzero(np.bincount(keys))
        size = int(keys.max(initial=0)) + 1
        numbers, by_score = np.zeros(size, np.uint32), np.zeros(size, np.bool_)
        for key in used.tolist():
            rest, treatment = divmod(key, several)
            group = read_group(part.size.groups[rest // 4])
            verdict = rest % 4
            moved = group if verdict == STAYS else move_group(group, verdict)
            rows = self._name_rows(moved, self._treatments[treatment])
            code = self._known.setdefault(tuple(rows.items()), len(self.rows))
            if code == len(self.rows):
                self.rows.append(rows)
            numbers[key] = code
            is_by_score = group.reason in BY_SCORE or group.reason == Reason.HOLDOUT
            by_score[key] = is_by_score and verdict != ONE_PER_USER
        by_its_score = by_score[keys] & ~np.isnan(records["score"])
        selected = (records["flags"] & SELECTED != 0) & (part.verdicts != ONE_PER_USER)
        marks = by_its_score * np.uint8(BY_ITS_SCORE) + selected * np.uint8(BY_RULES)
        return numbers[keys], marks.astype(np.uint8)


class UserSums:
    """The sums over the passes. Each user is in one pass."""

    def __init__(self, config: RunConfig) -> None:
        """Begin with nobody."""
        self._config = config
        self._sums = [0, 0, 0, 0, 0]  # all users, with each flag, and selected without a score
        self._expected = 0.0
        self._rows: dict[str, dict[str, RowFigures]] = {}
        self._best: dict[int, BestScores] = {}

    def add(self, people: Records, rows: Sequence[Mapping[str, str]]) -> None:
        """Add whole users."""
        if not len(people):
            return
        people = people[np.argsort(people["user"], kind="stable")]
        starts = find_starts(people["user"])
        number = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(people)]))
        scores, flags = people["score"], people["flags"]
        is_kept = (flags & KEPT != 0) & ~np.isnan(scores)
        kept_scores = np.where(is_kept, scores, NOBODY)
        of_user = np.bitwise_or.reduceat(flags, starts)
        for index, flag in enumerate((0, SELECTED, KEPT, HELD)):
            self._sums[index] += int(np.count_nonzero(of_user & flag == flag))
        self._sums[4] += int(np.count_nonzero(of_user & (BY_RULES | BY_ITS_SCORE) == BY_RULES))
        self._expected += add_up(np.maximum.reduceat(kept_scores, starts))
        for table in rows[0]:
            self._add_table(table, [each[table] for each in rows], people, number, kept_scores)
        self._add_best(people, starts, number)

    def _add_table(
        self,
        table: str,
        names: Sequence[str],
        people: Records,
        number: Numbers,
        kept_scores: Numbers,
    ) -> None:
        """Add to each row of a table."""
        shown = sorted(set(names))
        places = {name: index for index, name in enumerate(shown)}
        row = np.array([places[name] for name in names])[people["group"]]
        is_kept = people["flags"] & KEPT != 0
        sums = [np.bincount(row, minlength=len(shown)), count_in(row, is_kept, shown)]
        sums.append(count_in(row, kept_scores != NOBODY, shown))
        known = np.where(kept_scores == NOBODY, 0.0, kept_scores)
        sums.append(np.bincount(row, weights=known, minlength=len(shown)))
        # The same for users: one pair of user and row is one user of the row. The pairs are nearly
        # in order, which the stable sort takes little time for.
        pairs = number * len(shown) + row
        order = np.argsort(pairs, kind="stable")
        starts = find_starts(pairs[order])
        row = row[order][starts]
        best = np.maximum.reduceat(kept_scores[order], starts)
        sums += [
            np.bincount(row, minlength=len(shown)),
            count_in(row, np.logical_or.reduceat(is_kept[order], starts), shown),
            np.bincount(row, np.where(best == NOBODY, 0.0, best), minlength=len(shown)),
        ]
        found = self._rows.setdefault(table, {})
        for index, name in enumerate(shown):
            figures = [each[index].item() for each in sums]
            found[name] = found.get(name, RowFigures()).add(RowFigures(*figures))

    def _add_best(self, people: Records, starts: Numbers, number: Numbers) -> None:
        """Add users by their best score: the highest, or the lowest where those are kept."""
        below, threshold = self._config.keep == "below", self._config.threshold
        sign = -1.0 if below else 1.0
        flags, scores = people["flags"], people["score"]
        decided = flags & BY_ITS_SCORE != 0
        good = np.where(decided, sign * scores, NOBODY)
        best = np.maximum.reduceat(good, starts)
        selected = np.ones(len(good), np.bool_)
        if threshold is not None:
            selected = scores < threshold if below else scores >= threshold
        counted = decided & (flags & HELD == 0) & (selected | (good == best[number]))
        people_of = np.add.reduceat(counted.astype(np.int64), starts)
        expected_of = np.add.reduceat(np.where(counted, scores, 0.0), starts)
        if self._config.one_per_user:  # whatever the threshold, the best one alone
            people_of = np.minimum(people_of, 1)
            expected_of = np.where(people_of > 0, sign * best, 0.0)
        has_score = best != NOBODY
        places = np.floor(sign * best[has_score] * BUCKETS + EPSILON).astype(np.int64)
        buckets, where = np.unique(places, return_inverse=True)
        sums = (
            np.bincount(where),
            np.bincount(where, people_of[has_score]),
            np.bincount(where, expected_of[has_score]),
        )
        for index, bucket in enumerate(buckets.tolist()):
            had = self._best.get(bucket, BestScores())
            self._best[bucket] = BestScores(
                had.users + int(sums[0][index]),
                had.people + int(sums[1][index]),
                had.expected + float(sums[2][index]),
            )

    def finish(self) -> UserCounts:
        """The sums."""
        users, selected, kept, held_out, unscored = self._sums
        return UserCounts(
            users, selected, kept, held_out, self._expected, self._rows, self._best, unscored
        )


def find_starts(values: Numbers) -> Numbers:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.r_[True, values[1:] != values[:-1]])


def count_in(row: Numbers, which: Numbers, shown: Sequence[str]) -> Numbers:
    """Count some of the people or users by row."""
    return np.bincount(row[which], minlength=len(shown))


def add_up(best: Numbers) -> float:
    """Add the best scores of users who have one."""
    return float(best[best != NOBODY].sum())
