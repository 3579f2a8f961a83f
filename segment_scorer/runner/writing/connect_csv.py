"""The kept people as CSV files from which Amazon Connect makes a segment by import.

Input: the finished segment, and the decisions beside it. Reads one person at a time, twice. Rules
of the import: headers without dots, at most 25 columns, UTF-8 without byte order mark, under 1 GB a
file, one unique key. Sources: Amazon Connect administrator guide, "Create segments from imported
files"; CreateUploadJob in the service model (names of columns).
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from model.customer_profile import CALCULATED, document_to_profile, profile_to_event
from segment_scorer.runner.errors import DataError
from segment_scorer.runner.writing.kept import read_kept, write_text

FILE = "connect.csv"
PARTS = tuple(f"connect-{number}.csv" for number in range(2, 21))  # if one file is not enough
MOST_BYTES = 1_000_000_000  # of a file: less than that
MOST_COLUMNS = 25
LONGEST_NAME = 64
NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
KEY = "AccountNumber"
# Column -> column of decisions.csv
DECIDED = {"Score": "score", "Band": "band", "Selected": "selected", "Holdout": "holdout"}
# These come first where anybody has them: the key, the decisions, and what a message needs.
FIRST = (KEY, *DECIDED, "EmailAddress", "PhoneNumber")
GROUPS = frozenset({"Attributes", "Metrics", "Demographic", "Location", "User"})
NOT_IMPORTED = frozenset({"profileId", "accountNumber", CALCULATED})
NOTE = (
    "imported profiles that nothing else updates expire after 14 days, or when the import says, 90 "
    "days at most: Customer Profiles then deletes them, and the segment loses them"
)
OMITTED = (
    f"they have at most {MOST_COLUMNS} columns with names of letters, digits, - and _, and no row "
    "for a profile without an account number"
)


class ImportRow(NamedTuple):
    """A person's row: column -> text, and whether any value has no column in any file."""

    texts: dict[str, str]
    lost: bool


def write_connect_csv(
    segment: Path,
    columns: Mapping[str, int],  # noqa: ARG001  # as in every format
    path: Path,
) -> int:
    """Write the files. Returns the number of people with omitted values, or without a row."""
    counts: Counter[str] = Counter()
    for cells in lay_out_all(segment):
        counts.update(cells.texts.keys())
    chosen = choose_columns(counts)
    held, affected = set(chosen), 0
    with contextlib.ExitStack() as stack:
        parts = SizedFiles(segment, path, write_row(chosen), stack)
        for texts, lost in lay_out_all(segment):
            affected += lost or not texts or not texts.keys() <= held
            if texts:
                parts.append(write_row([texts.get(name, "") for name in chosen]))
    return affected


def choose_columns(counts: Mapping[str, int]) -> list[str]:
    """The columns: first those that matter most, then those that most people have."""
    first = [name for name in FIRST if name in counts or name == KEY]
    others = sorted(counts.keys() - set(first), key=lambda name: (-counts[name], name))
    return [*first, *others][:MOST_COLUMNS]


def lay_out_all(segment: Path) -> Iterator[ImportRow]:
    """The rows of all kept people, in order. No texts: the person has no key."""
    for record, decision in zip(read_kept(segment), read_decisions(segment), strict=False):
        yield lay_out(record, decision)


def read_decisions(segment: Path) -> Iterator[Mapping[str, str]]:
    """The decisions of the kept people, in order: those that were sent.

    Raises DataError if there are fewer than people.
    """
    from segment_scorer.runner.writing.names import DECISIONS  # noqa: PLC0415  # names our files

    with segment.with_name(DECISIONS).open(encoding="utf-8", newline="") as file:
        yield from (row for row in csv.DictReader(file) if row["sent"] == "true")
    raise DataError(f"{FILE}: expected a decision for each of the kept people, found fewer")


def lay_out(record: Mapping[str, Any], decision: Mapping[str, str]) -> ImportRow:
    """Assign a person's values to columns.

    An endpoint becomes the profile that AWS's migration makes of it, and its user's id the key. An
    endpoint without a user has its own id as the key.
    """
    is_endpoint = "Id" in record
    profile = document_to_profile(record) if is_endpoint else profile_to_event(record)
    key = profile.get("accountNumber") or (record["Id"] if is_endpoint else None)
    if not key:
        return ImportRow({}, lost=True)
    texts = {KEY: write_text(key)}
    texts |= {name: decision[cell] for name, cell in DECIDED.items() if decision.get(cell)}
    decided = texts.keys() & DECIDED.keys()
    lost = is_endpoint and any(
        record.get(group) and not isinstance(record[group], Mapping) for group in GROUPS
    )
    for name, value in name_columns(profile):
        if name in decided:
            continue  # the policy wrote the attribute, too
        if not name or name in texts:
            lost = True
        else:
            texts[name] = write_text(value)
    return ImportRow(texts, lost)


def name_columns(profile: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a profile: column and value. "" for a name that no column can have.

    `attributes.Plan` is Plan, `emailAddress` is EmailAddress, `address.city` is Address_City.
    """
    for field, value in profile.items():
        if field in NOT_IMPORTED:
            continue
        if field == "attributes" and isinstance(value, Mapping):
            for name, inner in value.items():
                column = NO_NAME.sub("_", name)
                yield column if len(column) <= LONGEST_NAME else "", inner
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                yield f"{capitalise(field)}_{capitalise(name)}", inner
        else:
            yield capitalise(field), value


def capitalise(name: str) -> str:
    """A name of Customer Profiles as exports write it: `city` is City."""
    return NO_NAME.sub("_", name[:1].upper() + name[1:])


def write_row(cells: list[str]) -> bytes:
    """A row of CSV."""
    written: list[str] = []
    csv.writer(_Sink(written), lineterminator="\n").writerow(cells)
    return "".join(written).encode()


class _Sink:
    """What csv.writer writes to."""

    def __init__(self, written: list[str]) -> None:
        self.write = written.append


class SizedFiles:
    """The files, each with the header. A new one begins before one reaches the size limit."""

    def __init__(
        self, segment: Path, path: Path, header: bytes, stack: contextlib.ExitStack
    ) -> None:
        """The first file is `path`; the others are beside the segment, with its permissions."""
        self._names = itertools.chain([path], map(segment.with_name, PARTS))
        self._mode = stat.S_IMODE(segment.stat().st_mode)
        self._header = header
        self._stack = stack
        for name in PARTS:  # of an interrupted session
            segment.with_name(name).unlink(missing_ok=True)
        self._file, self._size = self._begin()

    def append(self, row: bytes) -> None:
        """Append a row. Raises DataError if the last file is full."""
        if self._size + len(row) >= MOST_BYTES:
            self._file, self._size = self._begin()
        self._size += self._file.write(row)

    def _begin(self) -> tuple[BinaryIO, int]:
        """A new file with the header, and its size."""
        name = next(self._names, None)
        if name is None:
            raise DataError(
                f"--also connect-csv: expected people that fit into {1 + len(PARTS)} files of "
                "1 GB; run over a part of the segment"
            )
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        file = self._stack.enter_context(os.fdopen(os.open(name, flags, self._mode), "wb"))
        return file, file.write(self._header)
