"""Asks the function that was just deployed an example event, and plans the way back when it does not answer as the hook does.

Takes clients of CloudFormation and Lambda. Reads, and calls the function; never changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segment_scorer.deploy.aws import open_client, translated
from segment_scorer.deploy.errors import DeployError

ATTEMPTS = 3  # as Pinpoint makes
EVENT = Path(__file__).parents[2] / "examples" / "events" / "pinpoint-two-endpoints.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The two services that a trial asks."""

    cloudformation: Any
    functions: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a stack holds: the ARN of its hook, and its parameters with their values."""

    hook: str
    parameters: Mapping[str, str]


def open_clients(region: str) -> Clients:
    """Open both clients. Raises DeployError when boto3 is not installed."""
    cloudformation, functions = (
        open_client(name, region=region, endpoint_url=None) for name in ("cloudformation", "lambda")
    )
    return Clients(cloudformation=cloudformation, functions=functions)


def read_stack(client: Any, stack: str) -> Standing | None:
    """What the stack holds; None when there is none, or one that has no hook yet."""
    with translated("read the stack"):
        try:
            (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        except client.exceptions.ClientError as error:
            if "does not exist" in str(error):  # CloudFormation has no code of its own for it
                return None
            raise
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    parameters = {
        each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])
    }
    return (
        Standing(hook=outputs["HookArn"], parameters=parameters) if "HookArn" in outputs else None
    )


def ask(client: Any, hook: str) -> str | None:
    """Call the hook with the example event, as often as a host would; what is wrong with the last answer, or None.

    Raises DeployError when it cannot be asked.
    """
    problem = None
    for _ in range(ATTEMPTS):
        problem = ask_once(client, hook, EVENT.read_bytes())
        if problem is None:
            break
    return problem


def ask_once(client: Any, hook: str, event: bytes) -> str | None:
    """What is wrong with one answer to the event, or None."""
    try:
        with translated("invoke the new version"):
            answer = client.invoke(FunctionName=hook, Payload=event)
            failed, payload = "FunctionError" in answer, answer["Payload"].read()
    except DeployError as error:
        raise DeployError(f"deployed, but not tried: {error}") from error
    if failed:
        return "fails on the example event, as its log says"
    try:
        reply = json.loads(payload)
    except ValueError:
        reply = None
    if not (isinstance(reply, dict) and reply.keys() <= json.loads(event)["Endpoints"].keys()):
        return "answers the example event with something else than endpoints of it"
    return None


def plan_return(
    former: Standing | None, image: str, parameters: Mapping[str, str]
) -> tuple[str, dict[str, str]] | None:
    """The former image, and the former values of the parameters that were given; None when they are not known or no others."""
    if (
        former is None
        or "ImageUri" not in former.parameters
        or not parameters.keys() <= former.parameters.keys()
    ):
        return None
    back = former.parameters["ImageUri"], {name: former.parameters[name] for name in parameters}
    return None if back == (image, dict(parameters)) else back
