"""Customer profiles (Amazon Connect) and endpoint documents (Pinpoint), each made from the other.

One table is read in both directions; `model.profile_names` has its rows of flat attributes. Keys of
a profile may be in camelCase (events) or PascalCase (exports). Never raises for content; never
changes its input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from model.profile_names import AWS, Naming, flatten_groups, read_mapping, split_attributes


class MappedField(msgspec.Struct, frozen=True):
    """A row of the migration table.

    field    in the document
    written  the profile's field that the migration writes
    read     the profile's fields that are read; the first one with a value counts
    """

    field: str
    written: str
    read: tuple[str, ...]


class ConvertedProfile(NamedTuple):
    """The endpoint document of a profile.

    ambiguous  whether its attributes have names of both migrations, or of either
    """

    document: dict[str, Any]
    ambiguous: bool


# Source of all tables: AWS, "Amazon Pinpoint end of support", migration to Amazon Connect Customer
# Profiles. A profile's `Address` has the location.
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
        "EMAIL",
        "emailAddress",
        # AWS's printed example has `email`; live events and exports have the others.
        ("emailAddress", "personalEmailAddress", "businessEmailAddress", "email"),
    ),
    MappedField(
        "SMS",
        "phoneNumber",
        ("phoneNumber", "mobilePhoneNumber", "homePhoneNumber", "businessPhoneNumber"),
    ),
)
ADDRESSES = {channel.field: channel.written for channel in CHANNELS} | {"VOICE": "phoneNumber"}
# Facts of the person that a profile holds and no endpoint has: the document's group `Profile`.
# Source: Amazon Connect Customer Profiles API reference, "Profile".
PROFILE = (
    MappedField("BirthDate", "birthDate", ("birthDate",)),
    MappedField("Gender", "gender", ("gender", "genderString")),
    MappedField("PartyType", "partyType", ("partyType", "partyTypeString")),
    MappedField("ProfileType", "profileType", ("profileType",)),
    MappedField("FirstName", "firstName", ("firstName",)),
    MappedField("MiddleName", "middleName", ("middleName",)),
    MappedField("LastName", "lastName", ("lastName",)),
    MappedField("BusinessName", "businessName", ("businessName",)),
    MappedField("AdditionalInformation", "additionalInformation", ("additionalInformation",)),
)
# Name -> value, where an event or an export has them: the document's group `Calculated`.
CALCULATED = "calculatedAttributes"
# The groups that `split_attributes` fills besides User, whose fields are flat attributes
FLAT_GROUPS = ("Attributes", "Metrics", "Demographic")
# The fields of a profile that are read, in camelCase
READ_FIELDS = (
    PROFILE_ID[1],
    "accountNumber",
    "attributes",
    "address",
    CALCULATED,
    *(field for row in (*CHANNELS, *PROFILE) for field in row.read),
)


def profile_to_document(profile: Mapping[str, Any], naming: Naming | None = None) -> dict[str, Any]:
    """The endpoint document of a profile: see `convert_profile`."""
    return convert_profile(profile, naming).document


def convert_profile(profile: Mapping[str, Any], naming: Naming | None = None) -> ConvertedProfile:
    """Make the endpoint document of a profile.

    naming  how the profile's attributes are named; None: their names tell it

    An attribute that may come from Pinpoint's `Attributes.X` or `User.UserAttributes.X` is put
    under both. A profile with an e-mail address and a phone number has no single channel: it gets
    no ChannelType and no Address. Text under a metric, `Latitude` or `Longitude` that is not a
    number stays text: the document is unreadable where it is read.
    """
    fields = lower_names(profile)
    flat, address = fields.get("attributes"), fields.get("address")
    document: dict[str, Any] = read_channel(fields)
    groups, ambiguous = split_attributes(read_mapping(flat), naming)
    groups["Location"] |= read_rows(LOCATION, lower_names(read_mapping(address)))
    users = groups.pop("UserAttributes")
    user: dict[str, Any] = {"UserAttributes": users} if users else {}
    if fields.get("accountNumber") is not None:
        user["UserId"] = fields["accountNumber"]
    groups |= {"User": user, "Profile": read_rows(PROFILE, fields)}
    document |= {name: group for name, group in groups.items() if group}
    if fields.get(CALCULATED) is not None:
        document["Calculated"] = fields[CALCULATED]
    # A value of the wrong type is not a missing value: where it is read, it is named.
    if flat is not None and not isinstance(flat, Mapping):
        document |= dict.fromkeys(FLAT_GROUPS, flat)
        document["User"] = user | {"UserAttributes": flat}
    if address is not None and not isinstance(address, Mapping):
        document["Location"] = address
    return ConvertedProfile(document, ambiguous)


def document_to_profile(document: Mapping[str, Any], naming: Naming = AWS) -> dict[str, Any]:
    """Make the profile of an endpoint document, keys in camelCase, as a migration does.

    Values become text, as a profile's attributes are text. A group that is not an object is left
    out.
    """
    user, location = read_mapping(document.get("User")), read_mapping(document.get("Location"))
    address_field = ADDRESSES.get(str(document.get("ChannelType")))
    fields = {
        "profileId": document.get("Id"),
        "accountNumber": user.get("UserId"),
        **({address_field: document.get("Address")} if address_field else {}),
        **write_rows(PROFILE, read_mapping(document.get("Profile"))),
        "address": write_rows(LOCATION, location),
        "attributes": flatten_groups(document, naming),
        CALCULATED: read_mapping(document.get("Calculated")),
    }
    return {name: value for name, value in fields.items() if value}


def profile_to_event(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Make the `CustomerData` of a profile that was exported.

    As in live events, keys begin in lower case, fields without a value are left out, and so are
    calculated attributes. Names of attributes stay as they are.
    """
    fields = {name: value for name, value in lower_names(profile).items() if name != CALCULATED}
    return {
        name: drop_empty(value if name == "attributes" else lower_names(value))
        if isinstance(value, Mapping)
        else value
        for name, value in drop_empty(fields).items()
    }


def drop_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}


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


def read_rows(rows: tuple[MappedField, ...], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The document's fields that an object of the profile has. Its names begin in lower case."""
    return {
        row.field: fields[name]
        for row in rows
        for name in reversed(row.read)
        if name in fields and fields[name] not in (None, "")
    }


def write_rows(rows: tuple[MappedField, ...], group: Mapping[str, Any]) -> dict[str, Any]:
    """The profile's fields that a group of the document has."""
    return {row.written: group[row.field] for row in rows if group.get(row.field) is not None}


def lower_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`AccountNumber` and `accountNumber` are the same field."""
    return {name[:1].lower() + name[1:]: value for name, value in fields.items()}
