"""A function behind an HTTPS URL as a hook: one request per call, by the host `web`'s form.

Input: an event of the host `web`. Output: one attempt. Throttling costs no attempt. A URL
without TLS is refused, and a redirect is not followed: the secret goes to the address given alone.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from segment_scorer.runner.asking.host_rules import (
    BROKEN_OFF,
    TIMED_OUT,
    TOO_LARGE,
    Attempt,
    Hook,
)
from segment_scorer.runner.asking.http_hook import post
from segment_scorer.runner.asking.web_caller import (
    check_status,
    choose_headers,
    find_signer,
    read_event_body,
)
from segment_scorer.runner.errors import HookUnreachable, OptionError

THROTTLED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
PATIENCE_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
# The first that fits says why a connection failed.
FAILURES: tuple[tuple[type[OSError], str], ...] = (
    (
        ssl.SSLCertVerificationError,
        "its certificate is not trusted, or is of another name; set SSL_CERT_FILE to its authority",
    ),
    (ssl.SSLError, "it does not speak TLS"),
    (socket.gaierror, "its name is unknown"),
    (TimeoutError, "no connection within the host's limit"),
    (ConnectionRefusedError, "nothing listens there"),
)


class Unconnected(HookUnreachable):
    """No connection to the URL."""


class WebHook:
    """A URL that speaks the host `web`. Several threads can call it at once."""

    def __init__(
        self,
        address: str,
        *,
        secret: str = "",
        limit: float,
        patience: float = PATIENCE_SECONDS,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """Check the address; nothing is sent yet. `limit` is the host's limit in seconds.

        secret    sent as a bearer token; without one a URL of AWS is signed
        patience  seconds until throttling ends the run
        Raises OptionError.
        """
        try:
            parts = urllib.parse.urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise OptionError("--hook: expected https://host/path") from error
        if parts.scheme != "https" or not host or parts.username:
            raise OptionError("--hook: expected https://host/path, without a user's name")
        if not re.fullmatch(r"[!-~]+", address):
            raise OptionError("--hook: expected https://host/path in ASCII, without spaces")
        self._address, self._host, self._port = address, host, port or 443
        self._target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self._secret, self._limit = secret, limit
        self._patience, self._first_pause = patience, first_pause
        self._tls = ssl.create_default_context()
        self._signer = None if secret else find_signer(address, host)
        self._has_answered = False

    def call(self, event: dict[str, Any]) -> Attempt:
        """Post the event's body over a new connection.

        Throttling is waited for, and so is a URL that has answered before and cannot be reached.
        Raises HookUnreachable if that does not end, or the caller is refused; DataError for an
        event without a body.
        """
        deadline, pause = time.monotonic() + self._patience, self._first_pause
        while True:
            try:
                status, attempt = self._post(event)
            except Unconnected as error:
                if not self._has_answered:
                    raise
                problem: HookUnreachable = error
            else:
                self._has_answered = True
                check_status(status)
                if status not in THROTTLED:
                    return attempt
                problem = HookUnreachable(
                    f"--hook: the URL answered {int(status)} for {self._patience:g} s. Lower "
                    "--concurrency, or raise the function's reserved concurrency"
                )
            if time.monotonic() > deadline:
                raise problem
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _post(self, event: Mapping[str, Any]) -> tuple[int, Attempt]:
        body = read_event_body(event)
        headers = self._prove(body, choose_headers(event))
        started = time.monotonic()
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=self._limit, context=self._tls
        )
        with contextlib.closing(connection):
            try:
                connection.connect()
            except OSError as error:
                raise Unconnected(
                    f"--hook: the URL cannot be reached: {explain_failure(error)}"
                ) from error
            status, answer = post(connection, self._target, body, headers, self._limit)
        if time.monotonic() - started >= self._limit:
            return 0, Attempt(problem=TIMED_OUT)
        if answer is None:
            return status, Attempt(problem=TOO_LARGE)
        if not status:
            return status, Attempt(problem=BROKEN_OFF)
        if status != HTTPStatus.OK:
            return status, Attempt(problem=f"answered with status {status}")
        text = answer.decode("utf-8", "replace")
        return status, Attempt(reply={"statusCode": status, "body": text})

    def _prove(self, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        """Add what proves who calls: the secret, or a signature of AWS."""
        if self._secret:
            return headers | {"authorization": f"Bearer {self._secret}"}
        return self._signer.sign(body, headers) if self._signer else headers

    def take_log(self) -> str:
        """Return "": the function's log stays with the function."""
        return ""


class SecretHook:
    """Another hook, whose events over HTTP carry a shared secret."""

    def __init__(self, hook: Hook, secret: str) -> None:
        self._hook, self._proof = hook, {"authorization": f"Bearer {secret}"}

    def call(self, event: Any) -> Attempt:
        """Make one attempt, whatever the event is. See `Hook`."""
        if isinstance(event, dict) and "requestContext" in event:
            given = event.get("headers")
            headers = {**(given if isinstance(given, dict) else {}), **self._proof}
            event = {**event, "headers": headers}
        return self._hook.call(event)

    def take_log(self) -> str:
        """See `Hook`."""
        return self._hook.take_log()


def explain_failure(error: OSError) -> str:
    """Say why a connection failed, without the address."""
    for kind, reason in FAILURES:
        if isinstance(error, kind):
            return reason
    return (error.strerror or type(error).__name__).lower()
