"""The first line and the rows of a CSV file of people: is it a header, why not, and which lines are one row. Keeps no person.

Takes raw lines. A line is in exactly one row, whatever quotes are astray: a row that does not come out whole is its first line alone, and
the lines after it are read again as rows of their own.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.customer_profile import EMAIL_FIELDS, PHONE_FIELDS, PROFILE_ID
from model.document import KNOWN_FIELDS
from model.people.records import HEADER_IDS, RecordError, check_header

LONGEST_JOINED = 100_000  # bytes that a quoted cell may run over further lines; more is a quote that somebody forgot
# A quote astray in one row and another in a later one look like a cell of many lines. They are no cell where so many lines inside it are
# rows themselves, each with as many cells as the header has, three or more.
SWALLOWED_ROWS, SWALLOWED_CELLS = 3, 3
# A whole CSV record: fields that are quoted (a quote inside is doubled), or begin with no quote (RFC 4180, and what csv.reader takes).
_FIELD = rb'(?:"(?:[^"]|"")*+"[^,]*+|[^",][^,]*+|)'
WHOLE_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+")
SEPARATORS = {";": ";", "\t": "a tab", "|": "|"}
ONLY_CR = "expected lines that end in LF or CR LF; found CR alone"
STRANGERS = {
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
    b"PK\x03\x04": "an Excel workbook or a zip file; save it as CSV in UTF-8",
    b"BZh": "bzip2; pack it with gzip, or not at all",
    b"\x28\xb5\x2f\xfd": "Zstandard; pack it with gzip, or not at all",
    b"\xfd7zXZ": "xz; pack it with gzip, or not at all",
    b"Obj\x01": "Avro",
    b"ORC": "ORC",
}
# What is read of a profile (`model.customer_profile`); the rest of its many fields is nobody's mistake.
PROFILE_FIELDS = tuple(
    name[:1].upper() + name[1:]
    for name in (
        PROFILE_ID[0],
        "accountNumber",
        "attributes",
        "address",
        *EMAIL_FIELDS,
        *PHONE_FIELDS,
    )
)
ENDPOINT_FIELDS = KNOWN_FIELDS[None] | {"External"}
NEAR, VERY_NEAR = (
    0.8,
    0.9,
)  # how alike a name is to one that is read, so that this was probably meant; of profiles MailingAddress is none


@dataclass(slots=True)
class Joined:
    """The rows of a file that ran over several lines: how many, and the first and last line of the longest."""

    rows: int = 0
    first: int = 0
    last: int = 0

    def add(self, first: int, last: int) -> None:
        """Count a row."""
        self.rows += 1
        if last - first > self.last - self.first:
            self.first, self.last = first, last


def read_header(line: bytes) -> tuple[str, ...] | None:
    """The columns that the first line of a file names; None when it is no header of people. Raises RecordError for one that is unusable."""
    try:
        header = tuple(cell.strip() for cell in next(csv.reader([line.decode()]), []))
    except (UnicodeDecodeError, csv.Error):
        return None
    if not check_header(header):
        return None
    if not WHOLE_RECORD.fullmatch(line):
        raise RecordError("expected the header on one line; a quote in it is not closed there")
    return header


def explain_start(line: bytes) -> str:
    """What is wrong with a file that begins with this line, neither a JSON object nor a header of people. Never what stands there."""
    found = next((what for magic, what in STRANGERS.items() if line.startswith(magic)), None)
    if found is None and b"\0" in line:
        found = "zero bytes, as in UTF-16; save it as UTF-8"
    if found is not None:
        return f"expected JSON lines or CSV, gzip or not, or Parquet, text in UTF-8; found {found}"
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return "expected text in UTF-8; save it as UTF-8"
    if "\r" in text:
        return ONLY_CR
    separator = find_separator(text)
    if separator:
        return (
            f"expected a comma between the columns of the header; they are separated by {separator}"
        )
    return f"{explain_names(split_names(text, ','))}; or JSON lines, each an object in braces"


def find_separator(header: str) -> str | None:
    """What stands between the columns of a header where it is no comma."""
    for separator, name in SEPARATORS.items():
        names = split_names(header, separator)
        if len(names) > max(1, header.count(",") + 1) or (len(names) > 1 and find_id(names)):
            return name
    return None


def split_names(text: str, separator: str) -> list[str]:
    """The cells of a header, roughly."""
    return [cell.strip().strip('"') for cell in text.split(separator)]


def find_id(names: Iterable[str]) -> tuple[str, str] | None:
    """A name that is one of HEADER_IDS but for its case, and that one."""
    right = {name.casefold(): name for name in HEADER_IDS}
    return next(
        ((name, right[name.casefold()]) for name in names if name.casefold() in right), None
    )


def explain_names(names: Sequence[str]) -> str:
    """What is missing in columns that name nobody. Names a column only where it is one of ours in another case."""
    found = find_id(names)
    if found is None:
        return "expected the header to name Id, User.UserId or ProfileId"
    return f"expected the header to name {found[1]}, found {found[0]}; columns are named as in a Pinpoint import, in its capitals"


def find_unread(names: Iterable[str], *, profiles: bool) -> list[str]:
    """The columns that nobody reads, each with the one that was probably meant. Of a profile's, which has many more, only the latter."""
    found = (
        (name, *find_meant_of_profile(name)) if profiles else (name, *find_meant(name))
        for name in dict.fromkeys(names)
    )
    return [
        f"{name} (meant: {meant}?)" if meant else name
        for name, read, meant in found
        if not read and (meant or not profiles)
    ]


