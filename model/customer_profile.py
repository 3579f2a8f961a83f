"""Customer profiles (Amazon Connect) and endpoint documents (Pinpoint), each made from the other.

One table, AWS's own migration from Pinpoint, is read in both directions. Keys of a profile may be
in camelCase (events) or PascalCase (exports). Never raises for content; never changes its input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from model.values import parse_number, read_texts


class MappedField(NamedTuple):
    """A row of the migration table.

    field    in the document
    written  the profile's field that the migration writes
    read     the profile's fields that are read; the first one with a value counts
    """

    field: str
    written: str
    read: tuple[str, ...]


class PrefixedGroup(NamedTuple):
    """A group of the document whose fields are flat attributes `PREFIX_name` of a profile."""

    group: str
    read: Callable[[Any], Any]
    write: Callable[[Any], str]


def read_number(value: Any) -> Any:
    """A number that is written as text; other values as they are, for the document's check."""
    number = parse_number(value) if isinstance(value, str) else None
    return value if number is None else number


def write_number(value: Any) -> str:
    """A number as text that reads as the same number, whole ones without a point."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if is_whole else str(value)


def keep(value: Any) -> Any:
    """The value as it is."""
    return value


# Source of all tables: AWS, "Amazon Pinpoint end of support", migration to Amazon Connect Customer
# Profiles. A profile's `Address` has the location; its other fields are read as they are.
PROFILE_ID = ("ProfileId", "profileId")  # in an export, in an event
LOCATION = (
    MappedField("City", "city", ("city",)),
    MappedField("Country", "country", ("country",)),
    MappedField("PostalCode", "postalCode", ("postalCode",)),
    MappedField("Region", "province", ("county", "province", "state")),
)
# Here `field` is a ChannelType. A VOICE endpoint is written like SMS, and is read back as SMS.
CHANNELS = (
    MappedField(
        "EMAIL", "emailAddress", ("emailAddress", "personalEmailAddress", "businessEmailAddress")
    ),
    MappedField(
        "SMS",
        "phoneNumber",
        ("phoneNumber", "mobilePhoneNumber", "homePhoneNumber", "businessPhoneNumber"),
    ),
)
ADDRESSES = {channel.field: channel.written for channel in CHANNELS} | {"VOICE": "phoneNumber"}
PREFIXED = {
    "Metrics_": PrefixedGroup("Metrics", read_number, write_number),
    "Demographic_": PrefixedGroup("Demographic", keep, str),
}
FLAT_GROUPS = ("Attributes", "Metrics", "Demographic")  # groups made of flat attributes
COORDINATES = ("Latitude", "Longitude")  # flat attributes; in a document they are in Location
# An attribute with several values is written as X_1, X_2 ...
NUMBERED = re.compile(r"(.+)_([1-9][0-9]{0,2})", re.ASCII | re.DOTALL)
# The fields of a profile that are read, in camelCase
READ_FIELDS = (
    PROFILE_ID[1],
    "accountNumber",
    "attributes",
    "address",
    *(field for channel in CHANNELS for field in channel.read),
)


def profile_to_document(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Make the endpoint document of a profile.

    An attribute `X` may come from Pinpoint's `Attributes.X` or `User.UserAttributes.X`, so it is
    put under both. A profile with an e-mail address and a phone number has no single channel: it
    gets no ChannelType and no Address. Text under `Metrics_X`, `Latitude` or `Longitude` that is
    not a number stays text: the document is unreadable where it is read.
    """
    fields = {lower_first(name): value for name, value in profile.items()}
    flat, address = fields.get("attributes"), fields.get("address")
    document: dict[str, Any] = read_channel(fields)
    groups = split_attributes(read_mapping(flat))
    groups["Location"] |= read_location(read_mapping(address))
    if groups["Attributes"]:
        groups["User"]["UserAttributes"] = groups["Attributes"]
    if fields.get("accountNumber") is not None:
        groups["User"]["UserId"] = fields["accountNumber"]
    document |= {name: group for name, group in groups.items() if group}
    # A value of the wrong type is not a missing value: where it is read, it is named.
    if flat is not None and not isinstance(flat, Mapping):
        document |= dict.fromkeys(FLAT_GROUPS, flat)
        document["User"] = groups["User"] | {"UserAttributes": flat}
    if address is not None and not isinstance(address, Mapping):
        document["Location"] = address
    return document


