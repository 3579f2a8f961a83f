"""What `assign` and `unassign` do for an Amazon Connect instance. No verb of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass

import typer

from segment_scorer.deploy.aws import open_client
from segment_scorer.deploy.connect_instance import (
    SERVICE,
    change_registration,
    list_integrations,
    plan_change,
)
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.grant import find_function, grant, read_policy, read_timeout
from segment_scorer.deploy.statements import (
    INSTANCE_ARN,
    ConnectPrincipal,
    LambdaFunction,
    allow_connect,
    names_instance,
    read_instance,
)

MISSING_PERMISSION = (
    "warning: the function's policy does not name this instance, although Amazon Connect adds the "
    "permission itself. Look again in a minute; if it is still missing, run segment-scorer grant "
    "with the same instance"
)
LEFT_PERMISSION = (
    "warning: the function's policy still lets this instance call. segment-scorer revoke removes "
    "what grant added; docs/connect.md says how to remove a statement of Amazon Connect's own"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """The options of a registration, as given.

    instance   id or ARN of the Connect instance
    principal  the service that calls
    """

    instance: str
    function: str | None
    qualifier: str | None
    principal: ConnectPrincipal
    region: str | None
    endpoint_url: str | None
    dry_run: bool


def assign_function(request: ConnectRequest) -> None:
    """Register the function with the instance's campaigns, and see that they may call it."""
    found = find(request)
    instance = read_instance(request.instance, found.account)
    # Amazon Connect adds the documented principal's permission itself.
    statements = (
        allow_connect(found.account, instance, request.principal)
        if request.principal is not ConnectPrincipal.CAMPAIGNS
        else ()
    )
    call = plan_change(instance, found, remove=False)
    if request.dry_run:
        calls = [
            {"service": "lambda", "operation": "AddPermission", "parameters": one.parameters(found)}
            for one in statements
        ]
        typer.echo(json.dumps({"calls": [*calls, call]}, indent=2))
        return
    region = found.account.region
    functions = open_client("lambda", region=region, endpoint_url=request.endpoint_url)
    read_timeout(functions, found)  # raises if there is no such function or alias
    campaigns = open_client(SERVICE, region=region, endpoint_url=request.endpoint_url)
    if statements:
        for warning in grant(functions, found, statements).warnings:
            typer.echo(f"segment-scorer assign: warning: {warning}", err=True)
    done = change_registration(campaigns, instance, found)
    result = "the function is registered" if done else "the function was registered already"
    typer.echo(f"segment-scorer assign: {result}", err=True)
    if not any(names_instance(each, instance) for each in read_policy(functions, found)):
        typer.echo(f"segment-scorer assign: {MISSING_PERMISSION}", err=True)


def unassign_function(request: ConnectRequest) -> None:
    """Remove the function from those that the instance's journeys can choose."""
    found = find(request)
    instance = read_instance(request.instance, found.account)
    call = plan_change(instance, found, remove=True)
    if request.dry_run:
        typer.echo(json.dumps({"calls": [call]}, indent=2))
        return
    region = found.account.region
    campaigns = open_client(SERVICE, region=region, endpoint_url=request.endpoint_url)
    done = change_registration(campaigns, instance, found, remove=True)
    result = "the function is removed" if done else "the function was not registered"
    typer.echo(f"segment-scorer unassign: {result}", err=True)
    functions = open_client("lambda", region=region, endpoint_url=request.endpoint_url)
    if any(names_instance(each, instance) for each in read_policy(functions, found)):
        typer.echo(f"segment-scorer unassign: {LEFT_PERMISSION}", err=True)


def print_integrations(instance: str, *, region: str | None, endpoint_url: str | None) -> None:
    """Print a line for everything that is registered: kind and ARN, separated by a tab."""
    found = read_instance(instance)
    arn = INSTANCE_ARN.fullmatch(instance)
    region = region or (arn["region"] if arn else None)
    client = open_client(SERVICE, region=region, endpoint_url=endpoint_url)
    count = 0
    for each in list_integrations(client, found):
        count += each.kind == "lambda"
        typer.echo(f"{each.kind}\t{each.arn}")
    typer.echo(f"segment-scorer assign: {count} functions", err=True)


def find(request: ConnectRequest) -> LambdaFunction:
    """The function that the options name. Raises DeployError if they name none."""
    if request.function is None:
        raise DeployError(
            "expected --function with --connect-instance, or --list to see the functions that are "
            "registered"
        )
    return find_function(
        request.function,
        request.qualifier,
        region=request.region,
        endpoint_url=request.endpoint_url,
        offline=request.dry_run,
    )
