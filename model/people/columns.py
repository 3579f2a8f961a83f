"""The columns of a table of people: where each cell goes in a document, and how it is read.

A table holds endpoints, profiles, or rows with a key (external attributes); see `Layout`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from model.customer_profile import PROFILE_ID
from model.document_types import KNOWN_FIELDS
from model.errors import DataError
from model.people.cells import read_id_cell, read_items, read_number, read_plain, read_text

# A header of people has one of these columns.
# Source: Amazon Pinpoint user guide, "Importing segments".
HEADER_IDS = ("Id", "User.UserId", "User", *PROFILE_ID)
EXAMPLES = "such as Id, ChannelType, Attributes.X, Metrics.X, User.UserId"
USER_ATTRIBUTES = "User.UserAttributes."
# Columns whose whole numbers data frames write as 101.0 if one row has none
ID_COLUMNS = {
    *HEADER_IDS,
    "Location.PostalCode",
    *(f"{start}ddress.PostalCode" for start in "Aa"),
    *(f"{start}ccountNumber" for start in "Aa"),
}
COORDINATES = ("Location.Latitude", "Location.Longitude")


class RecordError(DataError):
    """A record that cannot be used. The message names a path in it, never a value."""


class PlannedColumn(NamedTuple):
    """Where the cells of a column go.

    parents  the objects to go through
    name     the cell's own name there
    read     what a cell is made into; None: each cell is added to a list
    """

    parents: tuple[str, ...]
    name: str
    read: Callable[[Any], Any] | None


Plan: TypeAlias = tuple[PlannedColumn, ...]


class Layout(NamedTuple):
    """A form of table.

    ids      a first line is a header if it names one of these columns
    plan     where the columns of a header go; raises RecordError
    explain  says what is missing in columns that are no header
    rename   what a column of the file is called here
    """

    ids: tuple[str, ...]
    plan: Callable[[Sequence[str]], Plan]
    explain: Callable[[Sequence[str]], str]
    rename: Callable[[str], str] = str

    def is_header(self, names: Sequence[str]) -> bool:
        """Whether these are columns of such a table. Raises RecordError if they are unusable."""
        if set(self.ids).isdisjoint(names):
            return False
        self.plan(names)
        return True


def plan_columns(header: Sequence[str]) -> Plan:
    """Plan a table of endpoints or profiles, whose columns are dotted paths.

    Raises RecordError for a column without a name, a column that repeats and is no list, or a name
    that is both a value and a group.
    """
    profiles = is_of_profiles(header)
    columns = tuple(plan_column(name, profiles=profiles) for name in header)
    if not all(header):
        raise RecordError(f"expected every column of the header to have a name, {EXAMPLES}")
    single = [(*column.parents, column.name) for column in columns if column.read is not None]
    if len(set(single)) != len(single):
        raise RecordError(
            "expected every column of the header once, "
            "except those of Attributes and User.UserAttributes"
        )
    values = {(*column.parents, column.name) for column in columns}
    groups = {
        column.parents[:depth] for column in columns for depth in range(1, len(column.parents) + 1)
    }
    if values & groups:
        raise RecordError("expected a column of the header to be a value or a group, not both")
    return columns


def plan_column(name: str, *, profiles: bool) -> PlannedColumn:
    """Where one column of endpoints or of profiles goes. All values of a profile are text."""
    group, dot, rest = name.partition(".")
    read = read_id_cell if name in ID_COLUMNS else read_text
    if not dot:
        return PlannedColumn((), name, read)
    if profiles:
        return PlannedColumn((group,), rest, read)
    if name.startswith(USER_ATTRIBUTES):
        return PlannedColumn(("User", "UserAttributes"), name.removeprefix(USER_ATTRIBUTES), None)
    if group == "Attributes":
        return PlannedColumn((group,), rest, None)
    is_number = group == "Metrics" or name in COORDINATES
    return PlannedColumn((group,), rest, read_number if is_number else read)


def explain_names(names: Sequence[str]) -> str:
    """What is missing in columns that name no person.

    Names a column only if it is one of ours in another case.
    """
    found = find_id(names)
    if found is None:
        return "expected the header to name Id, User.UserId or ProfileId"
    return (
        f"expected the header to name {found[1]}, found {found[0]}; "
        "columns are named as in a Pinpoint import, in its capitals"
    )


def find_id(names: Iterable[str]) -> tuple[str, str] | None:
    """A name that is one of HEADER_IDS in another case, and that one."""
    right = {name.casefold(): name for name in HEADER_IDS}
    return next(
        ((name, right[name.casefold()]) for name in names if name.casefold() in right), None
    )


def is_of_profiles(names: Container[str]) -> bool:
    """Whether columns, or the fields of an object, are a profile's and not an endpoint's."""
    return "Id" not in names and any(name in names for name in PROFILE_ID)


def name_plain(name: str) -> str:
    """A column of a plain table is an attribute, unless it is a field of a person."""
    is_known = "." in name or name in KNOWN_FIELDS[None] or name in PROFILE_ID
    return name if is_known or not name else f"Attributes.{name}"


PEOPLE = Layout(HEADER_IDS, plan_columns, explain_names)
# Tables such as Id,Age,Plan
PLAIN_PEOPLE = PEOPLE._replace(rename=name_plain)


def make_keyed_layout(key: str) -> Layout:
    """The layout of rows with a key column `key`.

    Every other column is an attribute with the column's whole name. Repeated names make a list.
    """
    missing = f"expected a column {key}, which holds the key (name another with --key NAME)"

    def plan(header: Sequence[str]) -> Plan:
        if not all(header):
            raise RecordError("expected every column of the header to have a name")
        counts = Counter(header)
        if counts[key] != 1:
            raise RecordError(f"expected the key column {key} once")
        readers = {key: read_id_cell}
        return tuple(
            PlannedColumn((), name, None if counts[name] > 1 else readers.get(name, read_plain))
            for name in header
        )

    return Layout((key,), plan, lambda _: missing)


def build_row(columns: Plan, cells: Iterable[Any]) -> dict[str, Any]:
    """Make a nested document of cells, one per column.

    Empty cells and None are missing. So is a cell that its column reads as None.
    """
    document: dict[str, Any] = {}
    for (parents, name, read), cell in zip(columns, cells, strict=True):
        if cell is None or cell == "":
            continue
        value = read_items(cell) if read is None else read(cell)
        if value is None:
            continue
        target = document
        for parent in parents:
            target = target.setdefault(parent, {})
        if read is None:
            target.setdefault(name, []).extend(value)
        else:
            target[name] = value
    return document
