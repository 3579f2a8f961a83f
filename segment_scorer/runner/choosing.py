"""Choose the people of a budget, and one endpoint of each user, among those the rules selected.

Input: a file of records, one a person. Output: a verdict for each, in a file beside it. Holds a
bounded number of records in memory. The same records give the same verdicts, whatever the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from segment_scorer.runner.budget import Budget
from segment_scorer.runner.progress import Watch, ignore_people
from segment_scorer.runner.writing.people import (
    HELD,
    KEPT,
    NOT_SELECTED,
    ONE_PER_USER,
    OVER_BUDGET,
    RECORD,
    SELECTED,
    STAYS,
    Records,
    count_records,
    read_in_blocks,
)

MOST_RECORDS = 1 << 22  # candidates in memory at a time: about 250 MB with their order
VERDICTS, BEST = "verdicts.bin", "best.bin"
FIRST = 0x80  # in verdicts while choosing: the best endpoint of its user
DIGITS = 4  # of 16 bits, in a key of 64
Keys = npt.NDArray[np.uint64]
# Gives the records in blocks, each with the index of its first record, anew at each call.
Read: TypeAlias = Callable[[], Iterator[tuple[int, Records]]]


class Choice(NamedTuple):
    """What was chosen.

    users    users with a selected endpoint, before the budget
    chosen   users that the budget leaves
    score    the score of the last of them; NaN without a budget, or if the last has no score
    at_score users whose score is that good or better: those that this threshold selects
    better   users whose score is better
    """

    users: int
    chosen: int
    score: float
    at_score: int
    better: int


def choose_people(
    path: Path,
    *,
    budget: Budget | None,
    one_per_user: bool,
    below: bool,
    acts: bool,
    watch: Watch = ignore_people,
) -> Choice:
    """Write a verdict for each record, in VERDICTS beside `path`.

    below  whether low scores are the good ones
    acts   mode annotate returned everybody: leave out whom the rules do not message
    watch  is told of the records read, `count_steps` times all of them
    """
    count = count_records(path)

    def read() -> Iterator[tuple[int, Records]]:
        for first, records in read_in_blocks(path):
            yield first, records
            watch(len(records))

    verdicts = np.memmap(path.parent / VERDICTS, np.uint8, "w+", shape=(max(count, 1),))
    best = np.memmap(path.parent / BEST, np.uint64, "w+", shape=(max(count, 1),))
    users = rank_endpoints(
        read, count_passes(count), verdicts, best, below=below, one_per_user=one_per_user
    )
    choice = Choice(users, users, float("nan"), users, 0)
    limit = None
    if budget is not None and (chosen := budget.count(users)) < users:
        limit, at_score, better = find_limit(read, verdicts, best, chosen)
        choice = Choice(users, chosen, score_of(limit[0], below=below), at_score, better)
    elif budget is not None:
        watch(2 * DIGITS * count)
    for first, records in read():
        part = slice(first, first + len(records))
        selected = records["flags"] & SELECTED != 0
        found = verdicts[part] & np.uint8(~FIRST & 0xFF)
        if limit is not None:
            keys, (key, user) = best[part], limit
            over = (keys > key) | ((keys == key) & (records["user"] > user))
            found[selected & over & (found == STAYS)] = OVER_BUDGET
        if acts:
            held = records["flags"] & HELD != 0
            left = (records["flags"] & KEPT != 0) & (~selected | held) & (found == STAYS)
            found[left] = NOT_SELECTED
        verdicts[part] = found
    verdicts.flush()
    del best
    (path.parent / BEST).unlink()
    return choice


def count_passes(count: int) -> int:
    """How often the records are read to rank them, so that few are in memory."""
    return -(-count // MOST_RECORDS) or 1


def count_steps(count: int, budget: Budget | None) -> int:
    """How often `choose_people` passes over the records."""
    return count_passes(count) + 1 + (2 * DIGITS if budget else 0)


def make_keys(scores: npt.NDArray[np.float64], *, below: bool) -> Keys:
    """Whole numbers in the order of the scores, the best first; without a score last."""
    bits = (scores + 0.0).view(np.uint64)  # + 0.0: -0.0 is 0.0
    sign = np.uint64(1 << 63)
    ascending = np.where(bits & sign != 0, ~bits, bits | sign)
    keys = ascending if below else ~ascending
    return np.where(np.isnan(scores), np.uint64(2**64 - 1), keys)


def score_of(key: int, *, below: bool) -> float:
    """The score of a key; NaN for the key of no score."""
    if key == 2**64 - 1:
        return float("nan")
    ascending = key if below else ~key & (2**64 - 1)
    bits = ascending & ~(1 << 63) if ascending >> 63 else ~ascending & (2**64 - 1)
    return float(np.array([bits], np.uint64).view(np.float64)[0])


def rank_endpoints(
    read: Read, passes: int, verdicts: Any, best: Any, *, below: bool, one_per_user: bool
) -> int:
    """Mark the best selected endpoint of each user, and note that one's key on all of the user.

    Ties go by the channels' rank, then by a hash of the id. Returns the number of users.
    """
    users = 0
    for number in range(passes):
        parts, indices = [np.empty(0, RECORD)], [np.empty(0, np.int64)]
        for first, records in read():
            mine = (records["flags"] & SELECTED != 0) & (records["user"] % passes == number)
            parts.append(records[mine])
            indices.append(np.flatnonzero(mine) + first)
        found, index = np.concatenate(parts), np.concatenate(indices)
        if not len(found):
            continue
        keys = make_keys(found["score"], below=below)
        order = np.lexsort((index, found["tie"], found["rank"], keys, found["user"]))
        user, keys, index = found["user"][order], keys[order], index[order]
        is_first = np.r_[True, user[1:] != user[:-1]]
        starts = np.flatnonzero(is_first)
        best[index] = np.repeat(keys[starts], np.diff(np.r_[starts, len(index)]))
        verdicts[index[is_first]] = FIRST
        if one_per_user:
            verdicts[index[~is_first]] = ONE_PER_USER
        users += len(starts)
    return users


def find_limit(
    read: Read, verdicts: Any, best: Any, chosen: int
) -> tuple[tuple[int, int], int, int]:
    """The key and the hash of the last user in the budget; users with that key or better; better.

    Counts 16 bits at a time, so that no user but the counts is held in memory.
    """

    def blocks() -> Iterator[tuple[Keys, Keys]]:
        for first, records in read():
            part = slice(first, first + len(records))
            is_first = verdicts[part] == FIRST
            yield best[part][is_first], records["user"][is_first]

    if chosen == 0:
        return (0, 0), 0, 0
    key, before, equal = find_nth(blocks, chosen, key=None)
    user, _, _ = find_nth(blocks, chosen - before, key=key)
    return (key, user), before + equal, before


def find_nth(
    blocks: Callable[[], Iterator[tuple[Keys, Keys]]], wanted: int, *, key: int | None
) -> tuple[int, int, int]:
    """The value that `wanted` values reach, how many are smaller, and how many equal it.

    blocks  keys and hashes of users, anew at each call
    key     None: of the keys; else of the hashes of the users with this key
    """
    prefix = before = equal = 0
    for digit in range(DIGITS):
        shift = np.uint64(16 * (DIGITS - 1 - digit))
        counts = np.zeros(1 << 16, np.int64)
        for keys, users in blocks():
            values = keys if key is None else users[keys == np.uint64(key)]
            if digit:
                values = values[values >> (shift + np.uint64(16)) == np.uint64(prefix)]
            digits = (values >> shift) & np.uint64(0xFFFF)
            counts += np.bincount(digits.astype(np.int64), minlength=1 << 16)
        sums = np.cumsum(counts)
        found = int(np.searchsorted(sums, wanted - before))
        before += int(sums[found] - counts[found])
        equal, prefix = int(counts[found]), (prefix << 16) | found
    return prefix, before, equal
