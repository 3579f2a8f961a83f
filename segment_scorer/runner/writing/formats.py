"""The kept people in further formats, made from `segment.jsonl.gz`.

The formats are a CSV for Pinpoint's imports, Parquet, customer profiles, and a CSV for Amazon
Connect's imports (`connect_csv`).
Input: the finished file, and its columns. Reads one person at a time; holds a few thousand rows.
A table omits what it cannot represent, so that Pinpoint and `segment-scorer run` can read it. The
people affected are counted.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from model.customer_profile import document_to_profile
from segment_scorer.runner.writing import connect_csv
from segment_scorer.runner.writing.kept import read_kept, write_text

ROWS_AT_A_TIME = 5_000
LISTS = ("Attributes.", "User.UserAttributes.")
NUMBERS = ("Metrics.", "Location.Latitude", "Location.Longitude")
# An endpoint with a value at one of these paths, instead of below it, is unreadable. A policy may
# keep it nevertheless.
GROUPS = frozenset(
    {"Attributes", "Metrics", "Demographic", "Location", "User", "User.UserAttributes"}
)
_encoder = msgspec.json.Encoder()


def flatten(document: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the dotted path and the values of every field, named as in Pinpoint's imports."""
    for name, value in document.items():
        if name == "User" and isinstance(value, Mapping):
            for below, inner in value.items():
                if below == "UserAttributes" and isinstance(inner, Mapping):
                    yield from (
                        (f"User.UserAttributes.{key}", list_values(field))
                        for key, field in inner.items()
                    )
                else:
                    yield f"User.{below}", list_values(inner)
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{key}", list_values(field)) for key, field in value.items())
        else:
            yield name, list_values(value)


def list_values(value: Any) -> list[Any]:
    """The values at a path, without nulls."""
    return [item for item in (value if isinstance(value, list) else [value]) if item is not None]


