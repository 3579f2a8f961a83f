"""Counts the users of a run, however many there are.

Input: ids. Output: an 8-byte key per endpoint, from which no id can be read, and the number of
different users in a file of keys. Holds a bounded number of keys in memory.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

KEY_BYTES = 8
MOST_KEYS = 1 << 23  # different keys in memory at a time: 64 MB
BLOCK = 1 << 20  # keys read at a time


class UserCounts(NamedTuple):
    """Different users: all of them, and those with at least one endpoint that was selected."""

    users: int
    selected: int


def make_key(user: str, id_: str, *, selected: bool | None) -> bytes:
    """Make the key of an endpoint. The same user gives the same key but for the lowest bit.

    The lowest bit says whether the endpoint was selected. An endpoint without a UserId is a user of
    its own. Among 10 million users, the chance that two have the same key is 1 in 180,000.
    """
    unit = user or f"\0{id_}"
    digest = hashlib.blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()
    return bytes((digest[0] & 0xFE | (selected is True), *digest[1:]))


def count_users(path: Path) -> UserCounts:
    """Count the different users in a file of keys."""
    keys = path.stat().st_size // KEY_BYTES
    passes = -(-keys // MOST_KEYS) or 1
    users = selected = 0
    for number in range(passes):
        found = _read_keys(path, passes, number)
        users += len(np.unique(found >> np.uint64(1)))
        selected += int((found & np.uint64(1)).sum())
    return UserCounts(users, selected)


def _read_keys(path: Path, passes: int, number: int) -> npt.NDArray[np.uint64]:
    """Read the different keys of one pass. Every user's keys are in the same pass."""
    parts = [np.empty(0, dtype=np.uint64)]
    with path.open("rb") as file:
        while block := file.read(BLOCK * KEY_BYTES):
            keys = np.frombuffer(block, dtype="<u8").astype(np.uint64)
            parts.append(np.unique(keys[(keys >> np.uint64(1)) % np.uint64(passes) == number]))
    return np.unique(np.concatenate(parts))
