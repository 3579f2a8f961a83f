"""One record of a file of people in; an endpoint document, and the profile it came from if it was one, out. Keeps nothing.

A record is a JSON object, or a CSV record whose columns are dotted paths. Whether its content is usable is for `model.document` to say.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Container, Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import msgspec

from model.customer_profile import PROFILE_ID, profile_to_document
from model.errors import DataError
from model.values import NUMBER

# Source of the columns: Amazon Pinpoint user guide, "Importing segments"; several values repeat the header.
GROUPED = "such as Id, ChannelType, Attributes.X, Metrics.X, User.UserId"
TEXT, NUMERIC, LIST = "text", "number", "list"
HEADER_IDS = ("Id", "User.UserId", "User", *PROFILE_ID)  # a header with one of these is of people
BYTE_ORDER_MARK = "\ufeff"
PLAINER = {
    "unexpected end of data": "a quote is opened and not closed where a row could end",
    "new-line character": "a carriage return stands within a line, outside quotes",
}
# A synchronous Lambda invocation takes 6 MB; Pinpoint's own limit is 15 KB an endpoint. What is longer is no person.
LONGEST_RECORD = 5_000_000


class RecordError(DataError):
    """A record that is nobody; the message names the place in it, not what stands there."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """A person: the endpoint document, `Id` in it (for a profile its ProfileId), and the profile as it was exported, else None."""

    document: dict[str, Any]
    profile: dict[str, Any] | None


class Column(NamedTuple):
    """Where a cell goes: the steps above it, its own name, and what it is made into."""

    parents: tuple[str, ...]
    name: str
    kind: str


Decoder: TypeAlias = Callable[[bytes], Record]


def make_decoder(header: Sequence[str] | None, *, id_needed: bool = True) -> Decoder:
    """A function from a record of a `PeopleFile` with this `header` to a Record. It raises RecordError in one sentence without a value.

    `id_needed` False lets a person without Id through: the document then has none.
    """
    if header is None:
        decode = msgspec.json.Decoder().decode

        def read_object(raw: bytes) -> Record:
            if len(raw) >= LONGEST_RECORD:
                raise RecordError(f"expected fewer than {LONGEST_RECORD:,} bytes")
            try:
                value = decode(raw)
            except msgspec.DecodeError as error:
                raise RecordError(f"expected one JSON object: {error}") from error
            except UnicodeDecodeError as error:
                raise RecordError("expected UTF-8") from error
            except RecursionError as error:
                raise RecordError("expected JSON of moderate depth") from error
            return make_record(value, id_needed=id_needed)

        return read_object
    columns, names = plan_columns(header), list(header)

    def read_row(raw: bytes) -> Record:
        if len(raw) >= LONGEST_RECORD:
            raise RecordError(f"expected fewer than {LONGEST_RECORD:,} bytes")
        try:
            cells = next(csv.reader([raw.decode()], strict=True))
        except UnicodeDecodeError as error:
            raise RecordError("expected UTF-8") from error
        except csv.Error as error:
            raise RecordError(f"expected CSV: {explain_csv(error)}") from error
        if len(cells) != len(columns):
            raise RecordError(
                f"expected {len(columns)} fields, as in the header, found {len(cells)}"
            )
        if cells[0].removeprefix(BYTE_ORDER_MARK) == names[0] and cells[1:] == names[1:]:
            raise RecordError("expected a person, found the header again")
        return make_record(build_row(columns, cells), id_needed=id_needed)

    return read_row


def explain_csv(error: csv.Error) -> str:
    """The csv module's own sentence, or a plainer one."""
    text = str(error)
    return next((plain for theirs, plain in PLAINER.items() if theirs in text), text)


