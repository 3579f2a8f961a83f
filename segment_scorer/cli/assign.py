"""`segment-scorer assign`: set the hook of a campaign or a project, or list hooks."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from segment_scorer.cli.grant import EndpointOption, QualifierOption
from segment_scorer.deploy.errors import DeployError

ApplicationOption = Annotated[
    str, typer.Option(metavar="ID", help="Pinpoint application (project).")
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
    bool, typer.Option("--dry-run", help="Show the call that would be made, change nothing.")
]


def command(
    *,
    application_id: ApplicationOption,
    campaign_id: CampaignOption = None,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="FUNCTION", help="Name or ARN of the function: the stack's output HookArn."
        ),
    ] = None,
    qualifier: QualifierOption = None,
    list_hooks: Annotated[
        bool,
        typer.Option(
            "--list",
            help="List the hooks of the project and its campaigns instead: "
            "scope, id, mode, function and name, separated by tabs.",
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace another hook that is set there.")
    ] = False,
    region: RegionOption = None,
    endpoint_url: EndpointOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Set the function as the hook (Mode FILTER) of a Pinpoint campaign or project.

    Refused unless the function exists and grant has allowed this campaign or project to call it.

    Example: segment-scorer assign --application-id APPLICATION_ID --function HOOK_ARN
    """
    from segment_scorer.deploy.assign import (  # noqa: PLC0415
        CampaignHook,
        HookTarget,
        change_hook,
    )
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415
    from segment_scorer.deploy.grant import find_function, require_grant  # noqa: PLC0415

    pinpoint = open_client("pinpoint", region=region, endpoint_url=endpoint_url)
    if list_hooks:
        print_hooks(pinpoint, application_id)
        return
    if function is None:
        raise DeployError("expected --function, or --list to see the hooks that are set")
    region = pinpoint.meta.region_name  # hook and function are always in the same region
    found = find_function(function, qualifier, region=region, endpoint_url=endpoint_url)
    functions = open_client("lambda", region=region, endpoint_url=endpoint_url)
    require_grant(functions, found, application_id, campaign_id)
    target = HookTarget(application_id=application_id, campaign_id=campaign_id)
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
