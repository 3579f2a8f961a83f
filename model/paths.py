"""The paths of an endpoint document that are read, and what can be used there.

What nothing reads does not matter. Never raises for content, and no message holds a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from model.document_types import OBJECTS
from model.errors import name_kind
from model.feature_paths import is_number_path, split_path
from model.missing import is_null_marker
from model.values import is_whole, parse_number

GROUPS = frozenset({"Attributes", "Metrics", "Demographic", "Location", "User"})
ATTRIBUTES = frozenset({"Attributes", "Calculated"})


class ReadPath(msgspec.Struct, frozen=True):
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
    if is_number_path(path):
        return ReadPath(names, is_number, "a number")
    if names[0] in ATTRIBUTES or names[:2] == ("User", "UserAttributes"):
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
            found = name_kind(value)
            if path.usable is is_number and has_decimal_comma(value):
                found = "text with a decimal comma; write a point"
            return f"$.{where}: expected {path.expected}, found {found}"
    return None


def has_decimal_comma(value: Any) -> bool:
    """Whether a value is text that would read as a number with a point instead of its comma."""
    return (
        isinstance(value, str)
        and value.count(",") == 1
        and parse_number(value.replace(",", ".")) is not None
    )


def find_user(document: object) -> str | None:
    """The UserId of any JSON value, as text; None if there is none.

    Data platforms write ids as numbers: the user 101 is the same person as "101" and 101.0.
    """
    user = document.get("User") if isinstance(document, OBJECTS) else None
    user_id = user.get("UserId") if isinstance(user, OBJECTS) else None
    if isinstance(user_id, str):
        return user_id or None
    return str(int(user_id)) if user_id is not None and is_text(user_id) else None
