"""The host's rules for one batch: a limit an attempt, 3 attempts, an answer that can be decoded and names only ids that were sent.

Takes a hook and an event; gives the reply, or none with the reasons. Source: Amazon Pinpoint developer guide, "Customizing segments
using a Lambda function". What the guide leaves open (unknown ids) counts as no valid answer: nobody is messaged who was not asked about.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from function.errors import ReplyError
from function.hosts.pinpoint import PINPOINT
from function.records import Decision

ATTEMPTS = 3
LIMIT_SECONDS = PINPOINT.limit_seconds
TIMED_OUT = "took longer than the host waits"
NO_JSON = "answered with what is no JSON"
# A class name is shown because it says who must act; anything longer or odder could carry somebody's data.
CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")
ReadReply: TypeAlias = Callable[[object, Any], Mapping[str, dict[str, Any]]]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """How one call of the hook ended: a reply (any JSON value, yet to be judged), or the problem instead of one.

    decisions   id -> decision, where the hook shows them
    """

    reply: Any = None
    problem: str | None = None
    decisions: Mapping[str, Decision] | None = None


class HookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch ended: a valid reply, or None after 3 attempts.

    problems  one entry for each attempt that failed
    seconds   how long each attempt took
    """

    reply: Mapping[str, dict[str, Any]] | None
    attempts: int
    problems: Sequence[str] = ()
    decisions: Mapping[str, Decision] | None = None
    seconds: Sequence[float] = ()


class Hook(Protocol):
    """Where events go: `hooks.LocalHook` (in this process), `hooks.HttpHook` (an emulator), `lambda_hook.LambdaHook` (AWS)."""

    def call(self, event: dict[str, Any]) -> Attempt:
        """Make one attempt, of at most the host's limit. Raises HookUnreachable when there is no function to fail."""
        ...

    def take_log(self) -> str:
        """What the function logged since the last time, one JSON object a line; empty where that cannot be seen."""
        ...


def ask_hook(
    hook: Hook,
    event: dict[str, Any],
    sent: Collection[str],
    read_reply: ReadReply = PINPOINT.read_reply,
) -> HookAnswer:
    """Call the hook until an answer is valid, 3 times at most."""
    problems: list[str] = []
    seconds: list[float] = []
    for attempt in range(1, ATTEMPTS + 1):
        started = time.monotonic()
        result = hook.call(event)
        seconds.append(time.monotonic() - started)
        problem = result.problem or find_error(result.reply)
        if problem is None:
            try:
                reply = read_reply(result.reply, sent)
            except ReplyError as error:
                problem = f"answered, but {error}"
            else:
                return HookAnswer(
                    reply=reply,
                    attempts=attempt,
                    problems=problems,
                    decisions=result.decisions,
                    seconds=seconds,
                )
        problems.append(problem)
    return HookAnswer(reply=None, attempts=ATTEMPTS, problems=problems, seconds=seconds)


def find_error(reply: object) -> str | None:
    """The problem in a function's error body, which comes with status 200 and without a header that tells; None when it is none.

    An endpoint may be called `errorMessage`, but then its value is a definition, never text.
    """
    if not isinstance(reply, dict) or not isinstance(reply.get("errorMessage"), str):
        return None
    kind = reply.get("errorType")
    return (
        f"raised {kind}"
        if isinstance(kind, str) and CLASS_NAME.fullmatch(kind)
        else "raised an error"
    )
