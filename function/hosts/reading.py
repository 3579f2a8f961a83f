"""Small readers of untrusted JSON that both hosts share, and Lambda's limit of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# 6 MB a synchronous invocation. Beyond this many bytes the runtime interface emulator refuses the
# reply, and its process ends.
LARGEST_REPLY = 6_291_556


def read_text(mapping: Mapping[str, Any], key: str) -> str | None:
    """The text under `key`, or None."""
    value = mapping.get(key)
    return value if isinstance(value, str) else None


def read_object(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`, or an empty one."""
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}
