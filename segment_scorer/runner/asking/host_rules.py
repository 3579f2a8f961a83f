"""The host's rules for one batch: a time limit, three attempts, and a reply that it can use.

Input: a hook and an event. Output: the reply, or None with the reasons.
Source: Amazon Pinpoint developer guide, "Customizing segments using a Lambda function". The guide
does not say what happens to unknown ids. Here they make a reply invalid, so that only people of the
event can be messaged.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from function.errors import ReplyError
from function.hosts.reading import LARGEST_REPLY
from function.records import Account

ATTEMPTS = 3
# The problems of an attempt. Each completes the sentence "the hook ...".
TIMED_OUT = "took longer than the host waits"
TIMED_OUT_ITSELF = "timed out by its own limit"
NOT_JSON = "answered with something other than JSON"
CRASHED = "crashed or could not start"
BROKEN_OFF = "broke the connection off"
TOO_LARGE = "answered with more than Lambda's 6 MB"
PIECE = 64 * 1024  # bytes of a body to read at once
# An error's class name says who must act, so it is reported. Other text could hold personal data.
CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")
ReadReply: TypeAlias = Callable[[object, Any], Mapping[str, dict[str, Any]]]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the hook: a reply (any JSON value, not yet checked), or a problem.

    account  the batch's account, if the function runs in this process and answered
    """

    reply: Any = None
    problem: str | None = None
    account: Account | None = None


class HookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a batch: a valid reply, or None after three attempts.

    problems  one for each failed attempt
    accounts  of all attempts, failed ones included; only those of a valid reply are acted on
    account   of the valid reply
    seconds   duration of each attempt
    """

    reply: Mapping[str, dict[str, Any]] | None
    problems: Sequence[str] = ()
    accounts: Sequence[Account] = ()
    account: Account | None = None
    seconds: Sequence[float] = ()

    @property
    def attempts(self) -> int:
        """Number of attempts."""
        return len(self.seconds)


class Hook(Protocol):
    """Receives events. Implementations: `LocalHook`, `HttpHook`, `LambdaHook`."""

    def call(self, event: dict[str, Any]) -> Attempt:
        """Make one attempt, within the host's limit.

        Raises HookUnreachable if the function cannot be reached.
        """
        ...

    def take_log(self) -> str:
        """Return the function's log since the last call, a JSON object per line; "" if unknown."""
        ...


def ask_hook(
    hook: Hook, event: dict[str, Any], sent: Collection[str], read_reply: ReadReply
) -> HookAnswer:
    """Call the hook until it gives a valid reply, at most three times."""
    problems: list[str] = []
    seconds: list[float] = []
    accounts: list[Account] = []
    for _ in range(ATTEMPTS):
        started = time.monotonic()
        attempt = hook.call(event)
        seconds.append(time.monotonic() - started)
        if attempt.account is not None:
            accounts.append(attempt.account)
        problem = attempt.problem or find_error(attempt.reply)
        if problem is None:
            try:
                reply = read_reply(attempt.reply, sent)
            except ReplyError as error:
                problem = f"answered, but {error}"
            else:
                return HookAnswer(
                    reply=reply,
                    problems=problems,
                    accounts=accounts,
                    account=attempt.account,
                    seconds=seconds,
                )
        problems.append(problem)
    return HookAnswer(reply=None, problems=problems, accounts=accounts, seconds=seconds)


def read_body(read: Callable[[int], bytes], announced: int | None = None) -> bytes | None:
    """Read a body piece by piece; None if it is larger than any reply of Lambda.

    read       gives up to so many bytes, and none at the end of the body
    announced  length of the body, if the answer's header says so
    """
    if announced is not None and announced > LARGEST_REPLY:
        return None
    body = bytearray()
    while piece := read(PIECE):
        body += piece
        if len(body) > LARGEST_REPLY:
            return None
    return bytes(body)


def find_error(reply: object) -> str | None:
    """Name the problem in a function's error body; None if the reply is not an error body.

    An error body comes with status 200. An endpoint may be called `errorMessage`, but then its
    value is a definition, never text.
    """
    if not isinstance(reply, dict) or not isinstance(reply.get("errorMessage"), str):
        return None
    kind = reply.get("errorType")
    is_class = isinstance(kind, str) and CLASS_NAME.fullmatch(kind)
    return f"raised {kind}" if is_class else "raised an error"
