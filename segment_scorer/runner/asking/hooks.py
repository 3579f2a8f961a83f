"""Hooks: the function in this process, behind the HTTP address of a runtime interface emulator, or deployed (`lambda_hook`).

Takes an event, gives one attempt's result. Knows how a call can go wrong, not what a valid answer is (`rules`) nor how often to ask.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from function.records import Account, Decision, Observer
from segment_scorer.runner.asking.host_rules import LIMIT_SECONDS, NO_JSON, TIMED_OUT, Attempt, Hook
from segment_scorer.runner.errors import HookUnreachable, OptionError

INVOKE = "/2015-03-31/functions/function/invocations"
LAMBDA = "lambda:"
# How long past the host's limit we wait for a late answer, only to throw it away: a second request meanwhile would crash the emulator.
PATIENCE_SECONDS = 45.0
Handler = Callable[[Any, Any], Any]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class LocalContext:
    """Lambda's context object, as far as a hook looks at it: time runs out as the host has it."""

    function_name = "segment-scorer"
    function_version = "$LATEST"
    invoked_function_arn = "local"
    memory_limit_in_mb = 0
    aws_request_id = "local"

    def __init__(self, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`deadline` is on `clock`."""
        self._deadline = deadline
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the host gives up."""
        return max(0, int((self._deadline - self._clock()) * 1000))


class LocalHook:
    """The handler in this process. `observe` must be the observer that the handler was built with, `stream` where it logs."""

    def __init__(
        self,
        build: Callable[[Observer, io.StringIO], Handler],
        *,
        limit: float = LIMIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`build` makes the handler, given an observer and a stream; what it raises is the caller's to hear."""
        self._limit = limit
        self._clock = clock
        self._seen: dict[str, Decision] = {}
        self._stream = io.StringIO()
        self._handler = build(self._observe, self._stream)

    def _observe(self, account: Account) -> None:
        self._seen = {
            endpoint.id: decision
            for endpoint, decision in zip(account.batch.endpoints, account.decisions, strict=True)
        }

    def call(self, event: dict[str, Any]) -> Attempt:
        """Call the handler. Any exception is the function's failure, as it is to a host; an answer after 15 s is none."""
        self._seen = {}
        started = self._clock()
        try:
            reply = self._handler(event, LocalContext(started + self._limit, self._clock))
        except Exception as error:  # noqa: BLE001  # the host's side of the boundary: whatever a function raises fails its batch
            return Attempt(problem=f"raised {type(error).__name__}")
        if self._clock() - started > self._limit:
            return Attempt(problem=TIMED_OUT)
        return Attempt(reply=reply, decisions=self._seen)

    def take_log(self) -> str:
        """The log lines since the last time."""
        text = self._stream.getvalue()
        self._stream.seek(0)
        self._stream.truncate()
        return text


class HttpHook:
    """A runtime interface emulator at `address` (http://host:port). One request at a time: it handles no more."""

    def __init__(
        self, address: str, *, limit: float = LIMIT_SECONDS, patience: float = PATIENCE_SECONDS
    ) -> None:
        """Raises OptionError for an address of another form. Nothing is sent yet."""
        try:
            parts = urllib.parse.urlsplit(address)
            host, port = parts.hostname, parts.port or 80
        except ValueError as error:
            raise OptionError("--hook: expected local, lambda:NAME, or http://host:port") from error
        if (
            parts.scheme != "http"
            or not host
            or parts.path not in {"", "/", INVOKE}
            or parts.query
            or parts.username
        ):
            raise OptionError(
                "--hook: expected local, lambda:NAME, or http://host:port of a runtime interface emulator"
            )
        self._host, self._port = host, port
        self._limit, self._patience = limit, patience

    def call(self, event: dict[str, Any]) -> Attempt:
        """Post the event, over a connection of its own: after a crash of the function an old one may be dead.

        Raises HookUnreachable when nothing listens, or when an answer is still outstanding long after the limit.
        """
        started = time.monotonic()
        patience = self._limit + self._patience
        connection = http.client.HTTPConnection(self._host, self._port, timeout=patience)
        with contextlib.closing(connection):
            try:
                connection.connect()
            except OSError as error:
                raise HookUnreachable(
                    "--hook: expected a runtime interface emulator to listen at that address"
                ) from error
            with cut_off(connection.sock, patience):
                try:
                    connection.request(
                        "POST", INVOKE, encode_event(event), {"Content-Type": "application/json"}
                    )
                    response = connection.getresponse()
                    status, body = response.status, response.read()
                except (OSError, http.client.HTTPException):
                    status, body = 0, b""
        seconds = time.monotonic() - started
        if seconds >= patience:
            raise HookUnreachable(
                f"--hook: expected an answer within {patience:g} s; a second request meanwhile would crash the "
                "emulator, so the run stops: give the function a timeout below the host's limit (AWS_LAMBDA_FUNCTION_TIMEOUT)"
            )
        if seconds > self._limit:
            return Attempt(problem=TIMED_OUT)
        return read_answer(status, body) if status else Attempt(problem="broke the connection off")

    def take_log(self) -> str:
        """Nothing: what the function prints stays with the emulator."""
        return ""


def read_answer(status: int, body: bytes) -> Attempt:
    """Judge what came over HTTP as far as the transport goes: 200 with JSON is a reply, though perhaps a function's error."""
    if status != http.HTTPStatus.OK:
        return Attempt(
            problem="crashed or could not start"
            if status == http.HTTPStatus.BAD_GATEWAY
            else f"answered with status {status}"
        )
    if body.startswith(b"Task timed out after "):
        return Attempt(problem="timed out by its own limit")
    try:
        return Attempt(reply=_decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Attempt(problem=NO_JSON)


def encode_event(event: Any) -> bytes:
    """An event as JSON text; a lone surrogate, which an event of a person's own may hold (`invoke`), as the escape it came as."""
    try:
        return _encode(event)
    except UnicodeEncodeError:
        return json.dumps(event).encode()


@contextlib.contextmanager
def cut_off(connection: socket.socket, seconds: float) -> Iterator[None]:
    """End a connection after so many seconds, whatever comes over it meanwhile: a timeout of its own starts again with every byte."""

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


def open_hook(address: str, environ: Mapping[str, str], limit: float = LIMIT_SECONDS) -> Hook:
    """The hook for `--hook`: `local`, `lambda:NAME` or an http address. Raises SettingsError or BundleError where it cannot start."""
    if address.startswith(LAMBDA):
        from segment_scorer.runner.asking.lambda_hook import connect_lambda  # noqa: PLC0415  # loads boto3

        return connect_lambda(address.removeprefix(LAMBDA), limit)
    if address != "local":
        return HttpHook(address, limit=limit)
    from function.bootstrap import build_handler  # noqa: PLC0415  # loads ONNX Runtime, which a run over HTTP does without

    return LocalHook(
        lambda observer, stream: build_handler(environ, observer=observer, stream=stream),
        limit=limit,
    )
