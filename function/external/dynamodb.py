"""External attributes in a DynamoDB table with a partition key of text and no sort key.

Rule 1: an answer comes within the time handed down, whatever the network does. Calls therefore run
        in threads that can be left behind.
Rule 2: temporary failures (throttling, unprocessed keys, a broken connection) are retried while
        there is time. Others are not.
Rule 3: every key is answered, or the look-up fails. In half an answer, the other half would look
        like people about whom nothing is stored.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitTimeout
from typing import Any, NoReturn

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
from model.aws import open_client

MOST_KEYS = 100  # of one BatchGetItem
# Seconds between attempts: doubled each time, and shortened at random so that functions spread.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.4
LONGEST_KEY = 2048  # bytes of a partition key; DynamoDB would refuse the whole look-up
LONGEST_EXPRESSION = 4096  # bytes. Source: DynamoDB developer guide, "Quotas", expressions
MOST_CALLS = 4  # at once; more than one only when earlier calls were left behind
# Retryable errors besides every 5xx. Source: DynamoDB developer guide, "Error handling".
RETRYABLE = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)
# Errors of botocore, and of reading what it parsed, when the answer is not BatchGetItem's.
MALFORMED = (
    ResponseParserError,
    KeyError,
    TypeError,
    AttributeError,
    ValueError,
    RecursionError,
)


class PendingLookup:
    """A look-up under way: its deadline, and the error of its latest attempt, if that failed."""

    def __init__(self, timeout: float) -> None:
        self.deadline = time.monotonic() + timeout
        self.error: ExternalError | None = None

    def give_up(self) -> NoReturn:
        """Raise the error of the latest failed attempt, or ExternalTimeout without one.

        An attempt that is cut off by the deadline says less than the failure before it.
        """
        raise self.error or ExternalTimeout(
            "external store: expected DynamoDB to process every key within the time budget"
        )


class DynamoStore:
    """Reads one table."""

    def __init__(
        self, table: str, partition_key: str, attributes: Sequence[str], patience: float
    ) -> None:
        """Make a client; nothing is connected yet. Raises SettingsError when no region is set.

        attributes  names of the top-level attributes to ask for
        patience    longest wait in seconds for a connection plus an answer. Each gets half, so
                    that one silent connection leaves time for another.
        """
        self._table = table
        self._partition_key = partition_key
        names = dict.fromkeys((partition_key, *attributes))
        placeholders = {f"#n{index}": name for index, name in enumerate(names)}
        self._names = names.keys()
        expression = ", ".join(placeholders)
        # Without a projection, DynamoDB reads and bills the same, but sends all attributes.
        self._projection: dict[str, Any] = {}
        if len(expression) <= LONGEST_EXPRESSION:
            self._projection = {
                "ProjectionExpression": expression,
                "ExpressionAttributeNames": placeholders,
            }
        try:
            self._client = open_client(
                "dynamodb",
                connect_timeout=patience / 2,
                read_timeout=patience / 2,
                # One attempt per call: the retries here know the time budget.
                retries={"total_max_attempts": 1},
                tcp_keepalive=True,
            )
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(
                "SCORER_EXTERNAL: expected a region for DynamoDB (AWS_REGION) and a usable AWS "
                f"configuration; opening a client failed with {type(error).__name__}"
            ) from error
        self._threads = ThreadPoolExecutor(MOST_CALLS, thread_name_prefix="external")

    def fetch(self, keys: Sequence[str], timeout: float) -> dict[str, Mapping[str, Any] | None]:
        """See `records.ExternalStore`."""
        pending = PendingLookup(timeout)
        call = self._threads.submit(self._fetch_all, keys, pending)
        try:
            return call.result(max(0.0, timeout))
        except WaitTimeout:
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
        """Make one call.

        Gives the attributes by key, the keys to ask for again, and the error if it is temporary.
        Raises ExternalRejected for other errors.
        """
        try:
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": wanted, **self._projection}}
            )
            # botocore parses an answer that is not JSON as one without any field.
            some = dict(self._read(item) for item in answer["Responses"].get(self._table, []))
            left = (answer.get("UnprocessedKeys") or {}).get(self._table, {}).get("Keys", [])
        except (ClientError, BotoCoreError) as error:
            return {}, wanted, translate_error(error)
        except MALFORMED as error:
            malformed = ExternalUnavailable(
                "external store: expected an answer of DynamoDB's BatchGetItem, found another form"
            )
            return {}, wanted, chain(malformed, error)
        return some, left, None

    def _read(self, item: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        attributes = {
            name: read_value(value) for name, value in item.items() if name in self._names
        }
        return str(attributes.pop(self._partition_key)), attributes


def pauses() -> Iterator[float]:
    """Seconds to wait after each attempt, endlessly."""
    # Not the `random` module's own generator: in every environment that is restored from the same
    # snapshot it would continue alike.
    chance = random.SystemRandom()
    pause = FIRST_PAUSE
    while True:
        yield pause * chance.uniform(0.5, 1.0)
        pause = min(pause * 2, LONGEST_PAUSE)


def translate_error(error: ClientError | BotoCoreError) -> ExternalError:
    """Return the error for a temporary failure. Raises ExternalRejected for any other."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(error.response.get("Error", {}).get("Code"))
        found = code if code.isalnum() else f"status {status}"  # never text from an unknown server
        if status < 500 and code not in RETRYABLE:
            raise ExternalRejected(
                "external store: expected DynamoDB to accept the look-up, "
                f"found {found}; check table, partition key and permission"
            ) from error
        return chain(
            ExternalUnavailable(
                f"external store: expected DynamoDB to have room for the look-up, found {found}"
            ),
            error,
        )
    found = type(error).__name__
    if isinstance(error, ReadTimedOut | ConnectTimedOut):
        return chain(
            ExternalTimeout(f"external store: expected DynamoDB's answer in time, found {found}"),
            error,
        )
    if isinstance(error, HTTPClientError | NoConnection):
        return chain(
            ExternalUnavailable(
                f"external store: expected DynamoDB to be reachable, found {found}"
            ),
            error,
        )
    if isinstance(error, NoCredentialsError):
        raise ExternalRejected(
            "external store: expected credentials for DynamoDB, found none"
        ) from error
    raise ExternalRejected(
        f"external store: expected a usable AWS configuration, found {found}"
    ) from error


def chain(error: ExternalError, cause: Exception) -> ExternalError:
    """`error` with its cause, as `raise ... from` sets it."""
    error.__cause__ = cause
    return error


def read_value(value: Any) -> Any:
    """Turn DynamoDB's form of a value (`{"N": "1.5"}`) into a plain JSON value.

    Numbers become int or float, sets become lists ordered by their texts. Null, binary and
    malformed values become None.
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
