"""Files of people in, raw records one at a time out, each with the line it begins on. Holds one record, never a file.

Takes what Pinpoint exported and imported, and exports of Customer Profiles: JSON lines or CSV, gzip or not, and Parquet, told apart by
what they begin with. Cutting is cheap and done here; what a record says is read by `model.people.records`, in any process.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from model.errors import DataError
from model.people.parquet import read_parquet
from model.people.records import LONGEST_RECORD, RecordError
from model.people.tables import ONLY_CR, Joined, explain_start, join_rows, read_header

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BUFFER_BYTES = 1 << 18
# So many lines are looked at for one that begins with a brace, where the first one neither does nor is a header: the file then is JSON
# lines and its first line is broken. Where there is none, the file is refused.
LOOK_AHEAD = 20
LOOK_AHEAD_BYTES = 1 << 20


class PeopleFile:
    """An open file of people: iterate over it once for `(line, record)`.

    line      number of the record's first line, from 1; in Parquet of the row
    record    its bytes, line end included: one JSON object, or one CSV record where `header` is not None. A line beyond 5,000,000 bytes
              is cut there, which `make_decoder`'s function then refuses. Blank lines are left out, and so is a CSV header.
    header    names of the columns of a CSV file, else None: what `people_records.make_decoder` has to know to read a record
    joined    the rows of a CSV file that ran over several lines, counted so far
    """

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        """Read from `stream`, which can seek and is closed on exit; errors call it `name`. Raises DataError."""
        self.name = name
        self.header: tuple[str, ...] | None = None
        self.joined = Joined()
        self._stream = stream
        self._share: float | None = (
            None  # of the rows of a Parquet file; its bytes are not read in order
        )
        self._lines: Any = None
        self._pending: list[tuple[int, bytes]] = []
        self._number = 0
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
            stream.seek(0)
        except OSError as error:
            raise DataError(f"{self.name}: expected a readable file: {error.strerror}") from error
        self._parquet = magic == PARQUET_MAGIC
        if not self._parquet:
            gzipped = magic[:2] == GZIP_MAGIC
            self._lines = (
                io.BufferedReader(gzip.GzipFile(fileobj=stream), BUFFER_BYTES)
                if gzipped
                else stream
            )
            self._look_at_start()

    @property
    def size(self) -> int:
        """Bytes of the file as it lies there."""
        return self._size

    @property
    def position(self) -> int:
        """Bytes of the file read so far, compressed as they lie there."""
        return round(self._share * self._size) if self._share is not None else self._stream.tell()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Every record. Raises DataError for damage."""
        if self._parquet:
            return self._iterate_rows()
        return (
            self._iterate_lines()
            if self.header is None
            else join_rows(self._iterate_lines(blank=True), self.header, self.joined)
        )

    def __enter__(self) -> PeopleFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def _look_at_start(self) -> None:
        """A table if the first line is a header; JSON lines if it, or one not far below, begins an object; else nothing of ours."""
        lines = self._iterate_lines()
        first = next(lines, None)
        if first is None:
            return
        pending = [first]
        if b"}\r{" in first[1]:
            raise DataError(f"{self.name}: {ONLY_CR}")
        if first[1].lstrip()[:1] not in {b"{", b"["}:
            try:
                self.header = read_header(first[1])
            except RecordError as error:
                raise DataError(f"{self.name}: {error}") from error
            if self.header is not None:
                return
            while (
                len(pending) < LOOK_AHEAD
                and sum(len(line) for _, line in pending) < LOOK_AHEAD_BYTES
                and (more := next(lines, None))
            ):
                pending.append(more)
            if not any(line.lstrip().startswith(b"{") for _, line in pending):
                raise DataError(f"{self.name}: {explain_start(first[1])}")
        self._pending = pending

    def _iterate_lines(self, *, blank: bool = False) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers; blank ones if asked for."""
        pending, self._pending = self._pending, []
        yield from pending
        readline = self._lines.readline
        try:
            while line := readline(LONGEST_RECORD):
                self._number += 1
                if self._number == 1:
                    line = line.removeprefix(BYTE_ORDER_MARK)
                rest = line
                while len(rest) >= LONGEST_RECORD and not rest.endswith(b"\n"):
                    rest = readline(LONGEST_RECORD)
                if blank or not line.isspace():
                    yield self._number, line
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{self.name}: expected whole, undamaged data; it breaks off or cannot be read after line {self._number}"
            ) from error

    def _iterate_rows(self) -> Iterator[tuple[int, bytes]]:
        for number, share, record in read_parquet(self.name, self._stream):
            self._share = share
            yield number, record


def open_people(path: Path) -> PeopleFile:
    """Open a file on this machine. Raises DataError when that is impossible."""
    try:
        return PeopleFile(str(path), path.open("rb"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a file of people, found none") from error
    except OSError as error:
        raise DataError(f"{path}: expected a readable file of people: {error.strerror}") from error


@contextmanager
def open_unpacked(path: Path, what: str) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """The bytes of a file of `what` (outcomes, external attributes), unpacked where it is gzip, and how many of the file's own are read by now.

    Errors of reading, also of text or CSV read from it inside the `with`, become DataError.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield file, raw.tell  # type: ignore[misc]  # a GzipFile is a binary file, which its stub does not say
            else:
                yield raw, lambda: 0 if raw.closed else raw.tell()
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a file of {what}, found none") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: expected a whole gzip file; it is cut off or damaged") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}: expected CSV: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: expected a readable file of {what}: {error.strerror}") from error
