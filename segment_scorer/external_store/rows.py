"""Profiles as people have them, CSV, JSON lines or Parquet, in; rows of key and attributes out, one at a time.

Text in CSV stays text. What is empty, null or no finite number is a missing attribute. Anything else that cannot be kept is a DataError.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, TextIO, TypeAlias

import msgspec

from model.errors import DataError
from model.people.files import open_unpacked
from model.people.progress import Progress

# the place in the file, and column -> value
Found: TypeAlias = Generator[tuple[str, dict[str, Any]], None, None]
ROWS_PER_PROGRESS = 1_000
STAGE = "reading people"


@dataclass(frozen=True, slots=True)
class Row:
    """One person's profile, and the place it stands at: file and line or row."""

    origin: str
    key: str
    attributes: dict[str, Any]


def read_rows(paths: Sequence[Path], key: str, progress: Progress) -> Iterator[Row]:
    """Every row of the files, in order; `key` names the column that holds the key. Raises DataError."""
    total, before = sum(path.stat().st_size for path in paths if path.is_file()), 0
    for path in paths:
        name = path.name.lower().removesuffix(".gz")
        read = next((reader for suffix, reader in READERS.items() if name.endswith(suffix)), None)
        if read is None:
            raise DataError(
                f"{path}: expected a name that ends in {', '.join(READERS)}, or in .gz after one of the first"
            )
        with (
            open_unpacked(path, "external attributes") as (file, tell),
            closing(read(path, file, key)) as found,
        ):
            for index, (place, fields) in enumerate(found):
                if index % ROWS_PER_PROGRESS == 0:
                    progress(STAGE, before + tell(), total)
                yield make_row(f"{path}, {place}", fields, key)
            before += tell()
    progress(STAGE, total, total)


def make_row(origin: str, fields: dict[str, Any], key: str) -> Row:
    """A row of the fields at `origin`. A key is text, or a whole number."""
    found = fields.pop(key, None)
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise DataError(
            f"{origin}: expected a key in {key}, text or a whole number (another column: --key NAME)"
        )
    try:
        attributes = {
            name: plain
            for name, value in fields.items()
            if (plain := make_plain(value)) is not None
        }
    except TypeError as error:
        raise DataError(
            f"{origin}: expected text, numbers, yes or no, dates, and lists and maps of them"
        ) from error
    return Row(origin, str(found), attributes)


def read_csv(path: Path, file: IO[bytes], key: str) -> Found:
    """Rows of a CSV file with a header; a name that is repeated there makes a list."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield from read_csv_text(path, text, key)
    finally:
        text.detach()  # or it would close the file when it goes


def read_csv_text(path: Path, text: TextIO, key: str) -> Found:
    """See `read_csv`."""
    rows = csv.reader(text, strict=True)
    header = next(rows, [])
    if header.count(key) != 1 or "" in header:
        raise DataError(
            f"{path}: expected a header that names every column, {key} once (another key column: --key NAME)"
        )
    repeated = {name for name in header if header.count(name) > 1}
    for cells in rows:
        if not cells:
            continue
        place = f"line {rows.line_num}"
        if len(cells) != len(header):
            raise DataError(
                f"{path}, {place}: expected as many cells as the header has, {len(header)}"
            )
        fields: dict[str, Any] = {name: [] for name in repeated}
        for name, cell in zip(header, cells, strict=True):
            if name in repeated:
                fields[name] += [cell] if cell else []
            else:
                fields[name] = cell or None
        yield place, {name: value for name, value in fields.items() if value != []}


def read_json_lines(path: Path, file: IO[bytes], key: str) -> Found:  # noqa: ARG001  # one signature
    """Objects, one a line."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    for number, line in enumerate(file, 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if text.strip():
            try:
                yield f"line {number}", decoder.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: expected a JSON object") from error


def read_parquet(path: Path, file: IO[bytes], key: str) -> Found:
    """Rows of a Parquet file, a batch in memory at a time."""
    import pyarrow as pa  # noqa: PLC0415  # only who has Parquet pays for it
    from pyarrow import parquet  # noqa: PLC0415

    try:
        table = parquet.ParquetFile(file)
        if key not in table.schema_arrow.names:
            raise DataError(f"{path}: expected a column {key} (another key column: --key NAME)")
        number = 0
        for batch in table.iter_batches():
            for fields in batch.to_pylist():
                number += 1
                yield f"row {number}", fields
    except pa.ArrowException as error:
        raise DataError(f"{path}: expected a readable Parquet file") from error


READERS: dict[str, Callable[[Path, IO[bytes], str], Found]] = {
    ".csv": read_csv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_lines,
    ".parquet": read_parquet,
}


def make_plain(value: Any) -> Any:
    """A value as JSON has it: dates as ISO 8601 text, decimals as numbers, NaN and infinity as null. Raises TypeError for others."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [make_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): make_plain(field) for name, field in value.items()}
    raise TypeError
