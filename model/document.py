"""The endpoint document: the form that every host's record takes before the model reads it.

Checks any JSON value, and makes a copy that can be sent back. Never raises for content.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

# Field names and types: Amazon Pinpoint API reference, "Endpoint" resource (EndpointResponse). They
# are read tolerantly: every field may be missing or null, a scalar may replace a list of one, and
# attribute values may be numbers, as in AWS's own sample.
LARGEST = 1.7976931348623157e308
# Neither infinity nor NaN
Finite: TypeAlias = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Scalar: TypeAlias = str | int | Finite | bool | None
# Pinpoint allows 250 attribute names in an application. More than four times that is rejected.
MOST_NAMES = 1_000
MOST_DEPTH = 32
# A larger integer is not a finite float, and Python refuses to write a much larger one.
LARGEST_INTEGER_BITS = 1024
Attributes: TypeAlias = Annotated[
    dict[str, list[Scalar] | Scalar], msgspec.Meta(max_length=MOST_NAMES)
]


class Demographic(msgspec.Struct, frozen=True):
    """Device facts, all text."""

    AppVersion: str | None = None
    Locale: str | None = None
    Make: str | None = None
    Model: str | None = None
    ModelVersion: str | None = None
    Platform: str | None = None
    PlatformVersion: str | None = None
    Timezone: str | None = None


class Location(msgspec.Struct, frozen=True):
    """Where a device is: text, and two numbers."""

    City: str | None = None
    Country: str | None = None
    PostalCode: str | None = None
    Region: str | None = None
    Latitude: Finite | None = None
    Longitude: Finite | None = None


class User(msgspec.Struct, frozen=True):
    """The person an endpoint belongs to."""

    UserId: str | None = None
    UserAttributes: Attributes | None = None


class Document(msgspec.Struct, frozen=True):
    """The form that `find_problem` checks. Documents themselves stay plain dicts."""

    Id: str | None = None
    ApplicationId: str | None = None
    ChannelType: str | None = None
    Address: str | None = None
    EndpointStatus: str | None = None
    OptOut: str | None = None
    EffectiveDate: str | None = None
    CreationDate: str | None = None
    CohortId: str | None = None
    RequestId: str | None = None
    Attributes: Attributes | None = None
    Metrics: Annotated[dict[str, Finite | None], msgspec.Meta(max_length=MOST_NAMES)] | None = None
    Demographic: Demographic | None = None
    Location: Location | None = None
    User: User | None = None
    TitleOverride: str | None = None
    BodyOverride: str | None = None


KNOWN_FIELDS: dict[str | None, frozenset[str]] = {
    None: frozenset(Document.__struct_fields__),
    "Demographic": frozenset(Demographic.__struct_fields__),
    "Location": frozenset(Location.__struct_fields__),
    "User": frozenset(User.__struct_fields__),
}
DOCUMENT_FIELDS = KNOWN_FIELDS[None]
GROUP_FIELDS = tuple((group, known) for group, known in KNOWN_FIELDS.items() if group is not None)


def find_problem(value: object) -> str | None:
    """Why `value` is not a usable endpoint document; None if it is. See `inspect_document`."""
    return inspect_document(value)[0]


def inspect_document(value: object) -> tuple[str | None, int]:
    """The problem of `value` as an endpoint document, and its size in bytes of compact UTF-8 JSON.

    The problem is None for a usable document; otherwise the size is 0. The sentence names the path
    and what was expected there: `$.Metrics[...]: Expected ...`. Checked everywhere: the type of
    known fields, finite numbers, at most 1,000 names in an object, and text that UTF-8 can encode.
    """
    try:
        msgspec.convert(value, Document)
        size = len(msgspec.json.encode(value))
    except msgspec.ValidationError as error:
        sentence, _, path = str(error).partition(" - at ")
        return f"{path.strip('`') or '$'}: {sentence}", 0
    except UnicodeEncodeError:
        return "$: Expected text that UTF-8 can encode", 0
    except (RecursionError, TypeError, ValueError):
        return "$: Expected a JSON value of moderate depth", 0
    document: dict[str, Any] = value  # type: ignore[assignment]  # convert() accepts no other type
    for group, known in KNOWN_FIELDS.items():
        fields = document if group is None else document.get(group) or {}
        if known.issuperset(fields):
            continue
        unknown = {name: fields[name] for name in fields if name not in known}
        if clean_value(unknown)[1]:
            return "$: Expected finite numbers and moderate depth in undocumented fields", 0
    return None, size


def measure_documents(documents: Mapping[str, Any]) -> int | None:
    """The size of documents by id, ids included, in bytes of compact UTF-8 JSON.

    None if a document or an id is unusable. Judges like `inspect_document`, at half the cost for a
    batch of 50.
    """
    try:
        msgspec.convert(documents, dict[str, Document])
        size = len(msgspec.json.encode(documents))
    except (msgspec.ValidationError, UnicodeEncodeError, RecursionError, TypeError, ValueError):
        return None
    for document in documents.values():
        if not DOCUMENT_FIELDS.issuperset(document):
            return None
        for group, known in GROUP_FIELDS:
            if group in document and not known.issuperset(document[group] or ()):
                return None
    return size


def clean_value(value: object, depth: int = 0) -> tuple[Any, int]:
    """Copy a JSON value without the parts that JSON in UTF-8 cannot carry.

    Gives the copy, and how many parts were left out: numbers that are not finite, text and names
    that UTF-8 cannot encode, anything nested deeper than 32 levels, and values of other types.
    """
    if isinstance(value, Mapping):
        kept: dict[str, Any] = {}
        lost = 0
        for name, field in value.items():
            is_name = isinstance(name, str) and is_encodable(name)
            if is_name and depth < MOST_DEPTH and is_sendable(field):
                kept[name], below = clean_value(field, depth + 1)
                lost += below
            else:
                lost += 1
        return kept, lost
    if isinstance(value, list | tuple):
        pairs = [
            clean_value(item, depth + 1)
            for item in value
            if depth < MOST_DEPTH and is_sendable(item)
        ]
        lost = sum(below for _, below in pairs) + len(value) - len(pairs)
        return [item for item, _ in pairs], lost
    return value, 0


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can encode `text`. It cannot encode a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_sendable(value: object) -> bool:
    """Whether JSON can carry `value`, apart from its content."""
    if isinstance(value, str):
        return is_encodable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return value.bit_length() <= LARGEST_INTEGER_BITS
    return value is None or isinstance(value, list | tuple | Mapping)
