"""The endpoint document: what every host's record becomes before the model sees it.

Takes any JSON value; says whether it is a usable endpoint document, and makes a copy that can be sent back. Never raises for content.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

# Field names and types: Amazon Pinpoint API reference, "Endpoint" resource (EndpointResponse), read tolerantly: every field may be
# missing or null, a scalar may stand where a list of one belongs, and attribute values may be numbers (AWS's own sample sends them).
LARGEST = 1.7976931348623157e308
Finite: TypeAlias = Annotated[
    float, msgspec.Meta(ge=-LARGEST, le=LARGEST)
]  # neither infinity nor NaN
Scalar: TypeAlias = str | int | Finite | bool | None
# Pinpoint allows 250 attribute names in a whole application; four times that is no endpoint any more.
MOST_NAMES = 1_000
MOST_DEPTH = 32
LARGEST_INTEGER_BITS = (
    1024  # beyond it an integer is no finite float, and far beyond it Python refuses to write it
)
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
    """Place: text, and two numbers."""

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
    """The shape that `find_problem` checks against; documents themselves stay plain dicts."""

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
    """Say what makes `value` unusable as an endpoint document, or None when nothing does; see `inspect_document`."""
    return inspect_document(value)[0]


def inspect_document(value: object) -> tuple[str | None, int]:
    """Give what makes `value` unusable as an endpoint document (None: nothing), and its size in bytes of compact UTF-8 JSON.

    The sentence names the place below `$` and what was expected there, never what was found: `$.Metrics[...]: Expected ...`.
    Checked: the type of every known field, finite numbers, at most 1,000 names in a map, and text that UTF-8 can encode, everywhere.
    The size is 0 where there is a problem.
    """
    try:
        msgspec.convert(value, Document)
        size = len(msgspec.json.encode(value))
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at ")
        return f"{place.strip('`') or '$'}: {sentence}", 0
    except UnicodeEncodeError:
        return "$: Expected text that UTF-8 can encode", 0
    except (RecursionError, TypeError, ValueError):
        return "$: Expected a JSON value of moderate depth", 0
    document: dict[str, Any] = value  # type: ignore[assignment]  # convert() has shown that it is a mapping of text
    for group, known in KNOWN_FIELDS.items():
        fields = document if group is None else document.get(group) or {}
        if (
            not known.issuperset(fields)
            and clean_value({name: fields[name] for name in fields if name not in known})[1]
        ):
            return (
                "$: Expected finite numbers and moderate depth in fields that the hook does not document",
                0,
            )
    return None, size


def measure_documents(documents: Mapping[str, Any]) -> int | None:
    """The size of a map of documents, ids included, in bytes of compact UTF-8 JSON if all of them, ids included, are usable; else None.

    The same judgement as `inspect_document` on each, at half the cost for a batch of 50.
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
    """Copy a JSON value without what no JSON text in UTF-8 can carry; give the copy and how many things were left out.

    Left out: non-finite numbers, strings (and names) that UTF-8 cannot encode, anything nested deeper than 32 levels, and anything
    that is no JSON value. In a mapping its name goes with it; in a list the item goes.
    """
    if isinstance(value, Mapping):
        kept: dict[str, Any] = {}
        lost = 0
        for name, field in value.items():
            if (
                isinstance(name, str)
                and depth < MOST_DEPTH
                and is_encodable(name)
                and is_sendable(field)
            ):
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
        return [item for item, _ in pairs], sum(below for _, below in pairs) + len(value) - len(
            pairs
        )
    return value, 0


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can encode `text`, which it cannot where a surrogate stands alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_sendable(value: object) -> bool:
    """Whether `value`, looked at without what is inside it, may stand in a JSON text."""
    if isinstance(value, str):
        return is_encodable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return value.bit_length() <= LARGEST_INTEGER_BITS
    return value is None or isinstance(value, list | tuple | Mapping)
