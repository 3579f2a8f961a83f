"""Files in; endpoint documents line by line, and outcomes by Id, out. Knows the forms of files and nothing of features.

A line that is no endpoint document comes with the reason; a file that cannot be used is a DataError.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import msgspec

from model.document import find_problem
from model.errors import DataError

# stage, how much of it is done, how much there is
Report: TypeAlias = Callable[[str, int, int], None]

TOLD_EVERY = 10_000  # lines between two reports of progress
NAMED_LINES = 5  # how many lines an error or a report names before it only counts
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an endpoint file: a document with its Id, or why it is none."""

    place: str
    document: dict[str, Any] | None
    problem: str | None = None


def read_outcomes(path: Path) -> dict[str, int]:
    """Read a CSV with the header `Id,outcome`, outcome 0 or 1. Raises DataError naming the lines that are wrong."""
    wrong: list[int] = []
    repeated: list[int] = []
    outcomes: dict[str, int] = {}
    with _open(path, "outcomes") as (file, _):
        rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
        if next(rows, None) != ["Id", "outcome"]:
            raise DataError(f"{path}: expected outcomes: a CSV file whose first line is Id,outcome")
        for row in rows:
            if not row:
                continue
            if len(row) != 2 or not row[0] or row[1].strip() not in {"0", "1"}:
                wrong.append(rows.line_num)
            elif row[0] in outcomes:
                repeated.append(rows.line_num)
            else:
                outcomes[row[0]] = int(row[1])
    problems = []
    if wrong:
        problems.append(f"expected an Id and an outcome of 0 or 1 in {_name_lines(wrong)}")
    if repeated:
        problems.append(f"expected every Id once; it stands a second time in {_name_lines(repeated)}")
    if not outcomes and not problems:
        problems.append("expected an outcome in each line, found no line after the header")
    if problems:
        raise DataError(f"{path}: {'; '.join(problems)}")
    return outcomes


def read_lines(paths: Sequence[Path], report: Report, stage: str = "reading endpoints") -> Iterator[Line]:
    """Every line of the files that is not blank, in order. Raises DataError for a file that cannot be read or holds none."""
    decoder = msgspec.json.Decoder()
    total, before = sum(_size(path) for path in paths), 0
    for path in paths:
        found = False
        with _open(path, "endpoints") as (file, tell):
            for number, raw in enumerate(file, 1):
                text = raw.removeprefix(BOM) if number == 1 else raw
                if number % TOLD_EVERY == 0:
                    report(stage, before + tell(), total)
                if text.strip():
                    found = True
                    yield _read_line(f"{path}, line {number}", text, decoder)
        if not found:
            raise DataError(f"{path}: expected endpoints, one JSON object a line, found an empty file")
        before += _size(path)
        report(stage, before, total)


def _read_line(place: str, text: bytes, decoder: msgspec.json.Decoder[Any]) -> Line:
    try:
        value = decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Line(place, None, "Expected JSON")
    problem = find_problem(value)
    if problem is None and not value.get("Id"):
        problem = "$.Id: Expected the endpoint's Id, to find its outcome by"
    return Line(place, None, problem) if problem else Line(place, value)


@contextmanager
def _open(path: Path, what: str) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """The bytes of a file, gzip or not, and how many of the file's own are read; errors of reading become DataError."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield file, raw.tell  # type: ignore[misc]  # a GzipFile is a binary file, which its stub does not say
            else:
                yield raw, raw.tell
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening it says what is wrong


def _name_lines(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:NAMED_LINES]))
    more = len(numbers) - NAMED_LINES
    return f"line{'s' if len(numbers) > 1 else ''} {named}" + (f" and {more} more" if more > 0 else "")
