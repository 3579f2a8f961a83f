"""An endpoint document in, the customer profile that AWS's migration made of it out: `model.customer_profile` read forwards.

Lets a segment exported from Pinpoint be walked through Connect's custom action, and written as profiles. Never changes a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.values import read_texts

# channel -> the profile's field for its address. Source: AWS, migration from Pinpoint to Connect Customer Profiles.
ADDRESSES = {"EMAIL": "emailAddress", "SMS": "phoneNumber", "VOICE": "phoneNumber"}
PLACES = {"City": "city", "Country": "country", "PostalCode": "postalCode", "Region": "province"}


def document_to_profile(document: Mapping[str, Any]) -> dict[str, Any]:
    """Make the profile of an endpoint document, keys in camelCase. What is no map where one belongs is left out.

    Attributes.X with one value becomes attributes.X, with several X_1, X_2 ...; so do User.UserAttributes.X, unless the endpoint has an
    attribute of that name itself. Numbers become text, since a profile's attributes are text.
    """
    profile: dict[str, Any] = {"profileId": document.get("Id")} if document.get("Id") else {}
    user, place = _map(document.get("User")), _map(document.get("Location"))
    if user.get("UserId"):
        profile["accountNumber"] = user["UserId"]
    field = ADDRESSES.get(str(document.get("ChannelType")))
    if field and document.get("Address"):
        profile[field] = document["Address"]
    address = {
        name: place[source] for source, name in PLACES.items() if place.get(source) is not None
    }
    if address:
        profile["address"] = address
    attributes: dict[str, str] = {}
    for name, value in {
        **_map(user.get("UserAttributes")),
        **_map(document.get("Attributes")),
    }.items():
        texts = read_texts(value)
        attributes |= (
            {name: texts[0]}
            if len(texts) == 1
            else {f"{name}_{index}": text for index, text in enumerate(texts, 1)}
        )
    for name, value in _map(document.get("Metrics")).items():
        attributes |= {f"Metrics_{name}": write_number(value)} if value is not None else {}
    for name, value in _map(document.get("Demographic")).items():
        attributes |= {f"Demographic_{name}": str(value)} if value is not None else {}
    for name in ("Latitude", "Longitude"):
        attributes |= {name: write_number(place[name])} if place.get(name) is not None else {}
    if attributes:
        profile["attributes"] = attributes
    return profile


def write_number(value: Any) -> str:
    """A number as text that reads as the same number; whole ones without a point."""
    return (
        str(int(value))
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        else str(value)
    )


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
