"""The endpoint document: what every host's record becomes before the model sees it.

Takes any JSON value. Gives the part that can be sent back, and says which of the paths that are
read cannot be used. Never raises for content.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec

from model.errors import name_kind
from model.kinds import split_path
from model.missing import is_null_marker
from model.values import is_whole, parse_number

# Field names and types: Amazon Pinpoint API reference, "Endpoint" resource (EndpointResponse).
# Every field may be missing or null, a scalar may stand where a list of one belongs, and attribute
# values may be numbers (AWS's own sample sends them).
LARGEST = 1.7976931348623157e308
# Neither infinity nor NaN
Finite: TypeAlias = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Scalar: TypeAlias = str | int | Finite | bool | None
Attributes: TypeAlias = dict[str, list[Scalar] | Scalar]
MOST_DEPTH = 32
# An integer beyond it is no finite float. Python refuses to write one far beyond it.
LARGEST_INTEGER_BITS = 1024


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
    """The documented type of each field. Documents themselves stay plain dicts.

    It serves as a fast proof: in a document of these types every path can be read, and it can be
    sent back. Other documents are looked at more closely.
    """

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
    Metrics: dict[str, Finite | None] | None = None
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


GROUPS = frozenset({"Attributes", "Metrics", "Demographic", "Location", "User"})
COORDINATES = frozenset({"Location.Latitude", "Location.Longitude"})


class Inspection(NamedTuple):
    """What one document of an event is.

    document  the document; without what no JSON text can carry, if something was left out. None if
              the value is no JSON object
    lost      how many things were left out
    size      bytes of JSON that it takes, at least
    typed     whether every field has its documented type
    """

    document: dict[str, Any] | None
    lost: int
    size: int
    typed: bool


def inspect_document(value: object) -> Inspection:
    """Look at one document of an event. See `clean_value` for what is left out."""
    if not isinstance(value, dict):
        return Inspection(None, clean_value(value)[1], 0, typed=False)
    typed = is_typed(value)
    cleaned, lost = clean_value(value)
    document = cleaned if lost else value
    return Inspection(document, lost, len(json.dumps(document)), typed)


def is_typed(value: object) -> bool:
    """Whether every field of a document has its documented type. Such a document is an object."""
    try:
        msgspec.convert(value, Document)
    except (msgspec.ValidationError, RecursionError, TypeError, ValueError):
        return False
    return True


def measure_documents(documents: Mapping[str, Any]) -> int | None:
    """The size of a map of documents, ids included, in bytes of compact UTF-8 JSON.

    None unless every document is of the documented fields and types and can be sent back: a fast
    proof for a whole batch, which nearly every batch passes.
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


class ReadPath(NamedTuple):
    """A path below the document that is read, and what can be used there besides null.

    usable    whether a value can be used
    expected  what that is, in words
    """

    names: tuple[str, ...]
    usable: Callable[[Any], bool]
    expected: str


def compile_paths(paths: Iterable[str]) -> tuple[ReadPath, ...]:
    """The paths that are read, each once, with what can be used at each.

    A path that names a whole group, such as `Attributes`, is read as an object. What an external
    store gives has no documented type, so paths below `External` are left out.
    """
    return tuple(
        compile_path(path) for path in dict.fromkeys(paths) if path.partition(".")[0] != "External"
    )


def compile_path(path: str) -> ReadPath:
    """One path that is read. The type follows from its group: see `Document`."""
    names = split_path(path)
    if path in GROUPS:
        return ReadPath(names, lambda value: isinstance(value, dict), "an object")
    if names[0] == "Metrics" or path in COORDINATES:
        return ReadPath(names, is_number, "a number")
    if names[0] == "Attributes" or names[:2] == ("User", "UserAttributes"):
        return ReadPath(names, is_attribute, "text, a number, true, false, or a list of them")
    return ReadPath(names, is_text, "text")


def is_number(value: Any) -> bool:
    """Whether a value is a number, text that reads as one, or text that says it is missing.

    A number that is not finite, or beyond float32, is missing: it can be used.
    """
    if isinstance(value, str):
        return is_null_marker(value) or parse_number(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_text(value: Any) -> bool:
    """Whether a value is text, or a whole number, which is read as text."""
    return isinstance(value, str) or (is_number(value) and is_whole(value))


def is_attribute(value: Any) -> bool:
    """Whether a value is what an attribute may be: a scalar, or a list of scalars."""
    if isinstance(value, list):
        return not any(isinstance(item, dict | list) for item in value)
    return not isinstance(value, dict)


def find_problem(document: object, paths: Sequence[ReadPath]) -> str | None:
    """Why a document cannot be used, by the first of `paths` at which it cannot; else None.

    A sentence such as `$.Metrics.Purchases: expected a number, found text`. It never holds a value.
    What is not read does not matter.
    """
    if not isinstance(document, dict):
        return f"$: expected an object, found {name_kind(document)}"
    for path in paths:
        value: Any = document
        for depth, name in enumerate(path.names):
            if not isinstance(value, dict):
                where = ".".join(path.names[:depth])
                return f"$.{where}: expected an object, found {name_kind(value)}"
            value = value.get(name)
            if value is None:
                break
        if value is not None and not path.usable(value):
            where = ".".join(path.names)
            return f"$.{where}: expected {path.expected}, found {name_kind(value)}"
    return None


def find_user(document: object) -> str | None:
    """The UserId of any JSON value, as text; None if there is none.

    Data platforms write ids as numbers: the user 101 is the same person as "101" and 101.0.
    """
    user = document.get("User") if isinstance(document, dict) else None
    user_id = user.get("UserId") if isinstance(user, dict) else None
    if isinstance(user_id, str):
        return user_id or None
    return str(int(user_id)) if user_id is not None and is_text(user_id) else None


def clean_value(value: object, depth: int = 0) -> tuple[Any, int]:
    """Copy a JSON value without what no JSON text in UTF-8 can carry; and count what is left out.

    Left out: numbers that are not finite, strings and names that UTF-8 cannot encode, anything
    nested deeper than 32 levels, and anything that is no JSON value. In a mapping its name goes
    with it; in a list the item goes.
    """
    if isinstance(value, Mapping):
        kept: dict[str, Any] = {}
        lost = 0
        for name, field in value.items():
            is_name = isinstance(name, str) and depth < MOST_DEPTH and is_encodable(name)
            if is_name and is_sendable(field):
                kept[name], below = clean_value(field, depth + 1)
                lost += below
            else:
                lost += 1
        return kept, lost
    if isinstance(value, list | tuple):
        sendable = [item for item in value if depth < MOST_DEPTH and is_sendable(item)]
        pairs = [clean_value(item, depth + 1) for item in sendable]
        lost = sum(below for _, below in pairs) + len(value) - len(pairs)
        return [item for item, _ in pairs], lost
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
