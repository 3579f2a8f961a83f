"""A runtime interface emulator as a hook: one HTTP request per call.

Input: an event. Output: one attempt. Does not judge the reply, and never repeats a request.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import msgspec

from function.hosts.pinpoint import PINPOINT
from segment_scorer.runner.asking.host_rules import (
    BROKEN_OFF,
    CRASHED,
    NOT_JSON,
    TIMED_OUT,
    TIMED_OUT_ITSELF,
    TOO_LARGE,
    Attempt,
    read_body,
)
from segment_scorer.runner.errors import HookUnreachable, OptionError

INVOKE = "/2015-03-31/functions/function/invocations"
# How long to wait for a late reply, which is then discarded. A second request to a busy emulator
# would crash it.
PATIENCE_SECONDS = 45.0
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class HttpHook:
    """An emulator at `address` (http://host:port). It handles one request at a time."""

    def __init__(
        self,
        address: str,
        *,
        limit: float = PINPOINT.limit_seconds,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Check the address; nothing is sent yet. `limit` is the host's limit in seconds.

        Raises OptionError.
        """
        try:
            parts = urllib.parse.urlsplit(address)
            host, port = parts.hostname, parts.port or 80
        except ValueError as error:
            raise OptionError("--hook: expected local, lambda:NAME, or http://host:port") from error
        is_plain = parts.path in {"", "/", INVOKE} and not parts.query and not parts.username
        if parts.scheme != "http" or not host or not is_plain:
            raise OptionError(
                "--hook: expected local, lambda:NAME, or http://host:port "
                "of a runtime interface emulator"
            )
        self._host, self._port = host, port
        self._limit, self._patience = limit, patience

    def call(self, event: dict[str, Any]) -> Attempt:
        """Post the event over a new connection: an old one may be dead after a crash.

        Raises HookUnreachable if nothing listens, or if there is no reply long after the limit.
        """
        started = time.monotonic()
        patience = self._limit + self._patience
        connection = http.client.HTTPConnection(self._host, self._port, timeout=patience)
        with contextlib.closing(connection):
            try:
                connection.connect()
            except OSError as error:
                raise HookUnreachable(
                    "--hook: no runtime interface emulator listens at that address "
                    f"({error.strerror or 'unknown host or timeout'})"
                ) from error
            headers = {"Content-Type": "application/json"}
            status, body = post(connection, INVOKE, encode_event(event), headers, patience)
        seconds = time.monotonic() - started
        if seconds >= patience:
            raise HookUnreachable(
                f"--hook: no reply within {patience:g} s. The run stops, because a second request "
                "would crash the emulator. Give the function a timeout below the host's limit "
                "(AWS_LAMBDA_FUNCTION_TIMEOUT)"
            )
        if seconds > self._limit:
            return Attempt(problem=TIMED_OUT)
        if body is None:
            return Attempt(problem=TOO_LARGE)
        return read_answer(status, body) if status else Attempt(problem=BROKEN_OFF)

    def take_log(self) -> str:
        """Return "": the function's log stays with the emulator."""
        return ""


def read_answer(status: int, body: bytes) -> Attempt:
    """Read an HTTP answer. Status 200 with JSON is a reply, which may still be an error body."""
    if status == http.HTTPStatus.BAD_GATEWAY:
        return Attempt(problem=CRASHED)
    if status != http.HTTPStatus.OK:
        return Attempt(problem=f"answered with status {status}")
    if body.startswith(b"Task timed out after "):
        return Attempt(problem=TIMED_OUT_ITSELF)
    try:
        return Attempt(reply=_decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Attempt(problem=NOT_JSON)


def encode_event(event: Any) -> bytes:
    """Encode an event as JSON. A lone surrogate becomes an escape sequence, as it arrived."""
    try:
        return _encode(event)
    except UnicodeEncodeError:
        return json.dumps(event).encode()


def post(
    connection: http.client.HTTPConnection,
    target: str,
    body: bytes,
    headers: dict[str, str],
    seconds: float,
) -> tuple[int, bytes | None]:
    """Post over a connection that is open; give status and body of the answer.

    Status 0: the connection broke off, or was cut off after `seconds`. A body of None is larger
    than any reply of Lambda.
    """
    with cut_off(connection.sock, seconds):
        try:
            connection.request("POST", target, body, headers)
            response = connection.getresponse()
            answer = read_body(response.read, response.length)
        except (OSError, http.client.HTTPException):
            return 0, b""
    if answer is not None and response.length:  # fewer bytes than it announced
        return 0, answer
    return response.status, answer


@contextlib.contextmanager
def cut_off(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Shut a connection down after `seconds`, even if data still arrives.

    The socket's own timeout starts again with every byte.
    """

    def end() -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
