"""`segment-scorer unassign`: take the function from a host."""

from __future__ import annotations

from typing import Annotated

import typer

from segment_scorer.cli.assign import (
    ApplicationOption,
    CampaignOption,
    DryRunOption,
    RegionOption,
    require_one_host,
    show_plan,
)
from segment_scorer.cli.grant import ConnectOption, EndpointOption, QualifierOption
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.statements import ConnectPrincipal


def command(
    *,
    application_id: ApplicationOption = None,
    campaign_id: CampaignOption = None,
    connect_instance: ConnectOption = None,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="FUNCTION",
            help="With --connect-instance, the function to remove: its name or ARN.",
        ),
    ] = None,
    qualifier: QualifierOption = None,
    region: RegionOption = None,
    endpoint_url: EndpointOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Remove the function from a Connect instance, or clear the hook of a Pinpoint campaign.

    Connect: journeys that still name the function fail at that block, so change them first.
    Pinpoint: clears the hook of a campaign or project, whichever function it names. A second run
    changes nothing.

    Example: segment-scorer unassign --connect-instance INSTANCE_ID --function HOOK_ARN
    """
    from segment_scorer.cli.connect_functions import (  # noqa: PLC0415
        ConnectRequest,
        unassign_function,
    )
    from segment_scorer.deploy.assign import HookTarget, change_hook  # noqa: PLC0415
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415

    require_one_host(application_id, connect_instance)
    if connect_instance is not None:
        if campaign_id is not None:
            raise DeployError("--campaign-id: only with --application-id")
        unassign_function(
            ConnectRequest(
                instance=connect_instance,
                function=function,
                qualifier=qualifier,
                principal=ConnectPrincipal.CAMPAIGNS,
                region=region,
                endpoint_url=endpoint_url,
                dry_run=dry_run,
            )
        )
        return
    if function is not None or qualifier is not None:
        raise DeployError("--function and --qualifier: only with --connect-instance")
    client = open_client("pinpoint", region=region, endpoint_url=endpoint_url)
    target = HookTarget(application_id=str(application_id), campaign_id=campaign_id)
    if dry_run:
        show_plan(client, target, None, replace=True)
        return
    done = change_hook(client, target, None)
    result = "the hook is cleared" if done else "no hook was set"
    typer.echo(f"segment-scorer unassign: {result}", err=True)
