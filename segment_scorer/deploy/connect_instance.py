"""Register functions with the outbound campaigns of an Amazon Connect instance; list, remove them.

Takes a client of connectcampaignsv2, an instance's id and functions. Reads before writing, writes
only a difference, and reads back. Amazon Connect adds the permission to call the function itself.
Sources: the service model of connectcampaignsv2; Amazon Connect administrator guide, "Invoke Lambda
functions". A journey can choose among the functions that are registered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from segment_scorer.deploy.aws import translate_errors
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.statements import LambdaFunction

SERVICE = "connectcampaignsv2"
# LambdaArn in the service model. botocore checks neither the pattern nor the maximum.
LAMBDA_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:[a-z]{2}(-gov)?-[a-z]+-\d:\d{12}"
    r":function:[a-zA-Z0-9_-]+(:[a-zA-Z0-9_-]+)?"
)
MAX_ARN = 140
PAGE = 50  # the most that a call lists
# Where each kind of integration has its ARN, in IntegrationSummary of the service model.
ARNS = {"lambda": "functionArn", "customerProfiles": "domainArn", "qConnect": "knowledgeBaseArn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """What an instance's campaigns may use: a function, a Customer Profiles domain, ...

    kind  the name in the service model, such as `lambda`
    arn   empty for a kind that this version does not know
    """

    kind: str
    arn: str


def check_arn(function: LambdaFunction) -> None:
    """Raise DeployError for an ARN that the service model of connectcampaignsv2 refuses."""
    length = len(function.arn)
    if length > MAX_ARN:
        raise DeployError(
            f"--function: Amazon Connect accepts an ARN of at most {MAX_ARN} characters, found "
            f"{length}: use a shorter alias or function name"
        )
    if not LAMBDA_ARN.fullmatch(function.arn):
        raise DeployError(
            "--function: expected an ARN as Amazon Connect accepts it, with a region such as "
            "us-east-1; found another form"
        )


def plan_change(instance: str, function: LambdaFunction, *, remove: bool) -> dict[str, Any]:
    """The call that registers or removes the function, as {service, operation, parameters}."""
    check_arn(function)
    chosen = {"lambda": {"functionArn": function.arn}}
    operation, field = (
        ("DeleteConnectInstanceIntegration", "integrationIdentifier")
        if remove
        else ("PutConnectInstanceIntegration", "integrationConfig")
    )
    return {
        "service": SERVICE,
        "operation": operation,
        "parameters": {"connectInstanceId": instance, field: chosen},
    }


def list_integrations(client: Any, instance: str) -> Iterator[Integration]:
    """What is registered with the instance's campaigns, in Amazon Connect's order.

    Raises MissingResource if there is no such instance.
    """
    token: dict[str, str] = {}
    while True:
        with translate_errors(
            "list the instance's integrations", missing="a Connect instance of this id"
        ):
            answer = client.list_connect_instance_integrations(
                connectInstanceId=instance, maxResults=PAGE, **token
            )
            found = answer.get("integrationSummaryList", [])
        for summary in found:
            for kind, content in summary.items():  # one, but for a kind that botocore lacks
                known = ARNS.get(kind)
                name = kind if known else str(content.get("name", kind))
                yield Integration(kind=name, arn=content[known] if known else "")
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}


def is_registered(client: Any, instance: str, function: LambdaFunction) -> bool:
    """Whether the instance's campaigns may choose this function, with this alias or version."""
    return Integration(kind="lambda", arn=function.arn) in list(list_integrations(client, instance))


def change_registration(
    client: Any, instance: str, function: LambdaFunction, *, remove: bool = False
) -> bool:
    """Register the function, or remove it; whether anything had to be changed.

    Raises DeployError; also if Amazon Connect accepted the change and the list does not show it.
    """
    call = plan_change(instance, function, remove=remove)
    if is_registered(client, instance, function) is not remove:
        return False
    with translate_errors(
        "change the instance's integrations", missing="a Connect instance of this id"
    ):
        if remove:
            client.delete_connect_instance_integration(**call["parameters"])
        else:
            client.put_connect_instance_integration(**call["parameters"])
    if is_registered(client, instance, function) is remove:
        state = "still" if remove else "not"
        raise DeployError(
            f"Amazon Connect accepted the change, but the function is {state} in its list; "
            "list the functions again in a minute"
        )
    return True
