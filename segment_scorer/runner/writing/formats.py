"""The kept segment in further forms: an import-ready CSV, Parquet, and customer profiles, each made from `segment.jsonl.gz`.

Takes the finished file and the columns that were counted while it was written; reads one person at a time, holds a few thousand rows.
What a table has no place for is left out, so that `segment-scorer run` and Pinpoint can read it, and the people who lose by it are counted.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from model.customer_profile import document_to_profile, write_number

ROWS_AT_A_TIME = 5_000
LISTS = ("Attributes.", "User.UserAttributes.")
NUMBERS = ("Metrics.", "Location.Latitude", "Location.Longitude")
# What stands here itself, and not below, is no endpoint's: the function calls such a one unreadable, and a policy may keep it.
GROUPS = frozenset(
    {"Attributes", "Metrics", "Demographic", "Location", "User", "User.UserAttributes"}
)
_encoder = msgspec.json.Encoder()


def flatten(document: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Dotted path and values of everything in a document that is there, as Pinpoint's imports name it."""
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


def choose_columns(columns: Mapping[str, int]) -> dict[str, int]:
    """The columns of a table, each as often as it is repeated: ids first, then by name, whatever the order in which they were met.

    A name is a value or a group, never both: where both were met, a group that is known stays, and so does any of a profile; else the
    value stays. Only attributes of an endpoint are repeated. A name has to survive as one cell of a header.
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
    """The groups that a column stands in, as it will be read."""
    if path.startswith("User.UserAttributes."):
        return "User", "User.UserAttributes"
    group, dot, _ = path.partition(".")
    return (group,) if dot else ()


def lay_out(
    document: Mapping[str, Any], columns: Mapping[str, int]
) -> tuple[dict[str, list[Any]], bool]:
    """What of a document goes into which columns, and whether something goes nowhere. Several values where one belongs are one, as JSON."""
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


def write_text(value: Any) -> str:
    """A value as a cell."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        write_number(value) if isinstance(value, int | float) else _encoder.encode(value).decode()
    )


def read_kept(segment: Path) -> Iterator[dict[str, Any]]:
    """The kept, one at a time."""
    decode = msgspec.json.Decoder().decode
    with gzip.open(segment, "rb") as file:
        for line in file:
            yield decode(line)


def write_csv(segment: Path, columns: Mapping[str, int], path: Path) -> int:
    """A CSV as Pinpoint and Customer Profiles import it: UTF-8, dotted headers, one repeated for each further value. Gives who lost."""
    chosen = choose_columns(columns)
    starts = dict(zip(chosen, itertools.accumulate(chosen.values(), initial=0), strict=False))
    width, losers = sum(chosen.values()), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([name for name, most in chosen.items() for _ in range(most)])
        for document in read_kept(segment):
            row = [""] * width
            cells, lost = lay_out(document, chosen)
            losers += lost
            for name, values in cells.items():
                row[starts[name] : starts[name] + len(values)] = map(write_text, values)
            writer.writerow(row)
    return losers


def write_parquet(segment: Path, columns: Mapping[str, int], path: Path) -> int:
    """Parquet with the same columns; an endpoint's attributes are lists of text, its metrics and coordinates numbers, all else is text.

    Gives how many people lost something by it: a number's column has no place for what is no number.
    """
    import pyarrow as pa  # noqa: PLC0415  # slow to import
    from pyarrow import parquet  # noqa: PLC0415

    chosen, losers = choose_columns(columns), 0
    lists, numbers = (LISTS, NUMBERS) if "Id" in chosen else ((), ())
    kinds = {name: pa.list_(pa.string()) if name.startswith(lists) else pa.float64() if name.startswith(numbers) else pa.string()
             for name in chosen}  # fmt: skip
    people = read_kept(segment)
    with parquet.ParquetWriter(path, pa.schema(kinds.items()), compression="zstd") as writer:
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
                losers += lost
            arrays = [pa.array(column, kinds[name]) for name, column in held.items()]
            writer.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(kinds.items())))
    return losers


def make_cell(values: list[Any] | None, *, is_list: bool, is_number: bool) -> Any:
    """The cell of a Parquet column; None where nothing is there, or what is there is no number in a column of numbers."""
    if not values:
        return None
    if is_list:
        return [write_text(value) for value in values]
    if is_number:
        return (
            float(values[0])
            if isinstance(values[0], int | float) and not isinstance(values[0], bool)
            else None
        )
    return write_text(values[0])


def write_profiles(segment: Path, columns: Mapping[str, int], path: Path) -> int:  # noqa: ARG001  # the port of `FORMATS`
    """Customer profiles, JSON lines, gzip: what came as a profile as it came, an endpoint as AWS's migration maps it. Gives who lost."""
    losers = 0
    with gzip.open(path, "wb", compresslevel=1) as file:
        people = read_kept(segment)
        while rows := list(itertools.islice(people, ROWS_AT_A_TIME)):
            losers += sum(
                "Id" in row and any(name in GROUPS and values for name, values in flatten(row))
                for row in rows
            )
            file.write(
                _encoder.encode_lines(
                    [row if "Id" not in row else document_to_profile(row) for row in rows]
                )
            )
    return losers


# --also NAME -> file it writes, whether it needs the columns counted, and how it is written, which gives how many people lost something
FORMATS: dict[str, tuple[str, bool, Callable[[Path, Mapping[str, int], Path], int]]] = {
    "csv": ("segment.csv", True, write_csv),
    "parquet": ("segment.parquet", True, write_parquet),
    "profiles": ("profiles.jsonl.gz", False, write_profiles),
}
