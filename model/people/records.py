"""Decodes one record of a file of people: a JSON object, or a CSV row whose columns are planned.

Gives the endpoint document, and the profile that it was made of, if any. `model.document` judges
whether the content is usable. Many plain JSON lines are decoded and looked at all at once.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from model.customer_profile import PROFILE_ID, convert_profile
from model.document_types import Document
from model.errors import name_kind
from model.people.cells import write_whole, write_whole_numbers
from model.people.columns import PEOPLE, Layout, RecordError, build_row
from model.profile_names import Naming

# Sentences of the csv module -> plainer ones
PLAINER = {
    "unexpected end of data": "a quote is opened and not closed where a row could end",
    "new-line character": "a carriage return stands within a line, outside quotes",
}
OUT_OF_RANGE = "Number out of range"  # as msgspec says of 1e400
# A synchronous Lambda invocation takes 6 MB. Pinpoint's own limit is 15 KB an endpoint.
LONGEST_RECORD = 5_000_000
TOO_LONG = b'"too long"'  # stands for a record that was too long to be made
# The documented fields that hold text, with the types that `Document` gives them. A document of
# these types needs no change of `make_record`, if it has an Id.
UNREAD = ("Attributes", "Metrics")
Outline = msgspec.defstruct(
    "Outline",
    [
        (each.name, each.type, None)
        for each in msgspec.structs.fields(Document)
        if each.name not in UNREAD
    ],
    frozen=True,
    gc=False,
)
_decode_lines = msgspec.json.Decoder(dict[str, Any]).decode_lines
_OUTLINES = list[Outline]  # type: ignore[valid-type]  # a type that is made above


class Record(msgspec.Struct, frozen=True, gc=False):
    """A person.

    document   the endpoint document, with `Id` (for a profile, its ProfileId)
    profile    the profile as exported; None for an endpoint
    ambiguous  whether two migrations could have named the profile's attributes
    """

    document: dict[str, Any]
    profile: dict[str, Any] | None
    ambiguous: bool = False


Decoder: TypeAlias = Callable[[bytes], Record]
FieldDecoder: TypeAlias = Callable[[bytes], dict[str, Any]]


def make_decoder(
    header: Sequence[str] | None, *, id_needed: bool = True, naming: Naming | None = None
) -> Decoder:
    """Make a function that decodes a record of a `PeopleFile` with this `header`.

    `naming` is that of the attributes of customer profiles; None: those of each profile tell it.
    The function raises RecordError in one sentence without a value. With `id_needed` False it
    accepts a person without Id; the document then has none.
    """
    decode = make_field_decoder(header)
    return lambda raw: make_record(decode(raw), id_needed=id_needed, naming=naming)


def make_field_decoder(header: Sequence[str] | None, layout: Layout = PEOPLE) -> FieldDecoder:
    """Make a function that decodes a record into its fields. The function raises RecordError."""
    return decode_object if header is None else make_row_decoder(header, layout)


def decode_object(raw: bytes) -> dict[str, Any]:
    """Decode a JSON object. Raises RecordError."""
    check_length(raw)
    try:
        value = decode_json(raw, msgspec.json.decode)
    except msgspec.DecodeError as error:
        raise RecordError(f"expected one JSON object: {error}") from error
    except UnicodeDecodeError as error:
        raise RecordError("expected UTF-8") from error
    except RecursionError as error:
        raise RecordError("expected JSON of moderate depth") from error
    if not isinstance(value, dict):
        raise RecordError(f"expected one JSON object, found {name_kind(value)}")
    return value


def decode_json(raw: bytes, decode: Callable[[bytes], Any]) -> Any:
    """Decode JSON in which NaN and Infinity, which Python and pandas write, are null.

    So is a number beyond all floats, such as 1e400.

    Raises what `decode` raises.
    """
    try:
        return decode(raw)
    except msgspec.DecodeError as error:
        if b"NaN" not in raw and b"Infinity" not in raw and OUT_OF_RANGE not in str(error):
            raise
        try:
            value = json.loads(raw, parse_constant=lambda _: None, parse_float=read_finite)
            plain = msgspec.json.encode(value)
        except (ValueError, TypeError, OverflowError, RecursionError):
            plain = b""
        if not plain:
            raise
        return decode(plain)


def read_finite(text: str) -> float | None:
    """A number of a JSON text; None if it is beyond all floats."""
    number = float(text)
    return number if math.isfinite(number) else None


def decode_objects(lines: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """Decode JSON objects, one a line, all at once: four times as fast as one by one.

    lines  each without a line break but at its end
    Gives None if one of them is no JSON object, or has a peculiarity that `decode_object` knows.
    """
    text = (b"" if lines[0].endswith(b"\n") else b"\n").join(lines)
    # Inside an object or a list no `{` follows a `}`. So where lines meet like this, no object goes
    # on in the next line, and as many objects as lines means one in each.
    meetings = text.count(b"}\n{") + text.count(b"}\r\n{")
    if len(text) >= LONGEST_RECORD or meetings != len(lines) - 1:
        return None
    try:
        objects = _decode_lines(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return objects if len(objects) == len(lines) else None


def outline_documents(documents: Sequence[dict[str, Any]]) -> Sequence[Any]:
    """For each object, an Outline; None for one that `make_record` must look at.

    That is a profile, an object without an Id, and one with a number in place of text.
    """
    try:
        outlines: Sequence[Any] = msgspec.convert(documents, _OUTLINES)
    except msgspec.ValidationError:
        outlines = [_outline(each) for each in documents]
    return [each if each is not None and each.Id else None for each in outlines]


def _outline(document: dict[str, Any]) -> Any:
    try:
        return msgspec.convert(document, Outline)
    except msgspec.ValidationError:
        return None


def make_row_decoder(header: Sequence[str], layout: Layout) -> FieldDecoder:
    """Make a function that decodes a CSV row. The function raises RecordError."""
    columns, names = layout.plan(header), list(header)
    plain = [name.removeprefix("Attributes.") for name in names]

    def decode_row(raw: bytes) -> dict[str, Any]:
        check_length(raw)
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
        if cells in (names, plain):
            raise RecordError("expected a person, found the header again")
        return build_row(columns, cells)

    return decode_row


def check_length(raw: bytes) -> None:
    """Raise RecordError for a record that is too long; `PeopleFile` cuts such a line."""
    if len(raw) >= LONGEST_RECORD or raw == TOO_LONG:
        raise RecordError(f"expected fewer than {LONGEST_RECORD:,} bytes")


def explain_csv(error: csv.Error) -> str:
    """The csv module's own sentence, or a plainer one."""
    text = str(error)
    return next((plain for theirs, plain in PLAINER.items() if theirs in text), text)


