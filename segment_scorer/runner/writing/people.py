"""One small record a person, on disk, from which users are counted and chosen.

Input: what a chunk knows of its people. Output: bytes of fixed size, and blocks of them. No id can
be read from a record: it holds hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from segment_scorer.runner.config import RunConfig

SELECTED, KEPT, HELD = 1, 2, 4
# The verdicts of a choice, and the flags that each leaves a person.
STAYS, ONE_PER_USER, OVER_BUDGET, NOT_SELECTED = 0, 1, 2, 3
MASKS = np.array([0xFF, HELD, HELD, SELECTED | HELD], np.uint8)
BLOCK = 1 << 20  # records read at a time: 32 MB
# user: equal for all endpoints of a user; tie: of the endpoint; group: its number in the chunk;
# rank: of its channel; treatment: its number from 1, 0 = none; flags: SELECTED, KEPT, HELD
RECORD = np.dtype(
    [
        ("user", "<u8"),
        ("tie", "<u8"),
        ("score", "<f8"),
        ("group", "<u4"),
        ("rank", "u1"),
        ("flags", "u1"),
        ("treatment", "u1"),
        ("spare", "V1"),
    ]
)
Records = npt.NDArray[Any]


def hash_user(user: str, id_: str) -> bytes:
    """8 bytes that stand for a user. An endpoint without a UserId is a user of its own.

    Among 10 million users, the chance that two have the same bytes is 1 in 370,000.
    """
    unit = user or f"\0{id_}"
    return hashlib.blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def hash_endpoint(id_: str) -> bytes:
    """8 bytes by which endpoints with equal scores are ordered."""
    return hashlib.blake2b(f"\1{id_}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def pack_people(
    users: Sequence[bytes],
    ties: Sequence[bytes],
    scores: Sequence[float | None],
    groups: Sequence[int] | npt.NDArray[Any],
    *,
    ranks: bytes,
    flags: bytes,
    treatments: bytes,
) -> bytes:
    """The records of a chunk. `ties` and `ranks` are empty where nobody is chosen."""
    records = np.zeros(len(users), RECORD)
    records["user"] = np.frombuffer(b"".join(users), "<u8")
    records["score"] = np.array(scores, dtype=np.float64)  # None is NaN
    records["flags"] = np.frombuffer(flags, "u1")
    records["treatment"] = np.frombuffer(treatments, "u1")
    records["group"] = groups
    if ties:
        records["tie"] = np.frombuffer(b"".join(ties), "<u8")
        records["rank"] = np.frombuffer(ranks, "u1")
    return records.tobytes()


def count_records(path: Path) -> int:
    """The number of people in a file of records."""
    return path.stat().st_size // RECORD.itemsize


def read_in_blocks(path: Path) -> Iterator[tuple[int, Records]]:
    """The records of a file in blocks, each with the index of its first record."""
    first = 0
    with path.open("rb") as file:
        while content := file.read(BLOCK * RECORD.itemsize):
            records = np.frombuffer(content, RECORD)
            yield first, records
            first += len(records)


class Noted(Protocol):
    """What is noted of a person beside the outcome."""

    @property
    def id(self) -> str:
        """The endpoint's id."""
        ...

    @property
    def user(self) -> str:
        """UserId, "" if there is none."""
        ...

    @property
    def channel(self) -> Any:
        """ChannelType: any JSON value."""
        ...

    @property
    def treatment(self) -> str:
        """The treatment, "" if there is none."""
        ...


def pack_notes(
    config: RunConfig,
    people: Sequence[Noted],
    *,
    scores: Sequence[float | None],
    flags: bytes,
    groups: npt.NDArray[Any],
) -> bytes:
    """The records of a chunk's people, in order. They hold more if people are chosen.

    flags   of SELECTED, KEPT and HELD, one byte a person
    groups  the number of each person's group
    """
    ties: list[bytes] = []
    ranks = treatments = b""
    if config.treatments:
        numbers = {name: index for index, (name, _) in enumerate(config.treatments, 1)}
        treatments = bytes([numbers.get(each.treatment, 0) for each in people])
    if config.chooses:
        order = config.channel_order
        ties = [hash_endpoint(each.id) for each in people]
        ranks = bytes(
            [order.index(each.channel) if each.channel in order else len(order) for each in people]
        )
    return pack_people(
        [hash_user(each.user, each.id) for each in people],
        ties,
        scores,
        groups,
        ranks=ranks,
        flags=flags,
        treatments=treatments or bytes(len(people)),
    )
