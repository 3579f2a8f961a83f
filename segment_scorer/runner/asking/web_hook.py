"""A function behind an HTTPS URL as a hook: one request per call, by the host `web`'s form.

Input: an event of the host `web`. Output: one attempt. Throttling costs no attempt. A URL
without TLS is refused.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
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
from segment_scorer.runner.errors import HookUnreachable, OptionError

HEADERS = ("content-type", "scorer-budget-ms")  # a recorded event has many more
SECRETS = "SCORER_WEB_SECRETS"
THROTTLED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
# More calls would get the same answer.
HOPELESS = {
    HTTPStatus.UNAUTHORIZED: f"set {SECRETS} to a valid secret",
    HTTPStatus.FORBIDDEN: f"set {SECRETS}, or credentials of AWS that may call the URL",
    HTTPStatus.NOT_FOUND: "check the address",
    HTTPStatus.METHOD_NOT_ALLOWED: "check the address",
}
PATIENCE_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
# AWS Lambda developer guide, "Function URLs"; API Gateway developer guide, "Invoke URL".
SIGNED = re.compile(
    r"[a-z0-9]+\.(?P<service>lambda-url|execute-api)\.(?P<region>[a-z0-9-]+)\."
    r"(on\.aws|amazonaws\.com)"
)
SERVICES = {"lambda-url": "lambda", "execute-api": "execute-api"}


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
        self._address, self._host, self._port = address, host, port or 443
        self._target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self._secret, self._limit = secret, limit
        self._patience, self._first_pause = patience, first_pause
        self._tls = ssl.create_default_context()
        self._signed = None if secret else SIGNED.fullmatch(host)

    def call(self, event: dict[str, Any]) -> Attempt:
        """Post the event's body over a new connection.

        Raises HookUnreachable if nothing listens, the caller is refused, or throttling does not
        end.
        """
        deadline, pause = time.monotonic() + self._patience, self._first_pause
        while True:
            status, attempt = self._post(event)
            if status in HOPELESS:
                raise HookUnreachable(
                    f"--hook: the URL answered {int(status)}; {HOPELESS[HTTPStatus(status)]}"
                )
            if status not in THROTTLED:
                return attempt
            if time.monotonic() > deadline:
                raise HookUnreachable(
                    f"--hook: the URL answered {int(status)} for {self._patience:g} s. Lower "
                    "--concurrency, or raise the function's reserved concurrency"
                )
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _post(self, event: Mapping[str, Any]) -> tuple[int, Attempt]:
        body = read_event_body(event)
        sent = {name: event["headers"][name] for name in HEADERS if name in event["headers"]}
        headers = self._sign(body, sent)
        started = time.monotonic()
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=self._limit, context=self._tls
        )
        with contextlib.closing(connection):
            try:
                connection.connect()
            except OSError as error:
                raise HookUnreachable(
                    f"--hook: the URL cannot be reached ({type(error).__name__})"
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

    def _sign(self, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        """Add what proves who calls: the secret, or a signature of AWS (SigV4)."""
        if self._secret:
            return headers | {"authorization": f"Bearer {self._secret}"}
        if self._signed is None:
            return headers
        try:
            from botocore.auth import SigV4Auth  # noqa: PLC0415  # an extra, slow to import
            from botocore.awsrequest import AWSRequest  # noqa: PLC0415
            from botocore.session import Session  # noqa: PLC0415
        except ImportError as error:
            raise HookUnreachable(
                f"--hook: a URL of AWS needs {SECRETS}, or boto3 (the extra `aws`) to be signed"
            ) from error
        credentials = Session().get_credentials()
        if credentials is None:
            raise HookUnreachable(f"--hook: a URL of AWS needs {SECRETS} or credentials of AWS")
        request = AWSRequest(method="POST", url=self._address, data=body, headers=headers)
        service, region = SERVICES[self._signed["service"]], self._signed["region"]
        SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
        return dict(request.headers)

    def take_log(self) -> str:
        """Return "": the function's log stays with the function."""
        return ""


class SecretHook:
    """Another hook, whose events over HTTP carry a shared secret."""

    def __init__(self, hook: Hook, secret: str) -> None:
        self._hook, self._secret = hook, secret

    def call(self, event: dict[str, Any]) -> Attempt:
        """Make one attempt. See `Hook`."""
        if "requestContext" in event:
            headers = {**event["headers"], "authorization": f"Bearer {self._secret}"}
            event = {**event, "headers": headers}
        return self._hook.call(event)

    def take_log(self) -> str:
        """See `Hook`."""
        return self._hook.take_log()


def read_event_body(event: Mapping[str, Any]) -> bytes:
    """The bytes that a caller posted, whatever they hold."""
    text = str(event.get("body") or "")
    return base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()


def read_secret(settings: Mapping[str, str]) -> str:
    """The secret to send: the first of those that are valid."""
    return settings.get(SECRETS, "").partition(",")[0]
