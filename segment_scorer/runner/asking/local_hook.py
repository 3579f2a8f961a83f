"""The function in this process as a hook.

Input: an event. Output: one attempt, with the batch's account. Does not judge the reply.
"""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from function.hosts.pinpoint import PINPOINT
from function.records import Account, Observer
from segment_scorer.runner.asking.host_rules import TIMED_OUT, Attempt

HandlerT = TypeVar("HandlerT", bound=Callable[[Any, Any], Any])


class LocalContext:
    """The part of Lambda's context object that the function reads."""

    function_name = "segment-scorer"
    function_version = "$LATEST"
    invoked_function_arn = "local"
    memory_limit_in_mb = 0

    def __init__(self, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`deadline` is a time on `clock`."""
        self._deadline = deadline
        # Follows a batch into the log of a scoring service, as Lambda's own id would.
        self.aws_request_id = str(uuid.uuid4())
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the host stops waiting."""
        return max(0, int((self._deadline - self._clock()) * 1000))


class LocalHook(Generic[HandlerT]):
    """Calls a handler in this process.

    handler  the handler that `build` returned
    """

    def __init__(
        self,
        build: Callable[[Observer, io.StringIO], HandlerT],
        *,
        limit: float = PINPOINT.limit_seconds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`build` makes the handler, given its observer and the stream that it logs to.

        `limit` is the host's limit in seconds. Errors of `build` are not caught.
        """
        self._limit = limit
        self._clock = clock
        self._account: Account | None = None
        self._stream = io.StringIO()
        self.handler = build(self._observe, self._stream)

    def _observe(self, account: Account) -> None:
        self._account = account

    def call(self, event: dict[str, Any]) -> Attempt:
        """Call the handler. An exception is a failed attempt, and so is a reply after the limit."""
        self._account = None
        started = self._clock()
        try:
            reply = self.handler(event, LocalContext(started + self._limit, self._clock))
        except Exception as error:  # noqa: BLE001  # to a host, any exception fails the batch
            return Attempt(problem=f"raised {type(error).__name__}")
        if self._clock() - started > self._limit:
            return Attempt(problem=TIMED_OUT, account=self._account)
        return Attempt(reply=reply, account=self._account)

    def take_log(self) -> str:
        """Return the log lines since the last call."""
        text = self._stream.getvalue()
        self._stream.seek(0)
        self._stream.truncate()
        return text
