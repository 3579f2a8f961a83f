"""Writes rows to a SQLite file of the form that `function.external.sqlite` reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from function.external.sqlite import APPLICATION_ID, CREATE_TABLE, FORMAT
from model.atomic import PRIVATE_FILE, SHARED_FILE, replace_atomically
from model.errors import DataError, name_failure
from segment_scorer.external_store.rows import Row

# Without journal and syncing: an unfinished file is deleted.
BEGIN = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
{CREATE_TABLE};
BEGIN;
"""
INSERT = "INSERT INTO profile VALUES (?, ?)"


def write_file(rows: Iterable[Row], out: Path, *, shared: bool = False) -> int:
    """Write the rows to `out` and return their number. An older file is replaced at the end.

    The file holds ids, so only this user can read it, unless `shared`: then as the umask allows.

    Raises DataError for a key that repeats, or when the file cannot be written.
    """
    last: list[Row] = []

    def encode() -> Iterator[tuple[str, str]]:
        for row in rows:
            last[:] = [row]
            yield row.key, msgspec.json.encode(row.attributes).decode()

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            replace_atomically(out, SHARED_FILE if shared else PRIVATE_FILE) as fresh,
            closing(sqlite3.connect(fresh, isolation_level=None)) as connection,
        ):
            connection.executescript(BEGIN)
            count = connection.executemany(INSERT, encode()).rowcount
            connection.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        raise DataError(
            f"{last[0].origin}: expected every key once, found one that an earlier row has"
        ) from error
    except OSError as error:
        raise DataError(
            f"{out}: expected a file that can be written, found {name_failure(error)}"
        ) from error
    except sqlite3.Error as error:
        raise DataError(
            f"{out}: expected a file that can be written, but SQLite failed ({error})"
        ) from error
    return max(0, count)
