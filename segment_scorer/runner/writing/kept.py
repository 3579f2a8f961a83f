"""The kept people of a finished run, read one at a time, and the text of a cell."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from model.profile_names import write_number

_encoder = msgspec.json.Encoder()


def read_kept(segment: Path) -> Iterator[dict[str, Any]]:
    """Read the kept people, one at a time."""
    decode = msgspec.json.Decoder().decode
    with gzip.open(segment, "rb") as file:
        for line in file:
            yield decode(line)


def write_text(value: Any) -> str:
    """Write a value as the text of a cell."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        write_number(value) if isinstance(value, int | float) else _encoder.encode(value).decode()
    )
