"""Opens files of people: gives raw records one at a time, each with the number of its first line.

Reads JSON lines and CSV, gzip or not, Parquet and ORC, told apart by their content. Holds one
record, never a file. `model.people.records` decodes a record, in any process.
"""

from __future__ import annotations

import io
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from model.errors import DataError, name_failure
from model.people.arrow_rows import ArrowRows
from model.people.columns import PEOPLE, Layout, RecordError
from model.people.gunzip import GZIP_MAGIC, Gunzip
from model.people.headers import (
    ONLY_CR,
    explain_json,
    explain_start,
    read_header,
)
from model.people.naming import name_some
from model.people.opening import BUFFER_BYTES, check_file
from model.people.orc import is_orc
from model.people.records import LONGEST_RECORD
from model.people.rows import Joined, Line, join_rows

PARQUET_MAGIC = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_NAMED = 10  # columns in one sentence
# If the first line is neither an object nor a header, so many lines are searched for an object.
# With one, the file is JSON lines whose first line is broken. Without one, the file is refused.
LOOK_AHEAD = 20
MANY_BLANK = 64  # blank lines in a row, from which on further ones are taken a buffer at a time
LOOK_AHEAD_BYTES = 1 << 20


class PeopleFile:
    """An open file of people. Iterate over it once for `(line, record)`.

    line    number of the record's first line, from 1; in Parquet and ORC, of the row
    record  its bytes, line end included: a JSON object, or a CSV row if `header` is not None. A
            line beyond 5,000,000 bytes is cut there; decoding then refuses it. Blank lines and
            the header are left out.
    header  names of the columns of a CSV file, else None; needed to decode a record
    joined  the rows of a CSV file that ran over several lines, counted so far
    """

    def __init__(self, name: str, stream: IO[bytes], layout: Layout = PEOPLE) -> None:
        """Read from `stream`, which can seek and is closed on exit.

        `name` is what errors call the file. Raises DataError.
        """
        self.name = name
        self.header: tuple[str, ...] | None = None
        self.joined = Joined()
        self._stream = stream
        self._layout = layout
        # The share of the rows that were read of Parquet or ORC: bytes are not read in order.
        self._share: float | None = None
        self._lines: Any = None
        self._pending: list[Line] = []
        self._number = 0
        self._lost: Counter[str] = Counter()
        self._not_text: Counter[str] = Counter()
        self._unpacked: Gunzip | None = None
        try:
            self._open()
        except BaseException:
            stream.close()
            raise

    def _open(self) -> None:
        stream = self._stream
        try:
            self._size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            magic = stream.read(4)
            orc = is_orc(stream, self._size)
            stream.seek(0)
        except OSError as error:
            raise DataError(
                f"{self.name}: expected a readable file, found {name_failure(error)}"
            ) from error
        self._columns = "Parquet" if magic == PARQUET_MAGIC else "ORC" if orc else None
        if self._columns is not None:
            return
        if magic.startswith(GZIP_MAGIC):
            self._unpacked = Gunzip(stream)
            self._lines = io.BufferedReader(self._unpacked, BUFFER_BYTES)
        else:
            self._lines = stream
        self._read_start()

    @property
    def size(self) -> int:
        """Bytes of the file on disk."""
        return self._size

    @property
    def position(self) -> int:
        """Bytes of the file on disk that were read so far."""
        return round(self._share * self._size) if self._share is not None else self._stream.tell()

    def __iter__(self) -> Iterator[Line]:
        """Every record. Raises DataError for damage."""
        if self._columns is not None:
            return self._iterate_columns(self._columns)
        if self.header is None:
            return self._iterate_lines()
        return join_rows(self._iterate_lines(blank=True), self.header, self.joined)

    def explain_reading(self) -> Iterator[str]:
        """Sentences on what was not read as written, in the part that was read so far."""
        if rows := self.joined.rows:
            spans = "1 row spans" if rows == 1 else f"{rows:,} rows span"
            longest = f"lines {self.joined.first} to {self.joined.last}"
            yield f"{spans} several lines, the longest {longest}"
        if self._unpacked is not None and self._unpacked.trailing:
            yield "bytes behind the end of the gzip data are ignored"
        if self._lost:
            total = self._lost.total()
            many = "1 date or time is" if total == 1 else f"{total:,} dates or times are"
            yield f"{many} missing, having no text in ISO 8601: {name_counts(self._lost)}"
        if self._not_text:
            total = self._not_text.total()
            many = "1 value is" if total == 1 else f"{total:,} values are"
            yield f"{many} missing, being no text in UTF-8: {name_counts(self._not_text)}"

    def __enter__(self) -> PeopleFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def _read_start(self) -> None:
        """Tell a table from JSON lines by the first line, or by an object not far below it."""
        lines = self._iterate_lines()
        first = next(lines, None)
        if first is None:
            return
        pending = [first]
        if b"}\r{" in first[1]:
            raise DataError(f"{self.name}: {ONLY_CR}")
        if first[1].lstrip()[:1] in {b"{", b"["}:
            second = next(lines, None)
            pending += [second] if second else []
            if found := explain_json(*(text for _, text in pending)):
                raise DataError(f"{self.name}: {found}")
        else:
            try:
                self.header = read_header(first[1], self._layout)
            except RecordError as error:
                raise DataError(f"{self.name}: {error}") from error
            if self.header is not None:
                return
            size = len(first[1])
            while len(pending) < LOOK_AHEAD and size < LOOK_AHEAD_BYTES:
                line = next(lines, None)
                if line is None:
                    break
                pending.append(line)
                size += len(line[1])
            if not any(line.lstrip().startswith(b"{") for _, line in pending):
                raise DataError(f"{self.name}: {explain_start(first[1], self._layout)}")
        self._pending = pending

    def _iterate_lines(self, *, blank: bool = False) -> Iterator[Line]:
        """Lines with their numbers; blank ones if asked for, many at a time if there are many."""
        pending, self._pending = self._pending, []
        yield from pending
        readline, run = self._lines.readline, 0
        try:
            while line := readline(LONGEST_RECORD):
                self._number += 1
                number, rest = self._number, line
                while len(rest) >= LONGEST_RECORD and not rest.endswith(b"\n"):
                    rest = readline(LONGEST_RECORD)
                # Files that each begin with a mark may have been joined to one.
                marks = 0
                while line.startswith(BYTE_ORDER_MARK, marks):
                    marks += len(BYTE_ORDER_MARK)
                line = line[marks:]
                is_blank = not line or line.isspace()
                run = run + 1 if is_blank else 0
                if run == MANY_BLANK:
                    line += self._take_blank_lines()
                    run = 0
                if line and (blank or not is_blank):
                    yield number, line
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{self.name}: expected a whole, undamaged file, "
                f"found an end or damage after line {self._number}"
            ) from error

    def _take_blank_lines(self) -> bytes:
        """The blank lines that come next and are in the buffer already."""
        held = self._lines.peek() if hasattr(self._lines, "peek") else b""
        lines = held[: held.rfind(b"\n", 0, len(held) - len(held.lstrip())) + 1]
        self._number += lines.count(b"\n")
        return bytes(self._lines.read(len(lines)))

    def _iterate_columns(self, format_name: str) -> Iterator[Line]:
        rows = ArrowRows(self.name, self._stream, format_name, self._layout)
        self._lost, self._not_text = rows.lost, rows.not_text
        for number, share, record in rows:
            self._share = share
            yield number, record


def name_counts(counts: Counter[str]) -> str:
    """Columns with their counts: `CreationDate (2)`."""
    return name_some([f"{name} ({count:,})" for name, count in sorted(counts.items())], MOST_NAMED)


def open_people(path: Path, layout: Layout = PEOPLE, what: str = "people") -> PeopleFile:
    """Open a file of `what` on this machine. Raises DataError if that is impossible."""
    try:
        check_file(path, what)
        return PeopleFile(str(path), path.open("rb"), layout)
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a file of {what}, found none") from error
    except OSError as error:
        raise DataError(
            f"{path}: expected a readable file of {what}, found {name_failure(error)}"
        ) from error
