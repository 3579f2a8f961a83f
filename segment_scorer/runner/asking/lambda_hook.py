"""A deployed Lambda function as a hook: one synchronous invocation per call.

Input: an event. Output: one attempt. Failures of the function cost an attempt. Throttling costs
none: a host would be throttled too, and would try again.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import msgspec

from model.aws import open_client
from segment_scorer.runner.asking.host_rules import (
    BROKEN_OFF,
    CRASHED,
    NOT_JSON,
    TIMED_OUT,
    TIMED_OUT_ITSELF,
    TOO_LARGE,
    Attempt,
    find_error,
    read_body,
)
from segment_scorer.runner.errors import HookUnreachable, OptionError

# Temporary errors of AWS: the function did not run. Source: Lambda API reference, Invoke, errors.
TEMPORARY = {
    "TooManyRequestsException",
    "ThrottlingException",
    "EC2ThrottledException",
    "ServiceException",
    "ENILimitReachedException",
}
# Time for a burst to drain or for concurrency to scale. Adaptive retry slows the calls meanwhile.
PATIENCE_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class LambdaClient(Protocol):
    """The part of boto3's Lambda client that is used."""

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        """Lambda's Invoke."""
        ...


class LambdaHook:
    """A function by name, name:alias or ARN. Several threads can call it at once."""

    def __init__(
        self,
        client: LambdaClient,
        name: str,
        *,
        patience: float = PATIENCE_SECONDS,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """`client` makes one attempt per call and waits as long as the host does.

        patience     seconds until a temporary error ends the run
        first_pause  seconds until the second try after a temporary error; doubles each time
        """
        self._client = client
        self._name = name
        self._patience = patience
        self._first_pause = first_pause

    def call(self, event: dict[str, Any]) -> Attempt:
        """Invoke the function.

        Raises HookUnreachable if AWS refuses: unknown function, no permission, long throttling.
        """
        from botocore import exceptions  # noqa: PLC0415  # loaded with the client

        body = _encode(event)
        deadline, pause = time.monotonic() + self._patience, self._first_pause
        while True:
            try:
                answer = self._client.invoke(
                    FunctionName=self._name, InvocationType="RequestResponse", Payload=body
                )
                return read_answer(answer)
            except exceptions.ReadTimeoutError:
                return Attempt(problem=TIMED_OUT)
            except exceptions.ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code == "RequestTooLargeException":
                    return Attempt(problem="refused the event: larger than Lambda's 6 MB")
                if code not in TEMPORARY:
                    raise HookUnreachable(
                        f"--hook: AWS Lambda refused to run the function ({code})"
                    ) from error
                if time.monotonic() > deadline:
                    raise HookUnreachable(
                        f"--hook: AWS Lambda answered {code} for {self._patience:g} s. "
                        "Lower --concurrency, or raise the function's reserved concurrency"
                    ) from error
            except (
                exceptions.ConnectionClosedError,
                exceptions.IncompleteReadError,
                exceptions.ResponseStreamingError,
            ):
                return Attempt(problem=BROKEN_OFF)
            except exceptions.BotoCoreError as error:
                raise HookUnreachable(
                    f"--hook: AWS Lambda cannot be reached ({type(error).__name__})"
                ) from error
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def take_log(self) -> str:
        """Return "": the function's log goes to CloudWatch."""
        return ""


def read_answer(answer: dict[str, Any]) -> Attempt:
    """Read the answer of Invoke. With `FunctionError`, the payload is an error body."""
    body = read_body(answer["Payload"].read)
    if body is None:
        return Attempt(problem=TOO_LARGE)
    failed = bool(answer.get("FunctionError"))
    try:
        reply = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Attempt(problem=CRASHED if failed else NOT_JSON)
    if not failed:
        return Attempt(reply=reply)
    if isinstance(reply, dict) and "Task timed out" in str(reply.get("errorMessage", "")):
        return Attempt(problem=TIMED_OUT_ITSELF)
    return Attempt(problem=find_error(reply) or CRASHED)


def connect_lambda(name: str, limit: float) -> LambdaHook:
    """Open the hook with AWS's own settings (credentials, region). Raises OptionError."""
    try:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415  # an extra, slow to import
    except ImportError as error:
        raise OptionError(
            "--hook lambda:NAME: needs boto3, which is not installed; the extra `aws` has it"
        ) from error
    if not name:
        raise OptionError(
            "--hook lambda:NAME: expected the function's name, name:alias or ARN, found nothing"
        )
    # One attempt per call: a retry in the client would run the function again, unknown to the
    # host's rules. The mode "adaptive" still slows all threads down while Lambda throttles.
    try:
        client = open_client(
            "lambda",
            connect_timeout=5,
            read_timeout=limit,
            max_pool_connections=100,
            retries={"mode": "adaptive", "total_max_attempts": 1},
        )
    except (BotoCoreError, ValueError) as error:  # ValueError: AWS_ENDPOINT_URL is not a URL
        raise OptionError(
            "--hook lambda:NAME: AWS's settings, such as AWS_REGION, are missing or unusable "
            f"({type(error).__name__})"
        ) from error
    return LambdaHook(client, name)
