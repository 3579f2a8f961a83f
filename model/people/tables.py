"""What a Parquet and an ORC file have in common: columns, rows, batches, and the limits of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from model.people.columns import RecordError

BATCH_ROWS = 1_000
MOST_BYTES = 64_000_000  # of the texts of a batch that is unpacked at once
# A file that unpacks to more than this many times its size was made to exhaust memory.
MOST_UNPACKED = 1_000
# Ids differ, so even the best compression leaves more than this of each row.
MOST_ROWS_A_BYTE = 100


class ColumnFile(NamedTuple):
    """An open file of columns.

    names, types  of the columns; the types are Arrow's
    rows          how many the file says it has
    batches       Arrow's record batches, to be read once
    """

    names: list[str]
    types: list[Any]
    rows: int
    batches: Iterable[Any]


def check_limits(size: int, *, rows: int, unpacked: int) -> None:
    """Raise RecordError for a file of `size` bytes that unpacks to far too many rows or bytes."""
    if unpacked > max(MOST_BYTES, MOST_UNPACKED * size):
        raise RecordError(
            f"expected columns that unpack to at most {MOST_UNPACKED:,} times the file's size"
        )
    if rows > MOST_ROWS_A_BYTE * size:
        raise RecordError(f"expected at most {MOST_ROWS_A_BYTE} rows for each byte of the file")
