"""Opens files on this machine: the unpacked bytes of any file, or the rows of a CSV file.

Input: a path. Errors of opening and reading become DataError. Holds no file whole.
`model.people.files` opens files of people.
"""

from __future__ import annotations

import csv
import io
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from model.errors import DataError, name_failure
from model.people.gunzip import GZIP_MAGIC, Gunzip
from model.people.headers import explain_bytes

BUFFER_BYTES = 1 << 18
START_BYTES = 1024  # that are enough to recognise a file that is no text in UTF-8


class CsvRows(Protocol):
    """The rows of a CSV file, as the module `csv` reads them."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


def check_file(path: Path, what: str) -> None:
    """Raise DataError for a pipe or a device. Raises OSError if there is no file."""
    mode = path.stat().st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise DataError(
            f"{path}: expected a file of {what}, found a pipe, which cannot be read twice; "
            "save it to a file first"
        )
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise DataError(f"{path}: expected a file of {what}, found a device")


@contextmanager
def open_unpacked(path: Path, what: str) -> Iterator[tuple[io.BufferedReader, Callable[[], int]]]:
    """The unpacked bytes of a file of `what`, and a function that tells how many bytes were read.

    The second counts bytes on disk. Errors of reading inside the `with` become DataError, also
    those of text and of CSV.
    """
    try:
        check_file(path, what)
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if packed:
                yield io.BufferedReader(Gunzip(raw), BUFFER_BYTES), raw.tell
            else:
                yield raw, lambda: 0 if raw.closed else raw.tell()
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a file of {what}, found none") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected a whole gzip file, found a damaged one") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}: expected CSV: {error}") from error
    except OSError as error:
        raise DataError(
            f"{path}: expected a readable file of {what}, found {name_failure(error)}"
        ) from error


@contextmanager
def open_csv(path: Path, what: str) -> Iterator[tuple[CsvRows, Callable[[], int]]]:
    """The rows of a CSV file of `what`, gzip or not, and a function that tells bytes on disk read.

    Raises DataError as `open_unpacked`, and with the cure for what is no CSV in UTF-8.
    """
    with open_unpacked(path, what) as (file, tell):
        found = explain_bytes(file.peek(START_BYTES)[:START_BYTES])
        if found is not None:
            raise DataError(f"{path}: expected a CSV file of {what} in UTF-8, found {found}")
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        yield csv.reader(text, strict=True), tell
