"""The kept segment in further forms: an import-ready CSV, Parquet, and customer profiles, each made from `segment.jsonl.gz`.

Takes the finished file and the columns that were counted while it was written; reads one person at a time, holds a few thousand rows.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from campaign.profiles import document_to_profile, write_number

ROWS_AT_A_TIME = 5_000
LISTS = ("Attributes.", "User.UserAttributes.")
NUMBERS = ("Metrics.", "Location.Latitude", "Location.Longitude")
_encoder = msgspec.json.Encoder()


def flatten(document: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Dotted path and values of everything in a document that is there, as Pinpoint's imports name it."""
    for name, value in document.items():
        if name == "User" and isinstance(value, Mapping):
            for below, inner in value.items():
                if below == "UserAttributes" and isinstance(inner, Mapping):
                    yield from ((f"User.UserAttributes.{key}", list_values(field)) for key, field in inner.items())
                else:
                    yield f"User.{below}", list_values(inner)
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{key}", list_values(field)) for key, field in value.items())
        else:
            yield name, list_values(value)


def list_values(value: Any) -> list[Any]:
    """The values at a path, those that are there."""
    return [item for item in (value if isinstance(value, list) else [value]) if item is not None]


def find_columns(documents: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The paths that occur, each with the most values that one document has there."""
    columns: dict[str, int] = {}
    for document in documents:
        for path, values in flatten(document):
            if len(values) > columns.get(path, 0):
                columns[path] = len(values)
    return columns


def order_columns(columns: Mapping[str, int]) -> dict[str, int]:
    """Ids first, then by name, whatever the order in which the columns were met."""
    return dict(sorted(columns.items(), key=lambda column: (column[0] not in {"Id", "profileId", "ProfileId"}, column[0])))


def write_text(value: Any) -> str:
    """A value as a cell."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return write_number(value) if isinstance(value, int | float) else _encoder.encode(value).decode()


def read_kept(segment: Path) -> Iterator[dict[str, Any]]:
    """The kept, one at a time."""
    decode = msgspec.json.Decoder().decode
    with gzip.open(segment, "rb") as file:
        for line in file:
            yield decode(line)


def write_csv(segment: Path, columns: Mapping[str, int], path: Path) -> None:
    """A CSV as Pinpoint and Customer Profiles import it: UTF-8, dotted headers, one repeated for each further value."""
    ordered = order_columns(columns)
    starts = dict(zip(ordered, itertools.accumulate(ordered.values(), initial=0), strict=False))
    width = sum(ordered.values())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([name for name, most in ordered.items() for _ in range(most)])
        for document in read_kept(segment):
            row = [""] * width
            for name, values in flatten(document):
                row[starts[name] : starts[name] + len(values)] = map(write_text, values) if values else []
            writer.writerow(row)


def write_parquet(segment: Path, columns: Mapping[str, int], path: Path) -> None:
    """Parquet with the same columns; attributes are lists of text, metrics and coordinates numbers, everything else is text."""
    import pyarrow as pa  # noqa: PLC0415  # slow to import
    from pyarrow import parquet  # noqa: PLC0415

    ordered = order_columns(columns)
    kinds = {name: pa.list_(pa.string()) if name.startswith(LISTS) else pa.float64() if name.startswith(NUMBERS) else pa.string()
             for name in ordered}  # fmt: skip
    people = read_kept(segment)
    with parquet.ParquetWriter(path, pa.schema(kinds.items()), compression="zstd") as writer:
        while rows := list(itertools.islice(people, ROWS_AT_A_TIME)):
            cells = [dict(flatten(document)) for document in rows]
            arrays = [pa.array([make_cell(name, row.get(name)) for row in cells], kind) for name, kind in kinds.items()]
            writer.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(kinds.items())))


def make_cell(name: str, values: list[Any] | None) -> Any:
    """The cell of a Parquet column; None where nothing is there, or what is there is no number in a column of numbers."""
    if values is None or not values:
        return None
    if name.startswith(LISTS):
        return [write_text(value) for value in values]
    if name.startswith(NUMBERS):
        return float(values[0]) if isinstance(values[0], int | float) and not isinstance(values[0], bool) else None
    return write_text(values[0])


def write_profiles(segment: Path, columns: Mapping[str, int], path: Path) -> None:  # noqa: ARG001  # the port of `FORMS`
    """Customer profiles, JSON lines, gzip: what came as a profile as it came, an endpoint as AWS's migration maps it."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        people = read_kept(segment)
        while rows := list(itertools.islice(people, ROWS_AT_A_TIME)):
            file.write(_encoder.encode_lines([row if "Id" not in row else document_to_profile(row) for row in rows]))


# --also NAME -> file it writes, whether it needs the columns counted, and how it is written
FORMS: dict[str, tuple[str, bool, Callable[[Path, Mapping[str, int], Path], None]]] = {
    "csv": ("segment.csv", True, write_csv),
    "parquet": ("segment.parquet", True, write_parquet),
    "profiles": ("profiles.jsonl.gz", False, write_profiles),
}
