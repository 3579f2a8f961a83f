"""CSV files in, columns of text out, in chunks. Holds one chunk, never a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.people.cells import read_plain_id
from model.people.headers import find_separator
from model.people.naming import name_some
from model.people.opening import open_csv

Hashes: TypeAlias = npt.NDArray[np.int64]
# stage, bytes read, bytes in all
Progress: TypeAlias = Callable[[str, int, int], None]

CHUNK_ROWS = 50_000


def read_chunks(
    path: Path,
    what: str,
    needed: Sequence[str],
    optional: Sequence[str] = (),
    progress: Progress | None = None,
) -> Iterator[tuple[int, dict[str, tuple[str, ...]]]]:
    """Read the named columns; give each chunk's first row number and its columns.

    Gzip is recognised. Other columns are ignored.
    Raises DataError: no such file, damaged, not CSV, a column missing or named twice, or a row
    with too few or too many cells. Rows are counted as a spreadsheet does: the header is row 1.
    """
    size = path.stat().st_size if path.is_file() else 0
    with open_csv(path, what) as (reader, tell):
        header = next(reader, [])
        positions = _find_columns(path, header, needed, optional)
        first = 2
        while rows := list(islice(reader, CHUNK_ROWS)):
            _check_lengths(path, rows, len(header), first)
            columns = list(zip(*filter(None, rows), strict=True))
            if columns:
                yield first, {name: columns[position] for name, position in positions.items()}
            first += len(rows)
            if progress is not None:
                progress(f"reading {what}", tell(), size)


def hash_texts(texts: Iterable[str], count: int) -> Hashes:
    """A 64-bit hash of each text, so that ten million ids need 80 MB. Equal only in this process.

    Python's own keyed hash: two of ten million different ids collide once in 400,000 programs.
    """
    return np.fromiter(map(hash, texts), dtype=np.int64, count=count)


def hash_ids(ids: Sequence[str]) -> Hashes:
    """A hash of each id: the same for 101 and 101.0, as data frames write it."""
    return hash_texts(map(read_plain_id, ids), len(ids))


def match_hashes(sought: Hashes, known: Hashes) -> tuple[npt.NDArray[np.bool_], Hashes]:
    """Which of `sought` are in `known` (sorted), and at which position (any, where not found)."""
    if not len(known):
        return np.zeros(len(sought), dtype=bool), np.zeros(len(sought), dtype=np.int64)
    positions = np.minimum(np.searchsorted(known, sought), len(known) - 1)
    return known[positions] == sought, positions


def read_values(
    texts: Sequence[str], known: Mapping[str, float], path: Path, name: str, first: int
) -> npt.NDArray[np.float64]:
    """The number that `known` has for each text. Raises DataError naming the rows it lacks."""
    values = [known.get(text) for text in texts]
    if None in values:
        wrong = [first + index for index, value in enumerate(values) if value is None]
        allowed = ", ".join(sorted({text for text in known if text.islower()}))
        raise DataError(f"{path}: {name}: expected {allowed} or nothing in {name_rows(wrong)}")
    return np.array(values, dtype=np.float64)


def name_rows(numbers: Sequence[int]) -> str:
    """Row numbers in a sentence."""
    return f"row{'s' if len(numbers) > 1 else ''} {name_some([f'{n:,}' for n in numbers])}"


def _find_columns(
    path: Path, header: Sequence[str], needed: Sequence[str], optional: Sequence[str]
) -> dict[str, int]:
    """Position of each column that the header has."""
    missing = [name for name in needed if name not in header]
    twice = [name for name in (*needed, *optional) if header.count(name) > 1]
    if missing or twice:
        problem = f"no column {name_some(missing)}" if missing else f"{name_some(twice)} twice"
        if missing and (separator := find_separator(",".join(header))):
            problem = f"columns separated by {separator} (separate them by commas)"
        raise DataError(
            f"{path}: expected a CSV file whose first line names {', '.join(needed)}; "
            f"found {problem}"
        )
    return {name: header.index(name) for name in (*needed, *optional) if name in header}


def _check_lengths(path: Path, rows: Sequence[Sequence[str]], expected: int, first: int) -> None:
    """Raise DataError where a row that is not blank has another number of cells than the header."""
    if set(map(len, rows)) <= {expected, 0}:
        return
    wrong = [first + i for i, row in enumerate(rows) if len(row) not in {expected, 0}]
    raise DataError(
        f"{path}: expected {expected} cells a row, as the header has; different in "
        f"{name_rows(wrong)}"
    )
