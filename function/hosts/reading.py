"""Small readers that both hosts use on untrusted mappings. They give a value of the type they name, or None; they never raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def read_text(mapping: Mapping[str, Any], key: str) -> str | None:
    """The text under `key`, or None."""
    value = mapping.get(key)
    return value if isinstance(value, str) else None


def read_object(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`, or an empty one."""
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}