def make_record(fields: dict[str, Any], *, id_needed: bool, naming: Naming | None = None) -> Record:
    """Make a Record of an endpoint, or of a profile: fields with a ProfileId and no Id.

    A whole number is an id, too. `read_id` reads it in the same way.
    """
    id_ = read_id(fields.get("Id"), fields.get("ProfileId"), fields.get("profileId"))
    if fields.get("Id") is None:
        if isinstance(id_, str):
            for name in PROFILE_ID:
                if fields.get(name):
                    fields[name] = write_whole(fields[name])
            converted = convert_profile(fields, naming)
            document = {"Id": id_, **converted.document}
            write_whole_numbers(document)
            return Record(document, fields, converted.ambiguous)
        if not id_needed and id_ is None:
            write_whole_numbers(fields)
            return Record(fields, None)
    if not isinstance(id_, str):
        found = "none" if id_ is None else name_kind(id_)
        raise RecordError(f"$.Id: expected text or a whole number, found {found}")
    if not id_:
        raise RecordError("$.Id: expected text of one character or more, found empty text")
    write_whole_numbers(fields)
    return Record(fields, None)


def read_id(own: Any, *profile: Any) -> Any:
    """The id of an endpoint, or else of a profile; text if it is text or a whole number."""
    return write_whole(own if own is not None else next(filter(None, profile), None))
