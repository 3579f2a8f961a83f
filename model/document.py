"""The endpoint document: the form that every host's record takes before the model reads it.

Says whether a JSON value has the documented types, and makes a copy that can be sent back. Never
raises for content. `model.paths` judges the fields that are read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from model.document_types import KNOWN_FIELDS, AnyDocument, ExactDocument, PersonDocument

MOST_DEPTH = 32
# A larger integer is not a finite float, and Python refuses to write a much larger one.
LARGEST_INTEGER_BITS = 1024


class Inspection(msgspec.Struct, frozen=True):
    """What one document of an event is.

    document  the document; without what no JSON text can carry, if something was left out. None if
              the value is no JSON object
    lost      how many things were left out
    size      bytes of compact UTF-8 JSON that it takes
    typed     whether every field has its documented type
    """

    document: AnyDocument | None
    lost: int
    size: int
    typed: bool


def inspect_document(value: object) -> Inspection:
    """Look at one document of an event. See `clean_value` for what is left out."""
    if isinstance(value, ExactDocument):
        return Inspection(value, 0, len(msgspec.json.encode(value)), typed=True)
    if not isinstance(value, dict):
        return Inspection(None, clean_value(value)[1], 0, typed=False)
    typed = is_typed(value)
    size = measure_typed(value) if typed else None
    if size is not None:
        return Inspection(value, 0, size, typed=True)
    cleaned, lost = clean_value(value)
    document = cleaned if lost else value
    return Inspection(document, lost, len(msgspec.json.encode(document)), typed)


def measure_typed(document: Mapping[str, Any]) -> int | None:
    """The size in bytes of compact UTF-8 JSON of a document of the documented types.

    None if JSON cannot carry something in it, which is then in an undocumented field or is text.
    """
    try:
        size = len(msgspec.json.encode(document))
    except (UnicodeEncodeError, RecursionError, TypeError, ValueError):
        return None
    for group, known in KNOWN_FIELDS.items():
        fields = document if group is None else document.get(group) or {}
        if known.issuperset(fields):
            continue
        unknown = {name: fields[name] for name in fields if name not in known}
        if clean_value(unknown)[1]:
            return None
    return size


def is_typed(value: object) -> bool:
    """Whether every field of a document has its documented type. Such a document is an object."""
    try:
        msgspec.convert(value, PersonDocument)
    except (msgspec.ValidationError, RecursionError, TypeError, ValueError):
        return False
    return True


def measure_documents(documents: Mapping[str, Any]) -> int | None:
    """The size of a map of documents, ids included, in bytes of compact UTF-8 JSON.

    None unless every document is of the documented fields and types and can be sent back: a fast
    proof for a whole batch, which nearly every batch passes.
    """
    try:
        msgspec.convert(documents, dict[str, ExactDocument])
        return len(msgspec.json.encode(documents))
    except (msgspec.ValidationError, UnicodeEncodeError, RecursionError, TypeError, ValueError):
        return None


def clean_value(value: object, depth: int = 0) -> tuple[Any, int]:
    """Copy a JSON value without the parts that JSON in UTF-8 cannot carry.

    Gives the copy, and how many parts were left out: numbers that are not finite, text and names
    that UTF-8 cannot encode, anything nested deeper than 32 levels, and values of other types.
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
