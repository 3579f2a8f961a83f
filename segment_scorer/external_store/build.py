"""Rows in; a SQLite file of external attributes out, as `sqlite.py` reads it, and from such a file a DynamoDB table filled.

Writes beside and renames: a file that is being read is never touched. Never imported by the function.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from function.errors import ExternalUnavailable, SettingsError
from function.external.sqlite import APPLICATION_ID, FORMAT, TABLE
from model.atomic import replace_atomically
from model.errors import DataError
from segment_scorer.external_store.sources import EVERY, Report, Row

# No journal and no syncing while writing: a file that is not finished is thrown away.
BEGIN = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
{TABLE};
BEGIN;
"""
MOST_ITEMS = 25  # of one BatchWriteItem
GIVE_UP = 60.0  # seconds without a single item taken
LARGEST_NUMBER, SMALLEST_NUMBER = (
    1e126,
    1e-130,
)  # DynamoDB developer guide, "Naming rules and data types"
STAGE = "loading the table"


def write_file(rows: Iterable[Row], out: Path) -> int:
    """Write the rows to `out`, an older file there being replaced at the end; give their number. Raises DataError for a key seen before."""
    last: list[Row] = []

    def encode() -> Iterator[tuple[str, str]]:
        for row in rows:
            last[:] = [row]
            yield row.key, msgspec.json.encode(row.attributes).decode()

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            replace_atomically(out) as fresh,
            closing(sqlite3.connect(fresh, isolation_level=None)) as connection,
        ):
            connection.executescript(BEGIN)
            count = connection.executemany("INSERT INTO profile VALUES (?, ?)", encode()).rowcount
            connection.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        raise DataError(
            f"{last[0].place}: expected every key once; this row's stands in an earlier row too"
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise DataError(f"{out}: expected a place where a file can be written") from error
    return max(0, count)


def load_table(file: Path, client: Any, table: str, partition_key: str, report: Report) -> int:
    """Put every person of a file that `write_file` made into a DynamoDB table; give their number.

    Replaces items of the same key, leaves others alone. Raises SettingsError when the table's key is another, DataError for a profile that
    DynamoDB cannot hold, ExternalUnavailable when it takes nothing for a minute.
    """
    description = client.describe_table(TableName=table)["Table"]
    types = {
        definition["AttributeName"]: definition["AttributeType"]
        for definition in description["AttributeDefinitions"]
    }
    if [
        (key["AttributeName"], types[key["AttributeName"]]) for key in description["KeySchema"]
    ] != [(partition_key, "S")]:
        raise SettingsError(
            f"--dynamodb: expected a table whose whole key is {partition_key}, text (another name: --partition-key)"
        )
    done = 0
    with closing(
        sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    ) as connection:
        total = connection.execute("SELECT count(*) FROM profile").fetchone()[0]
        rows = connection.execute("SELECT key, attributes FROM profile")
        while some := list(islice(rows, MOST_ITEMS)):
            put_items(
                client,
                table,
                [make_item(partition_key, key, msgspec.json.decode(text)) for key, text in some],
            )
            done += len(some)
            if done % EVERY == 0 or done == total:
                report(STAGE, done, total)
    return done


def put_items(client: Any, table: str, items: list[dict[str, Any]]) -> None:
    """Put up to 25 items, asking again for those that a busy table leaves."""
    wanted = [{"PutRequest": {"Item": item}} for item in items]
    pause, since = 0.05, time.monotonic()
    while wanted:
        left = (
            client.batch_write_item(RequestItems={table: wanted})
            .get("UnprocessedItems", {})
            .get(table, [])
        )
        if len(left) < len(wanted):
            pause, since = 0.05, time.monotonic()
        elif time.monotonic() - since > GIVE_UP:
            raise ExternalUnavailable(
                "--dynamodb: expected the table to take items; it has taken none for a minute"
            )
        if left:
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
        wanted = left


def make_item(partition_key: str, key: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """A profile as DynamoDB takes it."""
    if partition_key in attributes:
        raise DataError(
            f"--partition-key: expected a name that no attribute has, {partition_key} is one's"
        )
    return {
        partition_key: {"S": key},
        **{name: write_value(name, value) for name, value in attributes.items()},
    }


def write_value(name: str, value: Any) -> dict[str, Any]:
    """A plain JSON value in DynamoDB's form. Raises DataError for a number beyond its range."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        if value and not SMALLEST_NUMBER <= abs(value) < LARGEST_NUMBER:
            raise DataError(
                f"{name}: expected numbers that DynamoDB holds, from 1e-130 to below 1e126"
            )
        return {"N": repr(value)}
    if isinstance(value, list):
        return {"L": [write_value(name, item) for item in value]}
    if isinstance(value, dict):
        return {"M": {field: write_value(name, item) for field, item in value.items()}}
    return {"NULL": True} if value is None else {"S": value}
