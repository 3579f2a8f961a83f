"""Reads the protobuf wire format: where the fields of a message are, and the numbers in them.

Linear in the bytes, in bounded memory. Knows no message. ONNX files are read with it because a cold
start cannot afford protobuf's own module. Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}
MAX_VARINT = 10  # bytes


class WireError(ValueError):
    """The bytes are no message. The text says what was expected and found."""


class Field(msgspec.Struct, frozen=True):
    """One field of a message, or a run of the same field.

    number      of the field
    kind        VARINT, FIXED64, BYTES or FIXED32
    start, end  where its content is; of a run, tags included
    value       of a VARINT, unsigned; else 0
    is_run      whether it may hold more than one field
    """

    number: int
    kind: int
    start: int
    end: int
    value: int = 0
    is_run: bool = False


def match_run(number: int, kind: int, lengths: Iterable[int] = ()) -> tuple[int, re.Pattern[bytes]]:
    """The tag of a field (below 16), and what matches a run of it without a loop in Python.

    lengths  of the contents in a run of BYTES; content of another length is a field by itself
    """
    tag = number << 3 | kind
    content = {
        VARINT: rb"[\x80-\xff]{0,9}[\x00-\x7f]",
        FIXED32: rb".{4}",
        BYTES: b"(?:" + b"|".join(b"\\x%02x.{%d}" % (n, n) for n in lengths) + b")",
    }[kind]
    return tag, re.compile(b"(?:\\x%02x%b)++" % (tag, content), re.DOTALL)


def read_fields(
    data: bytes, start: int, end: int, runs: Mapping[int, re.Pattern[bytes]] | None = None
) -> Iterator[Field]:
    """The fields of the message in `data[start:end]`, in order. Raises WireError.

    runs  tag -> pattern (`match_run`): such fields come as runs
    """
    while start < end:
        pattern = runs.get(data[start]) if runs else None
        if pattern and (run := pattern.match(data, start, end)):
            tag = data[start]
            yield Field(tag >> 3, tag & 7, start, run.end(), 0, True)
            start = run.end()
            continue
        tag, start = read_varint(data, start, end)
        number, kind = tag >> 3, tag & 7
        value, content = 0, start
        if kind == VARINT:
            value, start = read_varint(data, start, end)
        elif kind == BYTES:
            length, content = read_varint(data, start, end)
            start = content + length
        elif kind in FIXED:
            start += FIXED[kind]
        else:
            raise WireError("expected a field's content, found a group")
        if start > end:
            raise WireError("expected a field's whole content, found a part")
        yield Field(number, kind, content, start, value)


def read_varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    """The unsigned number at `start`, and where it ends. Raises WireError."""
    value = shift = 0
    for position in range(start, min(end, start + MAX_VARINT)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position + 1
        shift += 7
    raise WireError("expected a whole number, found its part or more than 10 bytes")


def read_integers(data: bytes, field: Field) -> list[int]:
    """Signed 64-bit numbers of a repeated field: a run, packed, or one. Raises WireError."""
    if field.is_run:
        parts = [part.value for part in read_fields(data, field.start, field.end)]
    elif field.kind == BYTES:
        parts, start = [], field.start
        while start < field.end:
            value, start = read_varint(data, start, field.end)
            parts.append(value)
    else:
        parts = [field.value]
    return [to_signed(value) for value in parts]


def to_signed(value: int) -> int:
    """The number that 64 bits stand for in two's complement."""
    return value - (1 << 64) if value >> 63 else value
