"""Try a deployed function with golden answers, and plan the rollback if it fails.

Takes clients of CloudFormation and Lambda. Reads and invokes; never changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segment_scorer.deploy.aws import open_client, translate_errors
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.golden import Golden, try_version


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialClients:
    """boto3 clients of CloudFormation and Lambda."""

    cloudformation: Any
    functions: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """A deployed stack: the ARN of its hook, and its parameters with their values."""

    hook: str
    parameters: Mapping[str, str]


def open_clients(region: str) -> TrialClients:
    """Open both clients. Raises DeployError when boto3 is not installed."""
    cloudformation, functions = (
        open_client(name, region=region, endpoint_url=None) for name in ("cloudformation", "lambda")
    )
    return TrialClients(cloudformation=cloudformation, functions=functions)


def read_stack(client: Any, stack: str) -> StackState | None:
    """The stack's state; None if it does not exist or has no hook yet."""
    with translate_errors("read the stack"):
        try:
            (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        except client.exceptions.ClientError as error:
            if "does not exist" in str(error):  # CloudFormation has no error code for it
                return None
            raise
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    if "HookArn" not in outputs:
        return None
    parameters = {
        each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])
    }
    return StackState(hook=outputs["HookArn"], parameters=parameters)


def try_hook(client: Any, hook: str, golden: Golden) -> str | None:
    """Judge the hook by golden answers. Gives the problem of its last answer, or None.

    Raises DeployError when it cannot be invoked.
    """
    try:
        with translate_errors("invoke the new version"):
            return try_version(client, hook, golden).problem
    except DeployError as error:
        raise DeployError(f"deployed, but not tried: {error}") from error


def plan_rollback(
    previous: StackState | None, image: str, parameters: Mapping[str, str]
) -> tuple[str, dict[str, str]] | None:
    """The previous image, and the previous values of the parameters that were given.

    None when they are unknown, or the same as the new ones.
    """
    if (
        previous is None
        or "ImageUri" not in previous.parameters
        or not parameters.keys() <= previous.parameters.keys()
    ):
        return None
    values = {name: previous.parameters[name] for name in parameters}
    rollback = previous.parameters["ImageUri"], values
    return None if rollback == (image, dict(parameters)) else rollback
