"""Segment files: paths in, raw lines out one at a time, and one line's text into an endpoint or the reason why it is none.

Takes exports as Pinpoint wrote them: JSON lines, gzip or not, told apart by their first bytes. Holds one line, never a file.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from campaign.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A synchronous Lambda invocation takes 6 MB; a longer line could not be sent. Pinpoint's own limit is 15 KB an endpoint.
LONGEST_LINE = 5_000_000
BUFFER_BYTES = 1 << 18
_decode = msgspec.json.Decoder().decode


class LineError(DataError):
    """A line that is no endpoint; the message names the place in the line, not what stands there."""


class SegmentFile:
    """An open segment file: iterate over it for its lines; `position` is how many of its bytes have been read."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises DataError when that is impossible."""
        self.path = path
        try:
            self._raw = path.open("rb")
            zipped = self._raw.peek(2)[:2] == GZIP_MAGIC
        except IsADirectoryError as error:
            raise DataError(f"{path}: expected a file of JSON lines, found a folder") from error
        except OSError as error:
            raise DataError(f"{path}: expected a readable file of JSON lines ({error.strerror})") from error
        self._lines = io.BufferedReader(gzip.GzipFile(fileobj=self._raw), BUFFER_BYTES) if zipped else self._raw

    @property
    def position(self) -> int:
        """Bytes of the file read so far, compressed as they lie there."""
        return self._raw.tell()

    def __iter__(self) -> Iterator[bytes]:
        """Every line, its end included; of one that is longer than can be sent only the beginning. Raises DataError for damage."""
        number = 0
        try:
            while line := self._lines.readline(LONGEST_LINE):
                if not number:
                    line = line.removeprefix(BYTE_ORDER_MARK)
                number += 1
                rest = line
                while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                    rest = self._lines.readline(LONGEST_LINE)
                yield line
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{self.path}: expected whole, undamaged data; it breaks off or cannot be read after line {number}") from error

    def __enter__(self) -> SegmentFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lines.close()
        self._raw.close()


def measure_files(paths: Iterable[Path]) -> int:
    """Check that every file can be opened, and give their bytes in all. Raises DataError for the first that is missing or empty."""
    total = 0
    for path in paths:
        with SegmentFile(path):
            size = path.stat().st_size
        if not size and path.is_file():
            raise DataError(f"{path}: expected one endpoint a line, found an empty file")
        total += size
    return total


def decode_line(line: bytes) -> tuple[str, dict[str, Any]]:
    """Read one line: the endpoint's id, and its definition as a hook gets it (without `Id`). Raises LineError."""
    if len(line) >= LONGEST_LINE:
        raise LineError(f"expected at most {LONGEST_LINE:,} bytes, which is what a hook can be sent")
    try:
        document = _decode(line)
    except msgspec.DecodeError as error:
        raise LineError(f"expected one JSON object: {error}") from error
    except UnicodeDecodeError as error:
        raise LineError("expected UTF-8") from error
    except RecursionError as error:
        raise LineError("expected JSON of moderate depth") from error
    if not isinstance(document, dict):
        raise LineError("expected one JSON object, an endpoint as exported")
    id_ = document.pop("Id", None)
    if not isinstance(id_, str) or not id_:
        raise LineError("$.Id: expected text of one character or more")
    return id_, document
