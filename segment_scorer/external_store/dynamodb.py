"""Puts the people of a SQLite file of external attributes into a DynamoDB table."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from function.errors import ExternalUnavailable, SettingsError
from function.external.sqlite import SELECT, open_file
from model.errors import DataError
from model.people.progress import Progress
from segment_scorer.deploy.aws import open_client, translate_errors
from segment_scorer.external_store.rows import ROWS_PER_PROGRESS

MOST_ITEMS = 25  # of one BatchWriteItem
ATTEMPTS = 10  # of one call that AWS throttles
GIVE_UP_SECONDS = 60.0  # without a single item accepted
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds
# Magnitudes of a number. Source: DynamoDB developer guide, "Naming rules and data types".
SMALLEST_NUMBER, LARGEST_NUMBER = 1e-130, 1e126
STAGE = "loading the table"


def load_table(
    file: Path,
    table: str,
    partition_key: str,
    progress: Progress,
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
) -> int:
    """Put every person of a file that `write_file` wrote into a table; return their number.

    An item of the same key is replaced, other items stay. Raises SettingsError when the table has
    another key, DataError for a value that DynamoDB cannot hold, ExternalUnavailable when the table
    accepts nothing for a minute, DeployError for AWS's own refusals.
    """
    client = open_client("dynamodb", region=region, endpoint_url=endpoint_url, attempts=ATTEMPTS)
    done = 0
    with (
        translate_errors("load the table", missing="a DynamoDB table of this name"),
        closing(open_file(file)) as connection,
    ):
        check_key(client, table, partition_key)
        total = connection.execute("SELECT count(*) FROM profile").fetchone()[0]
        rows = connection.execute(SELECT)
        while some := list(islice(rows, MOST_ITEMS)):
            items = [make_item(partition_key, key, msgspec.json.decode(text)) for key, text in some]
            put_items(client, table, items)
            done += len(some)
            if done % ROWS_PER_PROGRESS == 0 or done == total:
                progress(STAGE, done, total)
    return done


def check_key(client: Any, table: str, partition_key: str) -> None:
    """Raise SettingsError unless the table's key is `partition_key`, text, and nothing else."""
    description = client.describe_table(TableName=table)["Table"]
    types = {
        each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]
    }
    found = [
        (key["AttributeName"], types[key["AttributeName"]]) for key in description["KeySchema"]
    ]
    if found != [(partition_key, "S")]:
        described = " and ".join(f"{name} of type {kind}" for name, kind in found)
        raise SettingsError(
            f"--dynamodb: expected a table whose whole key is {partition_key} of type S (text), "
            f"found {described}; name another key with --partition-key"
        )


def put_items(client: Any, table: str, items: list[dict[str, Any]]) -> None:
    """Put up to 25 items. Items that a busy table leaves unprocessed are put again."""
    wanted = [{"PutRequest": {"Item": item}} for item in items]
    pause, since = FIRST_PAUSE, time.monotonic()
    while wanted:
        answer = client.batch_write_item(RequestItems={table: wanted})
        left = answer.get("UnprocessedItems", {}).get(table, [])
        if len(left) < len(wanted):
            pause, since = FIRST_PAUSE, time.monotonic()
        elif time.monotonic() - since > GIVE_UP_SECONDS:
            raise ExternalUnavailable(
                "--dynamodb: expected the table to accept items; it accepted none for a minute"
            )
        if left:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        wanted = left


def make_item(partition_key: str, key: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """One person as a DynamoDB item. Raises DataError for a value that DynamoDB cannot hold."""
    if partition_key in attributes:
        raise DataError(
            f"--partition-key: expected a name that no attribute has; "
            f"the people have an attribute {partition_key}"
        )
    return {
        partition_key: {"S": key},
        **{name: write_value(name, value) for name, value in attributes.items()},
    }


def write_value(name: str, value: Any) -> dict[str, Any]:
    """A JSON value in DynamoDB's form. Raises DataError for a number beyond its range."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        if value and not SMALLEST_NUMBER <= abs(value) < LARGEST_NUMBER:
            raise DataError(
                f"{name}: expected numbers from 1e-130 to below 1e126, which DynamoDB holds"
            )
        return {"N": repr(value)}
    if isinstance(value, list):
        return {"L": [write_value(name, item) for item in value]}
    if isinstance(value, dict):
        return {"M": {field: write_value(name, item) for field, item in value.items()}}
    return {"NULL": True} if value is None else {"S": value}
