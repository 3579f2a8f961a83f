"""What a caller over HTTP sends beside people: the body of an event, and the proof of who calls.

Input: an event of the host `web`, a secret or credentials of AWS. Output: bytes and headers. Sends
nothing.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from function.setting_values import read_secrets
from model.errors import DataError
from segment_scorer.runner.errors import HookUnreachable, OptionError

HEADERS = ("content-type", "scorer-budget-ms")  # a recorded event has many more
SECRETS = "SCORER_WEB_SECRETS"
# AWS Lambda developer guide, "Function URLs"; API Gateway developer guide, "Invoke URL".
SIGNED = re.compile(
    r"[a-z0-9]+\.(?P<service>lambda-url|execute-api)\.(?P<region>[a-z0-9-]+)\."
    r"(on\.aws|amazonaws\.com(\.cn)?)"
)
SERVICES = {"lambda-url": "lambda", "execute-api": "execute-api"}

# More calls would get the same answer.
HOPELESS = {
    HTTPStatus.UNAUTHORIZED: f"set {SECRETS} to a valid secret",
    HTTPStatus.FORBIDDEN: f"set {SECRETS}, or credentials of AWS that may call the URL",
    HTTPStatus.NOT_FOUND: "check the address",
    HTTPStatus.METHOD_NOT_ALLOWED: "check the address",
    **dict.fromkeys(
        (
            HTTPStatus.MOVED_PERMANENTLY,
            HTTPStatus.FOUND,
            HTTPStatus.SEE_OTHER,
            HTTPStatus.TEMPORARY_REDIRECT,
            HTTPStatus.PERMANENT_REDIRECT,
        ),
        "no redirect is followed: give the address that it leads to",
    ),
}


class Signer:
    """Signs requests to a URL of AWS (SigV4), with the credentials of the shell."""

    def __init__(self, address: str, service: str, region: str) -> None:
        self._address, self._service, self._region = address, service, region

    @functools.cached_property
    def _credentials(self) -> Any:
        """Found once: a role may cost a call of AWS. They renew themselves before they end."""
        from botocore.session import Session  # noqa: PLC0415  # an extra, slow to import

        found = Session().get_credentials()
        if found is None:
            raise HookUnreachable(f"--hook: a URL of AWS needs {SECRETS} or credentials of AWS")
        return found

    def sign(self, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """Add a signature to the headers. Raises HookUnreachable without boto3 or credentials."""
        try:
            from botocore.auth import SigV4Auth  # noqa: PLC0415
            from botocore.awsrequest import AWSRequest  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415
        except ImportError as error:
            raise HookUnreachable(
                f"--hook: a URL of AWS needs {SECRETS}, or boto3 (the extra `aws`) to be signed"
            ) from error
        request = AWSRequest(method="POST", url=self._address, data=body, headers=dict(headers))
        try:
            credentials = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise HookUnreachable(
                f"--hook: the credentials of AWS cannot be used ({type(error).__name__})"
            ) from error
        SigV4Auth(credentials, self._service, self._region).add_auth(request)
        return dict(request.headers)


def find_signer(address: str, host: str) -> Signer | None:
    """Who signs requests to this address; None for a URL that is not of AWS."""
    found = SIGNED.fullmatch(host)
    return found and Signer(address, SERVICES[found["service"]], found["region"])


def read_event_body(event: Mapping[str, Any]) -> bytes:
    """The bytes that a caller posted, whatever they hold. Raises DataError for an event of none."""
    text = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            return base64.b64decode(text, validate=True)
        return bytes(text.encode())
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(
            "$.body: expected text in UTF-8, or in base64 if $.isBase64Encoded is true"
        ) from error


def choose_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """The headers of an event that are sent again: those that the host reads."""
    given = event.get("headers")
    texts = given.items() if isinstance(given, Mapping) else ()
    return {
        name.lower(): value
        for name, value in texts
        if name.lower() in HEADERS and isinstance(value, str) and value.isprintable()
    }


def check_status(status: object) -> None:
    """Raise HookUnreachable for the status of an answer that every other call would get, too."""
    if isinstance(status, int) and status in HOPELESS:
        raise HookUnreachable(
            f"--hook: the function answered {int(status)}; {HOPELESS[HTTPStatus(status)]}"
        )


def read_secret(settings: Mapping[str, str]) -> str:
    """The secret to send: the first of those that are valid; "" without any. Raises OptionError."""
    text = settings.get(SECRETS, "")
    try:
        return read_secrets(text)[0] if text else ""
    except ValueError as error:
        raise OptionError(f"{SECRETS}: expected {error}") from error
