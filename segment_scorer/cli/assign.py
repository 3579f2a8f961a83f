"""`segment-scorer assign`: sets the function as the hook of a campaign or a project, or lists where hooks are set."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from segment_scorer.cli.grant import EndpointOption, QualifierOption
from segment_scorer.deploy.errors import DeployError

ApplicationOption = Annotated[str, typer.Option(help="Pinpoint application (project).")]
CampaignOption = Annotated[
    str | None,
    typer.Option(
        help="Only this campaign; without it, the default of all campaigns of the application."
    ),
]
RegionOption = Annotated[
    str | None, typer.Option(help="AWS region; default: as AWS tools find it.")
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Read, but change nothing: show the call that would be made."),
]


def command(
    *,
    application_id: ApplicationOption,
    campaign_id: CampaignOption = None,
    function: Annotated[
        str | None, typer.Option(help="Name or ARN of the function (the stack's output HookArn).")
    ] = None,
    qualifier: QualifierOption = None,
    list_hooks: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Show where hooks are set: place, id, mode, function, name, separated by tabs.",
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put this function in the place of another hook.")
    ] = False,
    region: RegionOption = None,
    endpoint_url: EndpointOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Make the function the hook (Mode FILTER) of a campaign, or of a project. Refused while the function may not be called for it."""
    from segment_scorer.deploy.assign import Hook, Target, change_hook  # noqa: PLC0415
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415
    from segment_scorer.deploy.grant import find_function, require_grant  # noqa: PLC0415

    pinpoint = open_client("pinpoint", region=region, endpoint_url=endpoint_url)
    if list_hooks:
        print_hooks(pinpoint, application_id)
        return
    if function is None:
        raise DeployError("expected --function, or --list to see where hooks are set")
    region = pinpoint.meta.region_name  # the hook and its function are of one region
    found = find_function(function, qualifier, region=region, endpoint_url=endpoint_url)
    target = Target(application_id=application_id, campaign_id=campaign_id)
    require_grant(
        open_client("lambda", region=region, endpoint_url=endpoint_url), found, target.sources
    )
    hook = Hook(function=found.arn)
    if dry_run:
        show_plan(pinpoint, target, hook, replace=replace)
        return
    done = change_hook(pinpoint, target, hook, replace=replace)
    typer.echo(
        f"segment-scorer assign: {'the hook is set' if done else 'the hook was set already'}",
        err=True,
    )


def print_hooks(client: Any, application_id: str) -> None:
    """Print one line a hook, the project's own first; places without a hook are left out."""
    from segment_scorer.deploy.assign import list_hooks  # noqa: PLC0415

    found = 0
    for target, hook, name in list_hooks(client, application_id):
        if hook is not None:
            found += 1
            place = (
                ("campaign", target.campaign_id)
                if target.campaign_id
                else ("project", target.application_id)
            )
            typer.echo("\t".join([place[0], place[1] or "", hook.mode, hook.function, name]))
    typer.echo(f"segment-scorer assign: {found} hooks", err=True)


def show_plan(client: Any, target: Any, hook: Any, *, replace: bool) -> None:
    """Print the call that would be made, as JSON; an empty list when there is nothing to do."""
    from segment_scorer.deploy.assign import plan_change, read_settings  # noqa: PLC0415

    call = plan_change(read_settings(client, target), target, hook, replace=replace)
    calls = (
        []
        if call is None
        else [{"service": "pinpoint", "operation": call.operation, "parameters": call.parameters}]
    )
    typer.echo(json.dumps({"calls": calls}, indent=2))