def find_columns(documents: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Find all paths, each with the most values that one document has there."""
    columns: dict[str, int] = {}
    for document in documents:
        for path, values in flatten(document):
            if len(values) > columns.get(path, 0):
                columns[path] = len(values)
    return columns


def choose_columns(columns: Mapping[str, int]) -> dict[str, int]:
    """Choose the columns of a table: name -> repetitions. Ids come first, then all others by name.

    A name is either a value or a group. If documents use it as both, known groups win, and so do
    all groups of profiles; otherwise the value wins. Only an endpoint's attributes are repeated. A
    name that does not fit into one header cell is omitted.
    """
    endpoints = "Id" in columns
    above = {path: find_groups(path) for path in columns}
    met = {group for groups in above.values() for group in groups}
    both = (GROUPS | met) & columns.keys()
    values = {path for path in both if endpoints and path not in GROUPS}
    dropped = both - values
    chosen: dict[str, int] = {}
    for path, most in columns.items():
        is_cell = path == path.strip() != "" and "\n" not in path and "\r" not in path
        if is_cell and path not in dropped and values.isdisjoint(above[path]):
            chosen[path] = most if endpoints and path.startswith(LISTS) else 1
    return dict(
        sorted(
            chosen.items(),
            key=lambda column: (column[0] not in {"Id", "profileId", "ProfileId"}, column[0]),
        )
    )


def find_groups(path: str) -> tuple[str, ...]:
    """Find the groups that a column belongs to when it is read."""
    if path.startswith("User.UserAttributes."):
        return "User", "User.UserAttributes"
    group, dot, _ = path.partition(".")
    return (group,) if dot else ()


def lay_out(
    document: Mapping[str, Any], columns: Mapping[str, int]
) -> tuple[dict[str, list[Any]], bool]:
    """Assign a document's values to columns, and say whether any value has no column.

    Several values in a column for one value are written as JSON.
    """
    cells: dict[str, list[Any]] = {}
    lost = False
    for path, values in flatten(document):
        if path in columns and path not in cells:
            cells[path] = (
                values if len(values) <= columns[path] else [_encoder.encode(values).decode()]
            )
        elif values:
            lost = True
    return cells, lost


def write_csv(segment: Path, columns: Mapping[str, int], path: Path) -> int:
    """Write a CSV for Pinpoint's imports: UTF-8, dotted headers.

    A header is repeated for each further value. Returns the number of people with omitted values.
    """
    chosen = choose_columns(columns)
    starts = dict(zip(chosen, itertools.accumulate(chosen.values(), initial=0), strict=False))
    width, affected = sum(chosen.values()), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([name for name, most in chosen.items() for _ in range(most)])
        for document in read_kept(segment):
            row = [""] * width
            cells, lost = lay_out(document, chosen)
            affected += lost
            for name, values in cells.items():
                row[starts[name] : starts[name] + len(values)] = map(write_text, values)
            writer.writerow(row)
    return affected


def write_parquet(segment: Path, columns: Mapping[str, int], path: Path) -> int:
    """Write Parquet with the same columns. Returns the number of people with omitted values.

    An endpoint's attributes are lists of text, its metrics and coordinates are numbers, and all
    other columns are text. A value in a column of numbers that is not a number is omitted.
    """
    import pyarrow as pa  # noqa: PLC0415  # an extra, slow to import
    from pyarrow import parquet  # noqa: PLC0415

    chosen, affected = choose_columns(columns), 0
    lists, numbers = (LISTS, NUMBERS) if "Id" in chosen else ((), ())
    kinds = dict.fromkeys(chosen, pa.string())
    kinds |= {name: pa.list_(pa.string()) for name in chosen if name.startswith(lists)}
    kinds |= {name: pa.float64() for name in chosen if name.startswith(numbers)}
    people = read_kept(segment)
    with (
        path.open("wb") as file,  # Arrow takes only names that are UTF-8
        parquet.ParquetWriter(file, pa.schema(kinds.items()), compression="zstd") as writer,
    ):
        while rows := list(itertools.islice(people, ROWS_AT_A_TIME)):
            held: dict[str, list[Any]] = {name: [] for name in kinds}
            for document in rows:
                cells, lost = lay_out(document, chosen)
                for name, column in held.items():
                    values = cells.get(name)
                    column.append(
                        make_cell(
                            values,
                            is_list=name.startswith(lists),
                            is_number=name.startswith(numbers),
                        )
                    )
                    lost = lost or (bool(values) and column[-1] is None)
                affected += lost
            arrays = [pa.array(column, kinds[name]) for name, column in held.items()]
            writer.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(kinds.items())))
    return affected


def make_cell(values: list[Any] | None, *, is_list: bool, is_number: bool) -> Any:
    """Make the cell of a Parquet column. None: no value, or not a number in a column of numbers."""
    if not values:
        return None
    if is_list:
        return [write_text(value) for value in values]
    if is_number:
        is_plain = isinstance(values[0], int | float) and not isinstance(values[0], bool)
        return float(values[0]) if is_plain else None
    return write_text(values[0])


def write_profiles(
    segment: Path,
    columns: Mapping[str, int],  # noqa: ARG001  # as in every format
    path: Path,
) -> int:
    """Write customer profiles as JSON lines, gzip. Returns how many people have omitted values.

    A profile is written as it was read. An endpoint becomes the profile that AWS's migration makes.
    """
    affected = 0
    with gzip.open(path, "wb", compresslevel=1) as file:
        people = read_kept(segment)
        while rows := list(itertools.islice(people, ROWS_AT_A_TIME)):
            affected += sum(
                "Id" in row and any(name in GROUPS and values for name, values in flatten(row))
                for row in rows
            )
            file.write(
                _encoder.encode_lines(
                    [row if "Id" not in row else document_to_profile(row) for row in rows]
                )
            )
    return affected


class Format(NamedTuple):
    """A further format of the kept people.

    file           the file to write
    needs_columns  whether `write` needs the columns, which are counted during the run
    write          writes the file; returns the number of people with omitted values
    further        files that `write` adds beside the segment if one is not enough
    omitted        why values can be omitted
    note           what everybody who imports the file should know
    """

    file: str
    needs_columns: bool
    write: Callable[[Path, Mapping[str, int], Path], int]
    further: tuple[str, ...] = ()
    omitted: str = "the format cannot hold them (such as text in place of metrics)"
    note: str = ""


# --also NAME -> format
FORMATS = {
    "csv": Format("segment.csv", True, write_csv),
    "parquet": Format("segment.parquet", True, write_parquet),
    "profiles": Format("profiles.jsonl.gz", False, write_profiles),
    "connect-csv": Format(
        connect_csv.FILE,
        False,
        connect_csv.write_connect_csv,
        further=connect_csv.PARTS,
        omitted=connect_csv.OMITTED,
        note=connect_csv.NOTE,
    ),
}
