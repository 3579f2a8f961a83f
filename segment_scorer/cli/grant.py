"""`segment-scorer grant`: lets a host call the function, or shows the statements and calls that would."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.statements import (
    Function,
    Place,
    Statement,
    allow_connect,
    allow_pinpoint,
)

FunctionOption = Annotated[
    str,
    typer.Option(
        "--function",
        help="Name or ARN of the function (the stack's output FunctionName, or HookArn).",
    ),
]
QualifierOption = Annotated[
    str | None, typer.Option(help="Alias or version, such as live, if the host is to call that.")
]
ApplicationOption = Annotated[
    str | None,
    typer.Option(help="Pinpoint application (project): all its campaigns and its default hook."),
]
CampaignOption = Annotated[str | None, typer.Option(help="Only this campaign of the application.")]
AllOption = Annotated[
    bool, typer.Option("--all-applications", help="Every Pinpoint application of the account.")
]
ConnectOption = Annotated[
    str | None,
    typer.Option(
        "--connect-instance",
        help="Id or ARN of an Amazon Connect instance: its outbound campaigns.",
    ),
]
RegionOption = Annotated[
    str | None, typer.Option(help="AWS region; default: the ARN's, else as AWS tools find it.")
]
EndpointOption = Annotated[
    str | None, typer.Option(help="Address of a compatible service, in place of AWS.")
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Change nothing: show the calls and the policy. Needs no credentials when --function is an ARN.",
    ),
]


def command(
    *,
    function: FunctionOption,
    qualifier: QualifierOption = None,
    application_id: ApplicationOption = None,
    campaign_id: CampaignOption = None,
    all_applications: AllOption = False,
    connect_instance: ConnectOption = None,
    region: RegionOption = None,
    endpoint_url: EndpointOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Let a host call the function: one campaign, an application, the account, or a Connect instance. Doing it twice changes nothing."""
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415
    from segment_scorer.deploy.grant import find_function, grant  # noqa: PLC0415

    require_one_scope(application_id or campaign_id, all_applications, connect_instance)
    found = find_function(
        function, qualifier, region=region, endpoint_url=endpoint_url, offline=dry_run
    )
    statements = choose_statements(found.place, application_id, campaign_id, connect_instance)
    if dry_run:
        show_calls("AddPermission", found, statements)
        return
    change = grant(
        open_client("lambda", region=found.place.region, endpoint_url=endpoint_url),
        found,
        statements,
    )
    show_policy(found, statements)
    for warning in change.warnings:
        typer.echo(f"segment-scorer grant: {warning}", err=True)
    typer.echo(
        f"segment-scorer grant: {len(change.done)} added, {len(change.unchanged)} there already",
        err=True,
    )


def require_one_scope(*given: object) -> None:
    """Raise DeployError unless just one scope is given, before anything is asked of AWS."""
    if [bool(each) for each in given].count(True) != 1:
        raise DeployError(
            "expected one of --application-id (with or without --campaign-id), --all-applications and --connect-instance"
        )


def choose_statements(
    place: Place, application_id: str | None, campaign_id: str | None, connect_instance: str | None
) -> tuple[Statement, ...]:
    """The statements of the scope that the options name; with none of them, every application of the account."""
    return (
        allow_connect(place, connect_instance)
        if connect_instance
        else allow_pinpoint(place, application_id, campaign_id)
    )


def show_policy(function: Function, statements: tuple[Statement, ...]) -> None:
    """Print the statements, decoded, as the policy that holds them."""
    policy = {"Version": "2012-10-17", "Statement": [one.decode(function) for one in statements]}
    typer.echo(json.dumps(policy, indent=2))


def show_calls(operation: str, function: Function, statements: tuple[Statement, ...]) -> None:
    """Print the calls that would be made, and the statements they are about, as one JSON object."""
    remove = operation == "RemovePermission"
    parameters = [
        {**function.parameters(), "StatementId": one.sid} if remove else one.parameters(function)
        for one in statements
    ]
    calls = [
        {"service": "lambda", "operation": operation, "parameters": each} for each in parameters
    ]
    policy = {"Version": "2012-10-17", "Statement": [one.decode(function) for one in statements]}
    typer.echo(json.dumps({"calls": calls, "policy": policy}, indent=2))