def find_meant(name: str) -> tuple[bool, str | None]:
    """Whether an endpoint's column or field is read, and if not, which one was probably meant."""
    group, dot, rest = name.partition(".")
    if group not in ENDPOINT_FIELDS:
        near = find_near(group, ENDPOINT_FIELDS, NEAR)
        return False, f"{near}{dot}{rest}" if near else None
    fields = KNOWN_FIELDS.get(group)
    if (
        fields is None
        or not dot
        or rest in fields
        or (group == "User" and rest.startswith("UserAttributes."))
    ):
        return True, None
    near = find_near(rest, fields, NEAR)
    return False, f"{group}.{near}" if near else None


def find_meant_of_profile(name: str) -> tuple[bool, str | None]:
    """The same of a profile's. Its names begin with a capital in an export, without one in an event."""
    group, dot, rest = name.partition(".")
    near = find_near(group, PROFILE_FIELDS, VERY_NEAR)
    meant = near and (near if group[:1].isupper() else near[:1].lower() + near[1:])
    return meant == group, f"{meant}{dot}{rest}" if meant else None


def find_near(name: str, known: Iterable[str], near: float) -> str | None:
    """The known name that this one was probably meant to be."""
    folded = {other.casefold(): other for other in sorted(known)}
    return next(
        (folded[other] for other in difflib.get_close_matches(name.casefold(), folded, 1, near)),
        None,
    )


def list_paths(document: Mapping[str, Any], *, profiles: bool) -> Iterator[str]:
    """The fields of a document or profile as columns would be named, as far as `find_unread` looks at them."""
    for name, value in document.items():
        if not profiles and name in KNOWN_FIELDS and isinstance(value, Mapping):
            yield from (f"{name}.{field}" for field in value)
        else:
            yield name


def join_rows(
    lines: Iterator[tuple[int, bytes]], header: Sequence[str], joined: Joined
) -> Iterator[tuple[int, bytes]]:
    """Rows, each with the number of its first line, of lines with their numbers. Blank lines are left out, unless a cell has them.

    Holds at most LONGEST_JOINED bytes and a line. Lines are looked at again at most once a column and row.
    """
    again: deque[tuple[int, bytes]] = deque()
    width = len(header)
    while (pair := again.popleft() if again else next(lines, None)) is not None:
        number, line = pair
        if b'"' not in line or WHOLE_RECORD.fullmatch(line):
            if not line.isspace():
                yield pair
            continue
        held, whole = hold_row(pair, again, lines, width)
        if whole:
            joined.add(number, held[-1][0])
            yield number, b"".join(line for _, line in held)
        else:
            yield pair
            again.extendleft(reversed(held[1:]))


def hold_row(
    first: tuple[int, bytes],
    again: deque[tuple[int, bytes]],
    lines: Iterator[tuple[int, bytes]],
    width: int,
) -> tuple[list[tuple[int, bytes]], bool]:
    """The lines from `first` on, taken from `again` and `lines`, up to where its row is whole, or turns out never to be."""
    held, size, cells, inside = [first], len(first[1]), 0, b""
    while True:
        found, closed = count_cells(inside + held[-1][1])
        cells += found - len(inside)
        if not found or cells > width:
            return held, False
        if closed:
            return held, cells == width and not is_swallowed(held, width)
        inside = b'"'
        if size >= LONGEST_JOINED:
            return held, False
        pair = again.popleft() if again else next(lines, None)
        if pair is None:
            return held, False
        held.append(pair)
        size += len(pair[1])


def count_cells(text: bytes) -> tuple[int, bool]:
    """How many cells a row has up to the end of this text, 0 when it is no CSV; and whether no quote is open there."""
    closed = WHOLE_RECORD.fullmatch(text) is not None
    try:
        return len(
            next(csv.reader([(text if closed else text + b'"').decode("latin-1")], strict=True), [])
        ), closed
    except csv.Error:
        return 0, closed


def is_swallowed(held: Sequence[tuple[int, bytes]], width: int) -> bool:
    """Whether the lines inside a cell of many lines are rows that a quote astray has swallowed."""
    inner = held[1:-1]
    return (
        width >= SWALLOWED_CELLS
        and len(inner) >= SWALLOWED_ROWS
        and all(count_cells(line) == (width, True) for _, line in inner)
    )
