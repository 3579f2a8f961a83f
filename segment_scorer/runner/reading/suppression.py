"""The file of people who are not sent (`--suppress`): ids in, hashes out, 8 bytes an id."""

from __future__ import annotations

import csv
import functools
import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.errors import name_failure
from model.people.cells import read_plain_id
from segment_scorer.runner.errors import DataError

COLUMNS = ("Id", "UserId")
PART = 1 << 16  # ids at a time
LONGEST_LINE = 1 << 16  # bytes
Hashes = npt.NDArray[np.uint64]


def hash_id(column: str, id_: str) -> bytes:
    """8 bytes that stand for an id. An endpoint's id never stands for a user."""
    text = f"{column}\0{id_}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).digest()


@functools.lru_cache(maxsize=1)
def load_suppressed(path: str) -> Hashes:
    """The sorted hashes of a file's ids: a CSV, gzip or not, with a column Id or UserId, or both.

    Raises DataError. Takes 8 bytes of memory an id.
    """
    parts = [np.empty(0, np.uint64)]
    held: list[bytes] = []
    for hashed in _read_ids(path):
        held.append(hashed)
        if len(held) == PART:
            parts.append(np.frombuffer(b"".join(held), np.uint64))
            held = []
    parts.append(np.frombuffer(b"".join(held), np.uint64))
    return np.unique(np.concatenate(parts))


def _read_ids(path: str) -> Iterator[bytes]:
    try:
        with Path(path).open("rb") as probe:
            is_gzip = probe.read(2) == b"\x1f\x8b"
        opener = gzip.open if is_gzip else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(iter(lambda: file.readline(LONGEST_LINE), ""), strict=True)
            header = [name.strip() for name in next(rows, [])]
            columns = [(name, header.index(name)) for name in COLUMNS if name in header]
            if not columns:
                raise DataError(f"--suppress {path}: expected a column Id or UserId in the header")
            for row in rows:
                for name, position in columns:
                    cell = row[position].strip() if position < len(row) else ""
                    if cell:
                        yield hash_id(name, read_plain_id(cell))
    except (OSError, EOFError, zlib.error) as error:
        found = name_failure(error) if isinstance(error, OSError) else "a damaged file"
        raise DataError(
            f"--suppress {path}: expected a readable CSV file, found: {found}"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"--suppress {path}: expected CSV in UTF-8, found other text") from error


def find_suppressed(people: Sequence[tuple[str, str]], suppressed: Hashes) -> npt.NDArray[np.bool_]:
    """For each pair of an endpoint's id and its user ("" = none), whether either is in the file."""
    if not people or not len(suppressed):
        return np.zeros(len(people), dtype=np.bool_)
    keys = [hash_id("Id", id_) + hash_id("UserId", user) for id_, user in people]
    wanted = np.frombuffer(b"".join(keys), np.uint64)
    places = np.minimum(np.searchsorted(suppressed, wanted), len(suppressed) - 1)
    return np.asarray((suppressed[places] == wanted).reshape(-1, 2).any(axis=1))
