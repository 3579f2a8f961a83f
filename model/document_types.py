"""The documented type of each field of an endpoint document, and documents that are proven by them.

A document is a plain dict or, decoded straight from JSON, an `ExactDocument`. Both are read by
`get`, and neither is ever changed. Nothing here looks at a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any, Protocol, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from model.values import LARGEST_FLOAT32

# Field names and types: Amazon Pinpoint API reference, "Endpoint" resource (EndpointResponse). They
# are read tolerantly: every field may be missing or null, a scalar may replace a list of one, and
# attribute values may be numbers, as in AWS's own sample.
LARGEST = 1.7976931348623157e308
# Neither infinity nor NaN
Finite: TypeAlias = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Scalar: TypeAlias = str | int | Finite | bool | None
Attributes: TypeAlias = dict[str, list[Scalar] | Scalar]
Text: TypeAlias = str | UnsetType | None
OptionalAttributes: TypeAlias = Attributes | UnsetType | None
# A whole number stays one, to the last digit. Larger numbers, and those beyond float32, which a
# model reads as missing, are looked at more closely.
Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Float32: TypeAlias = Annotated[float, msgspec.Meta(ge=-LARGEST_FLOAT32, le=LARGEST_FLOAT32)]
ExactNumber: TypeAlias = Whole | Float32 | None


class Readable(Protocol):
    """An object of JSON: a dict, or `Fields`."""

    def get(self, name: str, /) -> Any:
        """The value under a name; None where there is none."""
        ...


class Fields(msgspec.Struct, frozen=True):
    """An object of documented fields. A field that was not sent is `UNSET`, and sent back so."""

    def get(self, name: str, /) -> Any:
        """A field's value, as a dict gives it; None where there is none."""
        value = getattr(self, name, None) if name in EVERY_FIELD else None
        return None if value is UNSET else value


class Demographic(Fields, frozen=True):
    """Device facts, all text."""

    AppVersion: Text = UNSET
    Locale: Text = UNSET
    Make: Text = UNSET
    Model: Text = UNSET
    ModelVersion: Text = UNSET
    Platform: Text = UNSET
    PlatformVersion: Text = UNSET
    Timezone: Text = UNSET


class Location(Fields, frozen=True):
    """Where a device is: text, and two numbers."""

    City: Text = UNSET
    Country: Text = UNSET
    PostalCode: Text = UNSET
    Region: Text = UNSET
    Latitude: Finite | UnsetType | None = UNSET
    Longitude: Finite | UnsetType | None = UNSET


class User(Fields, frozen=True):
    """The person an endpoint belongs to."""

    UserId: Text = UNSET
    UserAttributes: OptionalAttributes = UNSET


class Document(Fields, frozen=True):
    """The documented type of each field. Fields that are not documented may be there, too.

    It serves as a proof: in a document of these types every path can be read.
    """

    Id: Text = UNSET
    ApplicationId: Text = UNSET
    ChannelType: Text = UNSET
    Address: Text = UNSET
    EndpointStatus: Text = UNSET
    OptOut: Text = UNSET
    EffectiveDate: Text = UNSET
    CreationDate: Text = UNSET
    CohortId: Text = UNSET
    RequestId: Text = UNSET
    Attributes: OptionalAttributes = UNSET
    Metrics: dict[str, Finite | None] | UnsetType | None = UNSET
    Demographic: Demographic | UnsetType | None = UNSET
    Location: Location | UnsetType | None = UNSET
    User: User | UnsetType | None = UNSET
    TitleOverride: Text = UNSET
    BodyOverride: Text = UNSET


class PersonDocument(Document, frozen=True):
    """An endpoint document with what a customer profile tells besides: see `customer_profile`."""

    Profile: dict[str, str | None] | UnsetType | None = UNSET
    Calculated: OptionalAttributes = UNSET


class ExactDemographic(Demographic, frozen=True, forbid_unknown_fields=True):
    """Of no other fields than these."""


class ExactLocation(Location, frozen=True, forbid_unknown_fields=True):
    """Of no other fields than these."""

    Latitude: ExactNumber | UnsetType = UNSET
    Longitude: ExactNumber | UnsetType = UNSET


class ExactUser(User, frozen=True, forbid_unknown_fields=True):
    """Of no other fields than these."""


class ExactDocument(Document, frozen=True, forbid_unknown_fields=True):
    """A document that loses nothing when it is decoded from JSON and encoded again.

    Of no other fields than the documented ones, each of its type: it can be read everywhere, and
    sent back as it is. Nothing needs to check it again.
    """

    Metrics: dict[str, ExactNumber] | UnsetType | None = UNSET
    Demographic: ExactDemographic | UnsetType | None = UNSET
    Location: ExactLocation | UnsetType | None = UNSET
    User: ExactUser | UnsetType | None = UNSET


AnyDocument: TypeAlias = dict[str, Any] | ExactDocument
# The classes of what a path may lead through.
OBJECTS = (dict, Fields)
KNOWN_FIELDS: dict[str | None, frozenset[str]] = {
    None: frozenset(Document.__struct_fields__),
    "Demographic": frozenset(Demographic.__struct_fields__),
    "Location": frozenset(Location.__struct_fields__),
    "User": frozenset(User.__struct_fields__),
}
DOCUMENT_FIELDS = KNOWN_FIELDS[None]
# Names that may be looked up as attributes: no method is among them.
EVERY_FIELD = frozenset().union(*KNOWN_FIELDS.values(), PersonDocument.__struct_fields__)
EXACT = frozenset({ExactDocument})


def are_exact(objects: Iterable[Readable]) -> bool:
    """Whether all of them are ExactDocuments."""
    return EXACT.issuperset(map(type, objects))


def list_values(objects: Sequence[Readable], names: Sequence[str]) -> list[list[Any]]:
    """For each name, the value under it in each object; None where there is none."""
    if DOCUMENT_FIELDS.issuperset(names) and are_exact(objects):
        every = [map(attrgetter(name), objects) for name in names]
        return [[None if value is UNSET else value for value in values] for values in every]
    return [[each.get(name) for each in objects] for name in names]


def replace_fields(document: AnyDocument, changes: Mapping[str, Any]) -> AnyDocument:
    """A copy with other values in some fields; these are documented ones."""
    if isinstance(document, dict):
        return {**document, **changes}
    return msgspec.structs.replace(document, **changes)


def add_group(document: AnyDocument, name: str, group: Mapping[str, Any]) -> dict[str, Any]:
    """A copy as a dict, with a group that is no documented field."""
    if isinstance(document, dict):
        return {**document, name: group}
    fields = msgspec.structs.asdict(document).items()
    return {field: value for field, value in fields if value is not UNSET} | {name: group}
