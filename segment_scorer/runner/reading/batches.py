"""Cuts a stream of records into slices, each holding the people of one hook event, exactly as the whole segment in one piece would be.

Takes raw records in order; gives slices of neighbouring ones. Looks only at what decides where a batch ends, so that whoever walks a
slice (this process or another) can do all the rest, and every engine makes the same batches.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from function.hosts.pinpoint import LARGEST_BATCH, opted_out

# A synchronous Lambda invocation takes 6 MB; a batch closes before its records exceed this.
MOST_BYTES = 5_000_000
# Records that are not sent ride along with the next batch; this many close it, so that memory stays flat.
MOST_RECORDS = 5_000
# A record -> the id of whom it sends to the hook; None (or empty) when it sends nobody.
Finder: TypeAlias = Callable[[bytes], str | None]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring records of one file with at most 50 people to send, no id twice, and the line each begins on."""

    numbers: list[int]
    records: list[bytes]


class Head(msgspec.Struct, gc=False):
    """What of a JSON object decides about batches; the rest of it is skipped, not read."""

    Id: Any = None
    OptOut: Any = None
    EndpointStatus: Any = None
    ProfileId: Any = None
    profileId: Any = None  # noqa: N815  # Connect's own events write it so


def cut_slices(
    records: Iterable[tuple[int, bytes]], find_id: Finder, *, most_bytes: int = MOST_BYTES
) -> Iterator[Slice]:
    """Cut `(line, record)` pairs into slices. A slice ends with its 50th id to send, or before an id that is already in it.

    Fifty is Pinpoint's number. Connect's is documented nowhere; it gets the same batches.
    """
    numbers, held, size = list[int](), list[bytes](), 0
    ids = set[str]()
    for number, record in records:
        id_ = find_id(record)
        if held and (id_ in ids or size + len(record) > most_bytes or len(held) == MOST_RECORDS):
            yield Slice(numbers=numbers, records=held)
            numbers, held, size, ids = [], [], 0, set()
        numbers.append(number)
        held.append(record)
        size += len(record)
        if id_:
            ids.add(id_)
            if len(ids) == LARGEST_BATCH:
                yield Slice(numbers=numbers, records=held)
                numbers, held, size, ids = [], [], 0, set()
    if held:
        yield Slice(numbers=numbers, records=held)


def make_finder(header: Sequence[str] | None, *, include_opted_out: bool) -> Finder:
    """What finds the id to send in a record of a file with this CSV header, or in a JSON object where there is none."""
    return (
        find_in_object(include_opted_out)
        if header is None
        else find_in_row(header, include_opted_out)
    )


def find_in_object(include_opted_out: bool) -> Finder:  # of this module alone
    """The finder for JSON objects: an endpoint's Id, or the ProfileId of a profile, which knows no opting out."""
    decode = msgspec.json.Decoder(Head).decode

    def find_id(record: bytes) -> str | None:
        try:
            head = decode(record)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        id_ = head.Id
        if id_ is None:
            id_ = head.ProfileId or head.profileId
        elif not include_opted_out and opted_out(head.OptOut, head.EndpointStatus):
            return None
        return id_ if isinstance(id_, str) else None

    return find_id


def find_in_row(header: Sequence[str], include_opted_out: bool) -> Finder:  # of this module alone
    """The finder for CSV records."""
    places = {name: place for place, name in enumerate(header)}
    wanted = [places[name] for name in ("Id", "ProfileId", "profileId") if name in places]
    own, choice, status = (
        places.get(name, len(header)) for name in ("Id", "OptOut", "EndpointStatus")
    )

    def find_id(record: bytes) -> str | None:
        try:
            cells = next(csv.reader([record.decode()], strict=True))
        except (UnicodeDecodeError, csv.Error):
            return None
        if len(cells) != len(header):
            return None
        cells.append("")  # of a column that is not there
        if cells[own] and not include_opted_out and opted_out(cells[choice], cells[status]):
            return None
        return next((cells[place] for place in wanted if cells[place]), None)

    return find_id