def make_record(value: object, *, id_needed: bool) -> Record:
    """A Record of an endpoint or a profile. An object with a ProfileId and no Id is a profile."""
    if not isinstance(value, dict):
        raise RecordError("expected one JSON object, an endpoint or a profile as exported")
    id_ = value.get("Id")
    if id_ is None:
        id_ = value.get("ProfileId") or value.get("profileId")
        if isinstance(id_, str):
            return Record({"Id": id_, **profile_to_document(value)}, value)
        if not id_needed and id_ is None:
            return Record(value, None)
    if not isinstance(id_, str) or not id_:
        raise RecordError("$.Id: expected text of one character or more")
    return Record(value, None)


def check_header(names: Sequence[str]) -> bool:
    """Whether these are the columns of a table of people. Raises RecordError when they are but cannot be used."""
    if set(HEADER_IDS).isdisjoint(names):
        return False
    plan_columns(names)
    return True


def is_of_profiles(names: Container[str]) -> bool:
    """Whether columns, or the fields of an object, are a profile's and not an endpoint's."""
    return "Id" not in names and any(name in names for name in PROFILE_ID)


def plan_columns(header: Sequence[str]) -> tuple[Column, ...]:
    """Where each column goes. Raises RecordError: a name missing, repeated though it has one value, or both a value and a group."""
    profiles = is_of_profiles(header)
    columns = tuple(place_column(name, profiles=profiles) for name in header)
    if not all(header):
        raise RecordError(f"expected every column of the header to have a name, {GROUPED}")
    single = [(*column.parents, column.name) for column in columns if column.kind != LIST]
    if len(set(single)) != len(single):
        raise RecordError(
            "expected every column of the header once, except those of Attributes and User.UserAttributes"
        )
    places = {(*column.parents, column.name) for column in columns}
    if any(
        column.parents[:depth] in places
        for column in columns
        for depth in range(1, len(column.parents) + 1)
    ):
        raise RecordError("expected a column of the header to be a value or a group, not both")
    return columns


def place_column(name: str, *, profiles: bool) -> Column:
    """Where the column `name` of a table of endpoints, or of profiles, goes. A profile's values all are text."""
    if profiles:
        group, dot, rest = name.partition(".")
        return Column((group,), rest, TEXT) if dot else Column((), name, TEXT)
    if name.startswith("User.UserAttributes."):
        return Column(("User", "UserAttributes"), name.removeprefix("User.UserAttributes."), LIST)
    group, dot, rest = name.partition(".")
    if not dot:
        return Column((), name, TEXT)
    numeric = group == "Metrics" or name in {"Location.Latitude", "Location.Longitude"}
    return Column((group,), rest, LIST if group == "Attributes" else NUMERIC if numeric else TEXT)


def build_row(columns: Sequence[Column], cells: Iterable[Any]) -> dict[str, Any]:
    """Cells, one a column, as a nested document. Empty ones and None are missing; a number that is none stays text: its check names it."""
    document: dict[str, Any] = {}
    for (parents, name, kind), cell in zip(columns, cells, strict=True):
        if cell is None or cell == "":
            continue
        place = document
        for parent in parents:
            place = place.setdefault(parent, {})
        if kind == LIST:
            place.setdefault(name, []).extend(cell if isinstance(cell, list) else [cell])
        elif kind == NUMERIC:
            infinite = isinstance(cell, float) and math.isinf(
                cell
            )  # in Parquet: JSON would make it null, and that is missing
            place[name] = (
                float(cell)
                if isinstance(cell, str) and NUMBER.fullmatch(cell)
                else str(cell)
                if infinite
                else cell
            )
        elif (isinstance(cell, int) and not isinstance(cell, bool)) or (
            isinstance(cell, Decimal) and cell == cell.to_integral_value()
        ):
            place[name] = str(int(cell))  # a Parquet column of Ids may be of numbers
        else:
            place[name] = drop_missing(cell) if isinstance(cell, dict) else cell
    return document


def drop_missing(value: dict[str, Any]) -> dict[str, Any]:
    """A Parquet struct has every field in every row; those that are None are missing."""
    return {
        name: drop_missing(field) if isinstance(field, dict) else field
        for name, field in value.items()
        if field is not None
    }
