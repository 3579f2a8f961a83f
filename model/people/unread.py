"""Finds the columns and fields that nothing reads, and the names that were probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from model.customer_profile import READ_FIELDS
from model.document_types import KNOWN_FIELDS

# A profile has many more fields. That nothing reads those is no mistake.
PROFILE_FIELDS = tuple(name[:1].upper() + name[1:] for name in READ_FIELDS)
ENDPOINT_FIELDS = KNOWN_FIELDS[None] | {"External"}
# How similar a name must be to a known one. Among a profile's, MailingAddress is like no other.
NEAR, VERY_NEAR = 0.8, 0.9


def find_unread(names: Iterable[str], *, profiles: bool) -> list[str]:
    """The columns that nothing reads, each with the one that was probably meant.

    For profiles, only columns for which another one was probably meant.
    """
    unread = []
    for name in dict.fromkeys(names):
        is_read, meant = find_meant_of_profile(name) if profiles else find_meant(name)
        if not is_read and (meant or not profiles):
            unread.append(f"{name} (meant: {meant}?)" if meant else name)
    return unread


def find_meant(name: str) -> tuple[bool, str | None]:
    """Whether an endpoint's column or field is read. If not, the one that was probably meant."""
    group, dot, rest = name.partition(".")
    if group not in ENDPOINT_FIELDS:
        near = find_near(group, ENDPOINT_FIELDS, NEAR)
        return False, f"{near}{dot}{rest}" if near else None
    fields = KNOWN_FIELDS.get(group)
    is_user_attribute = group == "User" and rest.startswith("UserAttributes.")
    if fields is None or not dot or rest in fields or is_user_attribute:
        return True, None
    near = find_near(rest, fields, NEAR)
    return False, f"{group}.{near}" if near else None


def find_meant_of_profile(name: str) -> tuple[bool, str | None]:
    """The same for a profile. Its names begin with a capital in exports, without one in events."""
    group, dot, rest = name.partition(".")
    near = find_near(group, PROFILE_FIELDS, VERY_NEAR)
    meant = near and (near if group[:1].isupper() else near[:1].lower() + near[1:])
    return meant == group, f"{meant}{dot}{rest}" if meant else None


def find_near(name: str, known: Iterable[str], near: float) -> str | None:
    """The known name that is most similar to this one, if any is similar enough."""
    folded = {other.casefold(): other for other in sorted(known)}
    matches = difflib.get_close_matches(name.casefold(), folded, 1, near)
    return folded[matches[0]] if matches else None


def list_paths(document: Mapping[str, Any], *, profiles: bool) -> Iterator[str]:
    """The fields of a document or profile, named as columns, as far as `find_unread` reads them."""
    for name, value in document.items():
        if not profiles and name in KNOWN_FIELDS and isinstance(value, Mapping):
            yield from (f"{name}.{field}" for field in value)
        else:
            yield name
