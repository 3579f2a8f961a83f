"""A customer profile (Amazon Connect Customer Profiles) in, an endpoint document out, by AWS's own migration table read backwards.

One mapping serves Connect's events and exported profiles, keys in camelCase or PascalCase. Never raises for content, never changes
a profile. What a table cannot tell is told here, where it is decided.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from model.values import NUMBER

# Source: Amazon Pinpoint end of support, migration to Amazon Connect Customer Profiles: attributes of several values become X_1, X_2 ...
NUMBERED = re.compile(r"(.+)_([1-9][0-9]{0,2})", re.ASCII | re.DOTALL)
PROFILE_ID = ("ProfileId", "profileId")  # an export's, an event's
EMAIL_FIELDS = ("emailAddress", "personalEmailAddress", "businessEmailAddress")
PHONE_FIELDS = ("phoneNumber", "mobilePhoneNumber", "homePhoneNumber", "businessPhoneNumber")
ADDRESS_FIELDS = {
    "City": ("city",),
    "Country": ("country",),
    "PostalCode": ("postalCode",),
    "Region": ("county", "province", "state"),
}
DEMOGRAPHIC = "Demographic_"
METRICS = "Metrics_"


def profile_to_document(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Make the endpoint document of a profile.

    An attribute `X` stands for Pinpoint's `Attributes.X` and `User.UserAttributes.X` alike, so it is put under both.
    A profile with both an e-mail address and a phone number has no one channel: ChannelType and Address stay missing.
    Text under `Metrics_X`, `Latitude` or `Longitude` that is no number stays text, which makes the document unreadable, as it should.
    """
    fields = {lower_first(name): value for name, value in profile.items()}
    document: dict[str, Any] = {}
    flat, address = fields.get("attributes"), fields.get("address")
    attributes, metrics, demographic, location = split_attributes(
        flat if isinstance(flat, Mapping) else {}
    )
    if isinstance(address, Mapping):
        places = {lower_first(name): value for name, value in address.items()}
        for name, sources in ADDRESS_FIELDS.items():
            value = next(
                (places[source] for source in sources if places.get(source) is not None), None
            )
            if value is not None:
                location[name] = value
    user: dict[str, Any] = {"UserAttributes": attributes} if attributes else {}
    if fields.get("accountNumber") is not None:
        user["UserId"] = fields["accountNumber"]
    email = next((fields[name] for name in EMAIL_FIELDS if fields.get(name)), None)
    phone = next((fields[name] for name in PHONE_FIELDS if fields.get(name)), None)
    if (email is None) != (phone is None):
        document |= {
            "ChannelType": "SMS" if email is None else "EMAIL",
            "Address": phone if email is None else email,
        }
    groups = {
        "Attributes": attributes,
        "Metrics": metrics,
        "Demographic": demographic,
        "Location": location,
        "User": user,
    }
    document |= {name: group for name, group in groups.items() if group}
    # A wrong type is not a missing value: it goes where the document's check will name it.
    misfits = {"Attributes": flat, "Location": address}
    return document | {
        name: value
        for name, value in misfits.items()
        if value is not None and not isinstance(value, Mapping)
    }


def split_attributes(
    flat: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A profile's flat attributes as Attributes (lists of text), Metrics, Demographic and Location.

    `X_1`, `X_2` ... from 1 without a gap, two or more, become the values of `X`.
    """
    attributes: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    demographic: dict[str, Any] = {}
    location: dict[str, Any] = {}
    for name, raw in flat.items():
        if name.startswith(METRICS):
            metrics[name.removeprefix(METRICS)] = read_number(raw)
        elif name.startswith(DEMOGRAPHIC):
            demographic[name.removeprefix(DEMOGRAPHIC)] = raw
        elif name in {"Latitude", "Longitude"}:
            location[name] = read_number(raw)
        else:
            attributes[name] = raw if isinstance(raw, list | Mapping) else [raw]
    return join_numbered(attributes), metrics, demographic, location


def join_numbered(attributes: dict[str, Any]) -> dict[str, Any]:
    """Put `X_1`, `X_2` ... back together as `X`, where they begin at 1, have no gap, are two or more, and `X` itself is not there."""
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


def read_number(value: Any) -> Any:
    """A number that arrives as text; anything else as it is, for the document's check to judge."""
    return float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value


def lower_first(name: str) -> str:
    """`AccountNumber` and `accountNumber` are the same field."""
    return name[:1].lower() + name[1:]
