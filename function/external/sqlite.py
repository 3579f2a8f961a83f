"""External attributes in a SQLite file in the image or in /tmp, opened read-only.

`segment-scorer external build` replaces a file by renaming a new one over it, so a process keeps
reading the file that it opened.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from function.errors import ExternalTimeout, ExternalUnavailable, SettingsError
from model.errors import name_failure
from model.regular_file import NOT_REGULAR, NotAFileError, check_regular

# The file's form: SQLite's two header fields for an application's own files, and one table. The
# table's name is older than this project's word "external". Another name would be another format.
APPLICATION_ID = 0x53535052
FORMAT = 1
COLUMNS = ["key", "attributes"]
CREATE_TABLE = (
    "CREATE TABLE profile (key TEXT NOT NULL PRIMARY KEY, attributes TEXT NOT NULL) WITHOUT ROWID"
)
SELECT = "SELECT key, attributes FROM profile"
MOST_KEYS = 500  # in one statement; SQLite before 3.32 takes 999
MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
# Of a damaged schema Python cannot even decode SQLite's message.
DAMAGED = (sqlite3.Error, UnicodeDecodeError)
OPEN_SECONDS = 5.0  # limit for the check of a file, which takes less than 1 ms
STEPS = 10_000  # of SQLite's machine between two looks at the clock: some 0.1 ms
FIND_KIND = "SELECT type, sql FROM sqlite_master WHERE name = 'profile' COLLATE NOCASE"
REBUILD = "build it again with `segment-scorer external build`"


class Deadline:
    """When SQLite must give up the statement that it executes: a time on the monotonic clock."""

    def __init__(self, end: float) -> None:
        self.end = end

    def is_over(self) -> bool:
        """Whether the time has come."""
        return time.monotonic() > self.end


class SqliteStore:
    """Reads one file. Several threads may fetch at once. Open it again after a fork."""

    def __init__(self, path: Path) -> None:
        """Open and check the file.

        Raises SettingsError when `external build` did not make the file, or when it is not whole.
        """
        check_file(path)
        self._deadline = Deadline(time.monotonic() + OPEN_SECONDS)
        self._lock = threading.Lock()
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        try:
            self._connection = open_file(path)
            # Since Python 3.13, a connection that nobody closes is a warning.
            weakref.finalize(self, self._connection.close)
            # Without it a statement ends when it has ended: a file may hold one that never does.
            # Not a method of the store: the connection would keep the store alive, and open.
            self._connection.set_progress_handler(self._deadline.is_over, STEPS)
            kinds = self._connection.execute(FIND_KIND).fetchall()
            is_table = len(kinds) == 1 and is_plain_table(*kinds[0])
            columns = []
            if is_table:
                columns = [row[1] for row in self._connection.execute("PRAGMA table_info(profile)")]
            if columns == COLUMNS:
                self._connection.execute(f"{SELECT} LIMIT 1").fetchone()
        except DAMAGED as error:
            raise SettingsError(
                f"{path}: expected an undamaged file of external attributes, "
                f"found one that SQLite refuses ({type(error).__name__}); {REBUILD}"
            ) from error
        if not is_table:
            raise SettingsError(
                f"{path}: expected a table `profile`, found "
                f"{'none' if not kinds else 'a view or another object'}; {REBUILD}"
            )
        if columns != COLUMNS:
            raise SettingsError(
                f"{path}: expected a table `profile` with the columns {', '.join(COLUMNS)}, "
                f"found {'others' if len(columns) == len(COLUMNS) else f'{len(columns)} columns'}; "
                f"{REBUILD}"
            )

    def fetch(self, keys: Sequence[str], timeout: float) -> dict[str, Mapping[str, Any] | None]:
        """See `records.ExternalStore`.

        Raises ExternalUnavailable when the file is damaged, ExternalTimeout after `timeout`.
        """
        found: dict[str, Mapping[str, Any] | None] = {}
        end = time.monotonic() + timeout
        try:
            with self._lock:
                self._deadline.end = end
                for start in range(0, len(keys), MOST_KEYS):
                    some = keys[start : start + MOST_KEYS]
                    marks = ",".join("?" * len(some))
                    rows = self._connection.execute(f"{SELECT} WHERE key IN ({marks})", some)
                    found.update((key, self._read(text)) for key, text in rows)
        except DAMAGED as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise ExternalTimeout(
                    "external store: expected an answer within the time budget, found none yet"
                ) from error
            raise ExternalUnavailable(
                "external store: expected an undamaged SQLite file, "
                f"found one that SQLite refuses ({type(error).__name__})"
            ) from error
        return found

    def _read(self, text: object) -> Mapping[str, Any] | None:
        try:
            return self._decoder.decode(text) if isinstance(text, str) else None
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return None


def is_plain_table(kind: object, statement: object) -> bool:
    """Whether an entry of the schema is a table whose rows are in the file.

    A view runs a query of its author's, and a virtual table other code.
    """
    return kind == "table" and str(statement).upper().startswith("CREATE TABLE ")


def open_file(path: Path) -> sqlite3.Connection:
    """Open a SQLite file that does not change while it is open. Raises sqlite3.Error.

    `immutable`: SQLite then takes no lock and looks for no journal, so the file may be on a
    read-only file system. Without memory-mapping, which saves 0.04 ms of 0.2 ms for 50 keys: if
    the file is truncated, a mapped read ends the process with a signal.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA mmap_size = 0")  # SQLite may be built with another default
    except BaseException:
        connection.close()
        raise
    return connection


def check_file(path: Path) -> None:
    """Check the header and the length of a file. Raises SettingsError.

    Source: SQLite file format, 1.3: page size at byte 16 (1 means 65,536), number of pages at 28,
    user version at 60, application id at 68.
    """
    expected = f"{path}: expected a file of external attributes"
    try:
        status = path.stat()
        check_regular(status.st_mode)
        size = status.st_size
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except NotAFileError as error:
        raise SettingsError(f"{expected}{str(error).removeprefix(NOT_REGULAR)}") from error
    except FileNotFoundError as error:
        raise SettingsError(f"{expected}, found none") from error
    except OSError as error:
        raise SettingsError(f"{expected}, found {name_failure(error)}") from error

    def read_number(start: int, end: int) -> int:
        return int.from_bytes(header[start:end], "big")

    if not header.startswith(MAGIC):
        raise SettingsError(f"{expected}, found a file that is not SQLite; {REBUILD}")
    if read_number(68, 72) != APPLICATION_ID:
        raise SettingsError(f"{expected}, found another application's SQLite file; {REBUILD}")
    page_size = read_number(16, 18)
    whole = (65_536 if page_size == 1 else page_size) * read_number(28, 32)
    if size != whole:
        raise SettingsError(
            f"{expected} of {whole:,} bytes, as its header says, found {size:,}; {REBUILD}"
        )
    if read_number(60, 64) != FORMAT:
        raise SettingsError(
            f"{expected} in format {FORMAT}, found format {read_number(60, 64)}; {REBUILD}"
        )
