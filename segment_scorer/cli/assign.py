"""`segment-scorer assign`: give the function to a host, or list what the host has."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from segment_scorer.cli.grant import (
    ConnectOption,
    EndpointOption,
    PrincipalOption,
    QualifierOption,
    refuse_principal,
)
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.statements import ConnectPrincipal

ApplicationOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Pinpoint application (project).")
]
CampaignOption = Annotated[
    str | None,
    typer.Option(
        metavar="ID",
        help="Only this campaign. Default: the project's default hook, for all its campaigns.",
    ),
]
RegionOption = Annotated[
    str | None,
    typer.Option(metavar="REGION", help="AWS region. Default: the one that AWS tools would use."),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show the calls that would be made, change nothing. With --connect-instance it needs "
        "no credentials if --function is an ARN.",
    ),
]


def command(
    *,
    application_id: ApplicationOption = None,
    campaign_id: CampaignOption = None,
    connect_instance: ConnectOption = None,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="FUNCTION", help="Name or ARN of the function: the stack's output HookArn."
        ),
    ] = None,
    qualifier: QualifierOption = None,
    principal: PrincipalOption = ConnectPrincipal.CAMPAIGNS,
    list_all: Annotated[
        bool,
        typer.Option(
            "--list",
            help="List instead, separated by tabs: the hooks of the project and its campaigns "
            "(scope, id, mode, function, name), or what is registered with the Connect instance "
            "(kind, ARN).",
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace another hook that is set there.")
    ] = False,
    region: RegionOption = None,
    endpoint_url: EndpointOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Register the function with a Connect instance, or set it as the hook of a Pinpoint campaign.

    Connect: the instance's journeys can then choose the function as a custom action. Amazon Connect
    adds the permission to call it. Pinpoint: sets the hook (Mode FILTER) of a campaign or project.
    Refused unless grant has allowed this campaign or project to call the function.

    Example: segment-scorer assign --connect-instance INSTANCE_ID --function HOOK_ARN
    """
    from segment_scorer.cli.connect_functions import (  # noqa: PLC0415
        ConnectRequest,
        assign_function,
        print_integrations,
    )
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415

    require_one_host(application_id, connect_instance)
    if connect_instance is not None:
        if campaign_id is not None or replace:
            raise DeployError("--campaign-id and --replace: only with --application-id")
        if list_all:
            print_integrations(connect_instance, region=region, endpoint_url=endpoint_url)
            return
        assign_function(
            ConnectRequest(
                instance=connect_instance,
                function=function,
                qualifier=qualifier,
                principal=principal,
                region=region,
                endpoint_url=endpoint_url,
                dry_run=dry_run,
            )
        )
        return
    refuse_principal(principal)
    application = str(application_id)
    pinpoint = open_client("pinpoint", region=region, endpoint_url=endpoint_url)
    if list_all:
        print_hooks(pinpoint, application)
        return
    if function is None:
        raise DeployError("expected --function, or --list to see the hooks that are set")
    assign_hook(
        pinpoint,
        (application, campaign_id),
        (function, qualifier),
        endpoint_url=endpoint_url,
        replace=replace,
        dry_run=dry_run,
    )


def require_one_host(application_id: str | None, connect_instance: str | None) -> None:
    """Raise DeployError unless one host is named. AWS is not asked anything before."""
    given = sum(each is not None for each in (application_id, connect_instance))
    if given != 1:
        raise DeployError(
            "expected one of --application-id (with or without --campaign-id) and "
            f"--connect-instance, found {'both' if given else 'none'} of them"
        )


def assign_hook(
    pinpoint: Any,
    ids: tuple[str, str | None],
    named: tuple[str, str | None],
    *,
    endpoint_url: str | None,
    replace: bool,
    dry_run: bool,
) -> None:
    """Set the hook of a Pinpoint project or campaign.

    ids    application, and campaign if it is for one
    named  the function's name or ARN, and its alias unless the ARN names it
    """
    from segment_scorer.deploy.assign import (  # noqa: PLC0415
        CampaignHook,
        HookTarget,
        change_hook,
    )
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415
    from segment_scorer.deploy.grant import find_function, require_grant  # noqa: PLC0415

    region = pinpoint.meta.region_name  # hook and function are always in the same region
    found = find_function(*named, region=region, endpoint_url=endpoint_url)
    functions = open_client("lambda", region=region, endpoint_url=endpoint_url)
    require_grant(functions, found, *ids)
    target = HookTarget(application_id=ids[0], campaign_id=ids[1])
    hook = CampaignHook(function=found.arn)
    if dry_run:
        show_plan(pinpoint, target, hook, replace=replace)
        return
    done = change_hook(pinpoint, target, hook, replace=replace)
    result = "the hook is set" if done else "the hook was set already"
    typer.echo(f"segment-scorer assign: {result}", err=True)


def print_hooks(client: Any, application_id: str) -> None:
    """Print a line for each hook that is set, the project's own first."""
    from segment_scorer.deploy.assign import list_hooks  # noqa: PLC0415

    count = 0
    for target, hook, name in list_hooks(client, application_id):
        if hook is None:
            continue
        count += 1
        scope = "campaign" if target.campaign_id else "project"
        identifier = target.campaign_id or target.application_id
        typer.echo(f"{scope}\t{identifier}\t{hook.mode}\t{hook.function}\t{name}")
    typer.echo(f"segment-scorer assign: {count} hooks", err=True)


def show_plan(client: Any, target: Any, hook: Any, *, replace: bool) -> None:
    """Print the call that would be made, as JSON; an empty list if there is nothing to change."""
    from segment_scorer.deploy.assign import plan_change, read_settings  # noqa: PLC0415

    call = plan_change(read_settings(client, target), target, hook, replace=replace)
    calls = []
    if call is not None:
        calls = [
            {"service": "pinpoint", "operation": call.operation, "parameters": call.parameters}
        ]
    typer.echo(json.dumps({"calls": calls}, indent=2))
