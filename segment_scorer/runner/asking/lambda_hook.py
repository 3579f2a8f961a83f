"""The hook as a deployed Lambda function: one synchronous invocation a call, through boto3.

Takes an event, gives one attempt's result. Tells the function's own failures, which cost an attempt, from Lambda having no room for the
call, which costs none: a host would have been throttled too, and tries again.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import msgspec

from model.aws import open_client
from segment_scorer.runner.asking.host_rules import NO_JSON, TIMED_OUT, Attempt, find_error
from segment_scorer.runner.errors import HookUnreachable, OptionError

# Lambda's and AWS's own troubles, which pass: nothing of the function ran. Source: Lambda API reference, Invoke, errors.
PASSING = {
    "TooManyRequestsException",
    "ThrottlingException",
    "EC2ThrottledException",
    "ServiceException",
    "ENILimitReachedException",
}
# Long enough for a burst to drain or for concurrency to scale; adaptive retry paces the calls meanwhile.
PATIENCE_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Client(Protocol):
    """What of boto3's Lambda client is used."""

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        """Lambda's Invoke."""
        ...


class LambdaHook:
    """A function by name, name:alias or ARN. Several threads may call at once."""

    def __init__(self, client: Client, name: str, *, patience: float = PATIENCE_SECONDS) -> None:
        """`client` makes one attempt a call, and waits as long as the host does. Nothing is sent yet."""
        self._client = client
        self._name = name
        self._patience = patience

    def call(self, event: dict[str, Any]) -> Attempt:
        """Invoke the function. Raises HookUnreachable when AWS refuses: no such function, no permission, no room for minutes."""
        from botocore import exceptions  # noqa: PLC0415  # loaded with the client

        body = _encode(event)
        deadline, pause = time.monotonic() + self._patience, FIRST_PAUSE
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
                    return Attempt(problem="was sent more than Lambda takes, 6 MB")
                if code not in PASSING:
                    raise HookUnreachable(
                        f"--hook: expected AWS to run the function; it answered {code}"
                    ) from error
                if time.monotonic() > deadline:
                    raise HookUnreachable(
                        f"--hook: expected Lambda to have room for the calls; it answered {code} for {self._patience:g} s: "
                        "lower --concurrency, or raise the function's"
                    ) from error
            except exceptions.ConnectionClosedError:
                return Attempt(problem="broke the connection off")
            except exceptions.BotoCoreError as error:
                raise HookUnreachable(
                    f"--hook: expected to reach AWS Lambda ({type(error).__name__})"
                ) from error
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def take_log(self) -> str:
        """Nothing: what the function prints goes to CloudWatch."""
        return ""


def read_answer(answer: dict[str, Any]) -> Attempt:
    """Judge Invoke's answer: with `FunctionError` the function failed, and its payload says how."""
    body = answer["Payload"].read()
    try:
        reply = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reply = None
        if not answer.get("FunctionError"):
            return Attempt(problem=NO_JSON)
    if not answer.get("FunctionError"):
        return Attempt(reply=reply)
    if isinstance(reply, dict) and "Task timed out" in str(reply.get("errorMessage", "")):
        return Attempt(problem="timed out by its own limit")
    return Attempt(problem=find_error(reply) or "crashed or could not start")


def connect_lambda(name: str, limit: float) -> LambdaHook:
    """The hook at AWS's own settings (credentials, region). Raises OptionError when there is no name, no boto3 or no region."""
    if not name:
        raise OptionError(
            "--hook: expected lambda:NAME, with the function's name, name:alias or ARN"
        )
    # One attempt a call: a timeout repeated in here would run the function again behind the host's rules. What is left of "adaptive" is
    # its pacing: the client slows all its threads down when Lambda throttles.
    try:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415  # slow to import

        client = open_client(
            "lambda",
            connect_timeout=5,
            read_timeout=limit,
            max_pool_connections=100,
            retries={"mode": "adaptive", "total_max_attempts": 1},
        )
        return LambdaHook(client, name)
    except ImportError as error:
        raise OptionError(
            "--hook: expected boto3 for lambda:NAME; the extra `aws` has it"
        ) from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an AWS_ENDPOINT_URL that is none
        raise OptionError(
            f"--hook: expected AWS's settings for lambda:NAME, such as AWS_REGION, to be there and usable ({type(error).__name__})"
        ) from error