def document_to_profile(document: Mapping[str, Any]) -> dict[str, Any]:
    """Make the profile of an endpoint document, keys in camelCase.

    Values become text, as a profile's attributes are text. An attribute with several values becomes
    X_1, X_2 ...; `Attributes.X` wins over `User.UserAttributes.X`. A group that is not an object is
    left out.
    """
    user, location = read_mapping(document.get("User")), read_mapping(document.get("Location"))
    address_field = ADDRESSES.get(str(document.get("ChannelType")))
    address = {
        row.written: location[row.field] for row in LOCATION if location.get(row.field) is not None
    }
    fields = {
        "profileId": document.get("Id"),
        "accountNumber": user.get("UserId"),
        **({address_field: document.get("Address")} if address_field else {}),
        "address": address,
        "attributes": flatten_attributes(document, user, location),
    }
    return {name: value for name, value in fields.items() if value}


def read_channel(fields: Mapping[str, Any]) -> dict[str, Any]:
    """ChannelType and Address, if the profile has an address of one channel and no other."""
    found = {}
    for channel in CHANNELS:
        for name in channel.read:
            if fields.get(name):
                found[channel.field] = fields[name]
                break
    if len(found) != 1:
        return {}
    ((channel_type, address),) = found.items()
    return {"ChannelType": channel_type, "Address": address}


def read_location(address: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of Location that a profile's address has."""
    fields = {lower_first(name): value for name, value in address.items()}
    location = {}
    for row in LOCATION:
        for name in row.read:
            if fields.get(name) is not None:
                location[row.field] = fields[name]
                break
    return location


def split_attributes(flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sort a profile's flat attributes into the groups of a document, and join numbered ones."""
    groups: dict[str, dict[str, Any]] = {
        name: {} for name in ("Attributes", "Metrics", "Demographic", "Location", "User")
    }
    for name, value in flat.items():
        prefix, line, rest = name.partition("_")
        row = PREFIXED.get(prefix + line)
        if row is not None:
            groups[row.group][rest] = row.read(value)
        elif name in COORDINATES:
            groups["Location"][name] = read_number(value)
        else:
            groups["Attributes"][name] = value if isinstance(value, list | Mapping) else [value]
    groups["Attributes"] = join_numbered(groups["Attributes"])
    return groups


def flatten_attributes(
    document: Mapping[str, Any], user: Mapping[str, Any], location: Mapping[str, Any]
) -> dict[str, str]:
    """The flat attributes that a document becomes."""
    flat: dict[str, str] = {}
    own, users = document.get("Attributes"), user.get("UserAttributes")
    for name, value in {**read_mapping(users), **read_mapping(own)}.items():
        texts = read_texts(value)
        if len(texts) == 1:
            flat[name] = texts[0]
        else:
            flat |= {f"{name}_{index}": text for index, text in enumerate(texts, 1)}
    for prefix, row in PREFIXED.items():
        for name, value in read_mapping(document.get(row.group)).items():
            if value is not None:
                flat[f"{prefix}{name}"] = row.write(value)
    for name in COORDINATES:
        if location.get(name) is not None:
            flat[name] = write_number(location[name])
    return flat


def join_numbered(attributes: dict[str, Any]) -> dict[str, Any]:
    """Join `X_1`, `X_2` ... to one attribute `X`.

    Only two or more, numbered from 1 without a gap, and only if there is no `X`.
    """
    series: dict[str, dict[int, str]] = {}
    for name in attributes:
        match = NUMBERED.fullmatch(name)
        if match and match[1] not in attributes:
            series.setdefault(match[1], {})[int(match[2])] = name
    joined = dict(attributes)
    for name, numbered in series.items():
        if len(numbered) > 1 and set(numbered) == set(range(1, len(numbered) + 1)):
            values = [joined.pop(numbered[index]) for index in range(1, len(numbered) + 1)]
            joined[name] = [
                item for value in values for item in (value if isinstance(value, list) else [value])
            ]
    return joined


def read_mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def lower_first(name: str) -> str:
    """`AccountNumber` and `accountNumber` are the same field."""
    return name[:1].lower() + name[1:]
