"""Cut a stream of records into slices, each with the people of one hook event.

Input: raw records in order. Output: slices of neighbouring records. Only what decides the end of
a batch is read here. Any process can do the rest, so every engine makes the same batches.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from function.hosts.pinpoint import LARGEST_BATCH, opted_out
from model.people.records import decode_json, read_id

# A synchronous Lambda invocation takes 6 MB. A batch ends before its records exceed this.
MOST_BYTES = 5_000_000
# Records that are not sent stay with the next batch. This many end it, so that memory stays flat.
MOST_RECORDS = 5_000
# record -> id of the person to send; None or "" if the record is not sent
Finder: TypeAlias = Callable[[bytes], str | None]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring records of one file, with at most 50 people to send and no id twice.

    numbers  the line that each record begins on
    """

    numbers: list[int]
    records: list[bytes]


class Head(msgspec.Struct, gc=False):
    """The fields of a JSON object that decide about batches. All others are skipped."""

    Id: Any = None
    OptOut: Any = None
    EndpointStatus: Any = None
    ProfileId: Any = None
    profileId: Any = None  # noqa: N815  # Connect's own events write it so


def cut_slices(
    records: Iterable[tuple[int, bytes]], find_id: Finder, *, most_bytes: int = MOST_BYTES
) -> Iterator[Slice]:
    """Cut `(line, record)` pairs into slices.

    A slice ends with its 50th id to send, or before an id that it already holds. Pinpoint sends
    events of 50. AWS does not document Connect's number, so Connect gets the same batches.
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
    """Make the finder for CSV records with this header, or for JSON objects if there is none."""
    if header is None:
        return find_in_object(include_opted_out)
    return find_in_row(header, include_opted_out)


def find_in_object(include_opted_out: bool) -> Finder:
    """Make the finder for JSON objects: an endpoint's Id, or the ProfileId of a profile.

    Profiles have no OptOut.
    """
    decode = msgspec.json.Decoder(Head).decode

    def find_id(record: bytes) -> str | None:
        try:
            head = decode_json(record, decode)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        id_ = read_id(head.Id, head.ProfileId, head.profileId)
        is_endpoint = head.Id is not None
        if is_endpoint and not include_opted_out and opted_out(head.OptOut, head.EndpointStatus):
            return None
        return id_ if isinstance(id_, str) else None

    return find_id


def find_in_row(header: Sequence[str], include_opted_out: bool) -> Finder:
    """Make the finder for CSV records."""
    positions = {name: position for position, name in enumerate(header)}
    id_columns = ("Id", "ProfileId", "profileId")
    wanted = [positions[name] for name in id_columns if name in positions]
    missing = len(header)  # the position of the empty cell that is appended to every row
    own, choice, status = (
        positions.get(name, missing) for name in ("Id", "OptOut", "EndpointStatus")
    )

    def find_id(record: bytes) -> str | None:
        try:
            cells = next(csv.reader([record.decode()], strict=True))
        except (UnicodeDecodeError, csv.Error):
            return None
        if len(cells) != len(header):
            return None
        cells.append("")
        if cells[own] and not include_opted_out and opted_out(cells[choice], cells[status]):
            return None
        return next((cells[position] for position in wanted if cells[position]), None)

    return find_id
