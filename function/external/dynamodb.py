"""Profiles in a DynamoDB table with a partition key of text and no sort key: BatchGetItem, only the attributes that are used.

Rule 1: an answer comes within the time handed down, whatever the network does: calls are made in threads that may be left behind.
Rule 2: what may pass (throttling, unprocessed keys, a broken connection) is asked again while there is time; nothing else is.
Rule 3: all keys are answered, or none: half an answer would make the other half look like people without a profile.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from contextlib import contextmanager
from typing import Any, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import ConnectTimeoutError as ConnectTimedOut
from botocore.exceptions import ReadTimeoutError as ReadTimedOut
from botocore.parsers import ResponseParserError

from function.errors import (
    ExternalError,
    ExternalRejected,
    ExternalTimeout,
    ExternalUnavailable,
    SettingsError,
)

MOST_KEYS = 100  # of one BatchGetItem
FIRST_PAUSE, LONGEST_PAUSE = (
    0.02,
    0.4,
)  # seconds between attempts, doubled each time, and shortened by chance so that functions spread
LONGEST_KEY = 2048  # bytes of a partition key; nobody can have a longer one, and DynamoDB would refuse the whole look-up
MOST_CALLS = 4  # under way at once; more than one only when earlier ones were left behind
# Errors that DynamoDB's developer guide, "Error handling", says may be retried, besides every 5xx.
PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)


class PendingLookup:
    """One look-up: when its time is over, and why its latest attempt gave nothing (None: it gave some, or there was none)."""

    def __init__(self, timeout: float) -> None:
        self.deadline = time.monotonic() + timeout
        self.error: ExternalError | None = None

    def give_up(self) -> NoReturn:
        """Say what stood in the way; that an attempt was still under way when time was over says less than why the one before failed."""
        raise self.error or ExternalTimeout(
            "external store: expected DynamoDB to process every key within the time budget"
        )


class DynamoStore:
    """Looks profiles up in one table."""

    def __init__(
        self, table: str, partition_key: str, attributes: Sequence[str], patience: float
    ) -> None:
        """Make a client; nothing is connected yet. Raises SettingsError when no region is set.

        attributes  the top-level attributes that are asked for; patience  the longest wait, in seconds, for a connection and for an answer
                    (half of it each, so that one silent connection leaves time for another)
        """
        self._table = table
        self._partition_key = partition_key
        names = {
            f"#n{index}": name
            for index, name in enumerate(dict.fromkeys((partition_key, *attributes)))
        }
        self._projection = {
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": names,
        }
        try:
            self._client = boto3.session.Session().client("dynamodb", config=make_config(patience))
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(
                "SCORER_EXTERNAL: expected a region for DynamoDB (AWS_DEFAULT_REGION) and a readable AWS configuration"
            ) from error
        self._threads = ThreadPoolExecutor(MOST_CALLS, thread_name_prefix="external")

    def fetch(self, keys: Sequence[str], timeout: float) -> dict[str, Mapping[str, Any] | None]:
        """See `records.ExternalStore`."""
        pending = PendingLookup(timeout)
        call = self._threads.submit(self._fetch_all, keys, pending)
        try:
            return call.result(max(0.0, timeout))
        except WaitedTooLong:
            call.cancel()
            pending.give_up()

    def _fetch_all(
        self, keys: Sequence[str], pending: PendingLookup
    ) -> dict[str, Mapping[str, Any] | None]:
        found: dict[str, Mapping[str, Any] | None] = {}
        possible = [
            {self._partition_key: {"S": key}}
            for key in keys
            if 0 < len(key.encode()) <= LONGEST_KEY
        ]
        for start in range(0, len(possible), MOST_KEYS):
            wanted = possible[start : start + MOST_KEYS]
            for pause in pauses():
                some, wanted, pending.error = self._ask(wanted)
                found |= some
                if not wanted:
                    break
                if time.monotonic() + pause >= pending.deadline:
                    pending.give_up()
                time.sleep(pause)
        return found

    def _ask(
        self, wanted: list[Any]
    ) -> tuple[dict[str, dict[str, Any]], list[Any], ExternalError | None]:
        """One call: the profiles it gave, the keys that are still wanted, and why none came. Raises what will not pass."""
        try:
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": wanted, **self._projection}}
            )
            # What is no JSON parses as an answer without anything in it.
            some = dict(self._read(item) for item in answer["Responses"].get(self._table, []))
            left = (answer.get("UnprocessedKeys") or {}).get(self._table, {}).get("Keys", [])
        except (ClientError, BotoCoreError) as error:
            return {}, wanted, translate_error(error)
        except (
            ResponseParserError,
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            RecursionError,
        ) as error:
            return (
                {},
                wanted,
                chain(
                    ExternalUnavailable(
                        "external store: expected an answer of DynamoDB's BatchGetItem"
                    ),
                    error,
                ),
            )
        return some, left, None

    def _read(self, item: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        attributes = {name: read_value(value) for name, value in item.items()}
        return str(attributes.pop(self._partition_key)), attributes


def make_config(patience: float) -> Config:
    """One attempt a call, since retries here know the time budget, and no wait longer than half of `patience` seconds."""
    return Config(
        connect_timeout=patience / 2,
        read_timeout=patience / 2,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )


@contextmanager
def open_client(region: str | None, endpoint_url: str | None) -> Iterator[Any]:
    """A client for whoever loads a table: patient, with AWS's own retries. What AWS refuses becomes a SettingsError."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 10})
    try:
        region = (
            region or os.environ.get("AWS_REGION") or None
        )  # as for AWS's command line; boto3 reads AWS_DEFAULT_REGION alone
        yield boto3.session.Session().client(
            "dynamodb", region_name=region, endpoint_url=endpoint_url, config=config
        )
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an unknown error")
        raise SettingsError(
            f"--dynamodb: expected DynamoDB to accept the table, its items and our permission; it says {code}"
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(
            "--dynamodb: expected a reachable DynamoDB, a region (AWS_REGION or --region) and credentials"
        ) from error
    except (ResponseParserError, LookupError) as error:
        raise SettingsError(
            "--dynamodb: what answered is not DynamoDB: check --endpoint-url and proxies"
        ) from error


def pauses() -> Iterator[float]:
    """How long to wait after each attempt, endlessly."""
    chance = random.SystemRandom()  # a generator seeded at import would be the same one in every environment restored from a snapshot
    pause = FIRST_PAUSE
    while True:
        yield pause * chance.uniform(0.5, 1.0)
        pause = min(pause * 2, LONGEST_PAUSE)


def translate_error(error: ClientError | BotoCoreError) -> ExternalError:
    """What may pass, to be returned to whoever may ask again. Raises ExternalRejected for what will not."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status < 500 and error.response.get("Error", {}).get("Code") not in PASSING:
            raise ExternalRejected(
                "external store: expected DynamoDB to accept the look-up; check table, partition key and permission"
            ) from error
        return chain(
            ExternalUnavailable("external store: expected DynamoDB to have room for the look-up"),
            error,
        )
    if isinstance(error, ReadTimedOut | ConnectTimedOut):
        return chain(ExternalTimeout("external store: expected DynamoDB's answer in time"), error)
    if isinstance(error, HTTPClientError | NoConnection):
        return chain(
            ExternalUnavailable("external store: expected DynamoDB to be reachable"), error
        )
    what = (
        "credentials for DynamoDB"
        if isinstance(error, NoCredentialsError)
        else "a usable AWS configuration"
    )
    raise ExternalRejected(f"external store: expected {what}") from error


def chain(error: ExternalError, cause: Exception) -> ExternalError:
    """`error` with its cause, as `raise ... from` would leave it."""
    error.__cause__ = cause
    return error


def read_value(value: Any) -> Any:
    """DynamoDB's form of a value ({"N": "1.5"}) as a plain JSON value; None for null, binary, and what is no value.

    Numbers become int or float, sets lists in order of their texts.
    """
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, content),) = value.items()
    try:
        return READERS[kind](content) if kind in READERS else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def read_number(text: str) -> float:
    """An int where there is no fraction, so that 12 is written as 12."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


READERS: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": read_number,
    "BOOL": bool,
    "L": lambda values: [read_value(value) for value in values],
    "M": lambda fields: {name: read_value(value) for name, value in fields.items()},
    "SS": sorted,
    "NS": lambda texts: [read_number(text) for text in sorted(texts)],
}
