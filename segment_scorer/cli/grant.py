"""`segment-scorer grant`: let a host call the function, or show the calls that would do it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.statements import (
    AwsAccount,
    ConnectPrincipal,
    LambdaFunction,
    Statement,
    allow_connect,
    allow_pinpoint,
)

FunctionOption = Annotated[
    str,
    typer.Option(
        "--function",
        metavar="FUNCTION",
        help="Name or ARN of the function: the stack's output HookArn, or FunctionName.",
    ),
]
QualifierOption = Annotated[
    str | None,
    typer.Option(
        metavar="ALIAS", help="Alias or version that the host calls, unless the ARN names it."
    ),
]
ApplicationOption = Annotated[
    str | None,
    typer.Option(
        metavar="ID",
        help="Pinpoint application (project): its default hook and all its campaigns.",
    ),
]
CampaignOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Only this campaign of the application.")
]
AllOption = Annotated[
    bool, typer.Option("--all-applications", help="Every Pinpoint application of the account.")
]
ConnectOption = Annotated[
    str | None,
    typer.Option(
        "--connect-instance",
        metavar="ID",
        help="Id or ARN of an Amazon Connect instance: its outbound campaigns.",
    ),
]
PrincipalOption = Annotated[
    ConnectPrincipal,
    typer.Option(
        help="With --connect-instance, the service that calls. AWS documents the default; "
        "public code also names the other one. Docs: connect.md.",
    ),
]
RegionOption = Annotated[
    str | None,
    typer.Option(
        metavar="REGION",
        help="AWS region. Default: the ARN's, else the one that AWS tools would use.",
    ),
]
EndpointOption = Annotated[
    str | None, typer.Option(metavar="URL", help="Address of a compatible service instead of AWS.")
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show the calls and the policy, change nothing. "
        "Needs no credentials if --function is an ARN.",
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
    principal: PrincipalOption = ConnectPrincipal.CAMPAIGNS,
    region: RegionOption = None,
    endpoint_url: EndpointOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Let a host call the function, for the scope that the options name.

    The scope is one of: a Pinpoint campaign, an application, every application of the account, or
    an Amazon Connect instance. A second run changes nothing. Prints the statements of the policy.

    Example: segment-scorer grant --function HOOK_ARN --connect-instance INSTANCE_ID
    """
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415
    from segment_scorer.deploy.grant import find_function, grant  # noqa: PLC0415

    require_one_scope(application_id or campaign_id, all_applications, connect_instance)
    found = find_function(
        function, qualifier, region=region, endpoint_url=endpoint_url, offline=dry_run
    )
    statements = choose_statements(
        found.account, application_id, campaign_id, connect_instance, principal
    )
    if dry_run:
        show_calls("AddPermission", found, statements)
        return
    client = open_client("lambda", region=found.account.region, endpoint_url=endpoint_url)
    change = grant(client, found, statements)
    typer.echo(json.dumps(make_policy(found, statements), indent=2))
    for warning in change.warnings:
        typer.echo(f"segment-scorer grant: warning: {warning}", err=True)
    typer.echo(
        f"segment-scorer grant: {len(change.done)} added, {len(change.unchanged)} already there",
        err=True,
    )


def require_one_scope(*scopes: object) -> None:
    """Raise DeployError unless exactly one scope is given. AWS is not asked anything before."""
    given = sum(map(bool, scopes))
    if given != 1:
        raise DeployError(
            "expected one of --application-id (with or without --campaign-id), "
            f"--all-applications and --connect-instance, found {given or 'none'} of them"
        )


def refuse_principal(principal: ConnectPrincipal) -> None:
    """Raise DeployError for a principal that is given for another host than Amazon Connect."""
    if principal is not ConnectPrincipal.CAMPAIGNS:
        raise DeployError("--principal: only with --connect-instance")


def choose_statements(
    account: AwsAccount,
    application_id: str | None,
    campaign_id: str | None,
    connect_instance: str | None,
    principal: ConnectPrincipal,
) -> tuple[Statement, ...]:
    """The statements of the scope that is given; without one, every application's."""
    if connect_instance:
        return allow_connect(account, connect_instance, principal)
    refuse_principal(principal)
    return allow_pinpoint(account, application_id, campaign_id)


def make_policy(function: LambdaFunction, statements: tuple[Statement, ...]) -> dict[str, object]:
    """The policy document that holds the statements."""
    return {"Version": "2012-10-17", "Statement": [one.decode(function) for one in statements]}


def show_calls(operation: str, function: LambdaFunction, statements: tuple[Statement, ...]) -> None:
    """Print, as one JSON object, the calls that would be made and the policy they concern."""
    parameters = [
        {**function.parameters(), "StatementId": one.sid}
        if operation == "RemovePermission"
        else one.parameters(function)
        for one in statements
    ]
    calls = [
        {"service": "lambda", "operation": operation, "parameters": each} for each in parameters
    ]
    typer.echo(json.dumps({"calls": calls, "policy": make_policy(function, statements)}, indent=2))
