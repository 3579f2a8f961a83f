"""Cuts a stream of lines into slices, each holding the endpoints of one hook event, exactly as the whole segment in one piece would be.

Takes raw lines in order; gives slices of neighbouring lines. Looks only at what decides where a batch ends, so that whoever walks a
slice (this process or another) can do all the rest, and every engine makes the same batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

LARGEST_BATCH = 50
# A synchronous Lambda invocation takes 6 MB; a batch closes before its lines exceed this.
MOST_BYTES = 5_000_000
# Lines that are not sent ride along with the next batch; this many close it, so that memory stays flat.
MOST_LINES = 5_000


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring lines of one file with at most 50 endpoints to send, no id twice. `first`: the first line's number, from 1."""

    first: int
    lines: list[bytes]


class Head(msgspec.Struct, gc=False):
    """What of a line decides about batches; the rest of the line is skipped, not read."""

    Id: str
    OptOut: Any = None
    EndpointStatus: Any = None


_decode_head = msgspec.json.Decoder(Head).decode


def opted_out(document: dict[str, Any]) -> bool:
    """Whether Pinpoint would not have sent this endpoint to the hook: OptOut ALL or EndpointStatus INACTIVE."""
    return document.get("OptOut") == "ALL" or document.get("EndpointStatus") == "INACTIVE"


def cut_slices(lines: Iterable[bytes], *, include_opted_out: bool) -> Iterator[Slice]:
    """Cut lines into slices. A slice ends with its 50th endpoint to send, or before an id that is already in it."""
    first, held, size = 1, list[bytes](), 0
    ids = set[str]()
    for line in lines:
        id_ = find_id(line, include_opted_out=include_opted_out)
        if held and (id_ in ids or size + len(line) > MOST_BYTES or len(held) == MOST_LINES):
            yield Slice(first=first, lines=held)
            first, held, size = first + len(held), [], 0
            ids.clear()
        held.append(line)
        size += len(line)
        if id_:
            ids.add(id_)
            if len(ids) == LARGEST_BATCH:
                yield Slice(first=first, lines=held)
                first, held, size = first + len(held), [], 0
                ids.clear()
    if held:
        yield Slice(first=first, lines=held)


def find_id(line: bytes, *, include_opted_out: bool) -> str | None:
    """The id of the endpoint on this line, or None (or empty) when it is not going to be sent."""
    try:
        head = _decode_head(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not include_opted_out and (head.OptOut == "ALL" or head.EndpointStatus == "INACTIVE"):
        return None
    return head.Id
