"""Files of people in, raw records one at a time out, each with the line it begins on. Holds one record, never a file.

Takes what Pinpoint exported and imported, and exports of Customer Profiles: JSON lines or CSV, gzip or not, and Parquet, told apart by
what they begin with. Cutting is cheap and done here; what a record says is read by `model.people_records`, in any process.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import msgspec

from model.errors import DataError
from model.people_records import GROUPED, LONGEST_RECORD, RecordError, build_row, check_header, plan_columns

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BUFFER_BYTES = 1 << 18
LONGEST_JOINED = 100_000  # bytes that an open quote may run over further lines; more is a quote that somebody forgot
PARQUET_ROWS = 1_000  # rows held at a time
# A whole CSV record: fields that are quoted (a quote inside is doubled), or begin with no quote (RFC 4180, and what csv.reader takes).
_FIELD = rb'(?:"(?:[^"]|"")*+"[^,]*+|[^",][^,]*+|)'
WHOLE_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+")


class PeopleFile:
    """An open file of people: iterate over it once for `(line, record)`.

    line      number of the record's first line, from 1; in Parquet of the row
    record    its bytes, line end included: one JSON object, or one CSV record where `header` is not None. A line beyond 5,000,000 bytes
              is cut there, which `make_decoder`'s function then refuses. Blank lines are left out, and so is a CSV header.
    header    names of the columns of a CSV file, else None: what `people_records.make_decoder` has to know to read a record
    """

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        """Read from `stream`, which can seek and is closed on exit; errors call it `name`. Raises DataError."""
        self.name = name
        self.header: tuple[str, ...] | None = None
        self._stream = stream
        self._share: float | None = None  # of the rows of a Parquet file; its bytes are not read in order
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
            self._lines = io.BufferedReader(gzip.GzipFile(fileobj=stream), BUFFER_BYTES) if gzipped else stream
            self._look_at_first_line()

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
        return self._iterate_lines() if self.header is None else self._iterate_table()

    def __enter__(self) -> PeopleFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()

    def _look_at_first_line(self) -> None:
        """A table if its first line is a header, else JSON lines."""
        first = next(self._iterate_lines(), None)
        if first is None:
            return
        if first[1].lstrip()[:1] not in {b"{", b"["}:
            try:
                header = tuple(cell.strip() for cell in next(csv.reader([first[1].decode()]), []))
                self.header = header if check_header(header) else None
            except (UnicodeDecodeError, csv.Error):
                pass  # no header: what it is, its decoder will say
            except RecordError as error:
                raise DataError(f"{self.name}: {error}") from error
        if self.header is None:
            self._pending.append(first)

    def _iterate_lines(self) -> Iterator[tuple[int, bytes]]:
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
                if not line.isspace():
                    yield self._number, line
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{self.name}: expected whole, undamaged data; it breaks off or cannot be read after line {self._number}"
            ) from error

    def _iterate_table(self) -> Iterator[tuple[int, bytes]]:
        """Lines, joined while a quoted field is open."""
        begun, number = b"", 0
        for at, line in self._iterate_lines():
            record = begun + line
            if b'"' in record and len(record) < LONGEST_JOINED and not WHOLE_RECORD.fullmatch(record.rstrip(b"\r\n")):
                begun, number = record, number or at
                continue
            yield number or at, record
            begun, number = b"", 0
        if begun:
            yield number, begun

    def _iterate_rows(self) -> Iterator[tuple[int, bytes]]:
        try:
            import pyarrow as pa  # noqa: PLC0415  # an extra, and slow to import
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError as error:
            raise DataError(f"{self.name}: expected the package pyarrow, to read Parquet with; the extras run and train have it") from error
        encoder = msgspec.json.Encoder(decimal_format="number")
        numbers = itertools.count(1)
        try:
            file = parquet.ParquetFile(self._stream)
            names = tuple(file.schema_arrow.names)
            if len(set(names)) != len(names):
                raise DataError(f"{self.name}: expected every column once")
            if not check_header(names):
                raise DataError(f"{self.name}: expected columns named as in a CSV import, {GROUPED}; found no Id, UserId or ProfileId")
            columns, rows = plan_columns(names), max(1, file.metadata.num_rows)
            for batch in file.iter_batches(batch_size=PARQUET_ROWS, use_threads=False):
                for row in batch.to_pylist(maps_as_pydicts="strict"):
                    number = next(numbers)
                    self._share = number / rows
                    yield number, encoder.encode(build_row(columns, row.values()))
        except RecordError as error:
            raise DataError(f"{self.name}: {error}") from error
        except (pa.ArrowException, OSError, TypeError) as error:
            raise DataError(f"{self.name}: expected a whole Parquet file of text, numbers, times, lists, structs and maps") from error


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
    """The bytes of a file of `what` (outcomes, profiles), unpacked where it is gzip, and how many of the file's own are read by now.

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
