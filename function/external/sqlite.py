"""Profiles in a SQLite file: ships in the image or lies in /tmp; opened read-only and looked up in process.

The file is taken as it was when the process opened it: `segment-scorer external build` renames a new one over the old, so both stay whole.
Never memory-mapped: that would save 0.04 ms of 0.2 for 50 keys, and a file cut off in place would end the process by a signal.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from function.errors import ExternalUnavailable, SettingsError

# The form: SQLite's own two fields for naming an application's file, and one table.
APPLICATION_ID = 0x53535052
FORMAT = 1
TABLE = (
    "CREATE TABLE profile (key TEXT NOT NULL PRIMARY KEY, attributes TEXT NOT NULL) WITHOUT ROWID"
)
COLUMNS = ["key", "attributes"]
MOST_KEYS = 500  # in one statement; SQLite before 3.32 takes 999
MAGIC = b"SQLite format 3\0"


class SqliteStore:
    """Looks profiles up in one file. Safe for threads; not to be carried over a fork."""

    def __init__(self, path: Path) -> None:
        """Open and check the file. Raises SettingsError when it is not one that `external build` made, or is not whole."""
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                header = file.read(100)
        except FileNotFoundError as error:
            raise SettingsError(
                f"{path}: expected a file of external attributes, found none"
            ) from error
        except OSError as error:
            raise SettingsError(
                f"{path}: expected a readable file of external attributes"
            ) from error
        if not header.startswith(MAGIC) or int.from_bytes(header[68:72], "big") != APPLICATION_ID:
            raise SettingsError(
                f"{path}: expected a file that `segment-scorer external build` made"
            )
        # SQLite file format, 1.3: page size at 16 (1 means 65,536), pages at 28, user version at 60.
        page_size = int.from_bytes(header[16:18], "big")
        if size != (65_536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big"):
            raise SettingsError(
                f"{path}: expected a whole file of external attributes; its length is not what it says of itself"
            )
        if int.from_bytes(header[60:64], "big") != FORMAT:
            raise SettingsError(
                f"{path}: expected format {FORMAT} of a file of external attributes; build it again"
            )
        self._lock = threading.Lock()
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        try:
            # immutable: nobody changes the file, so no lock is taken and no journal looked for, which a read-only file system needs.
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            self._connection = sqlite3.connect(
                uri, uri=True, check_same_thread=False, isolation_level=None
            )
            self._connection.execute("PRAGMA mmap_size = 0")  # whatever SQLite was built with
            columns = [row[1] for row in self._connection.execute("PRAGMA table_info(profile)")]
            self._connection.execute("SELECT key, attributes FROM profile LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise SettingsError(
                f"{path}: expected an undamaged file of external attributes"
            ) from error
        if columns != COLUMNS:
            raise SettingsError(
                f"{path}: expected a table `profile` with the columns {', '.join(COLUMNS)}"
            )

    def fetch(self, keys: Sequence[str], timeout: float) -> dict[str, Mapping[str, Any] | None]:  # noqa: ARG002  # 0.2 ms for 50 keys
        """See `records.ExternalStore`. Raises ExternalUnavailable when the file turns out to be damaged."""
        found: dict[str, Mapping[str, Any] | None] = {}
        try:
            with self._lock:
                for start in range(0, len(keys), MOST_KEYS):
                    some = keys[start : start + MOST_KEYS]
                    marks = ",".join("?" * len(some))
                    query = f"SELECT key, attributes FROM profile WHERE key IN ({marks})"  # noqa: S608  # only question marks
                    rows = self._connection.execute(query, some)
                    found.update((key, self._read(text)) for key, text in rows)
        except sqlite3.Error as error:
            raise ExternalUnavailable(
                "external store: expected an undamaged SQLite file"
            ) from error
        return found

    def _read(self, text: object) -> Mapping[str, Any] | None:
        try:
            return self._decoder.decode(text) if isinstance(text, str) else None
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return None
