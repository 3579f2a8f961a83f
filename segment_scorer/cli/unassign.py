"""`segment-scorer unassign`: clear the hook of a campaign or a project."""

from __future__ import annotations

import typer

from segment_scorer.cli.assign import (
    ApplicationOption,
    CampaignOption,
    DryRunOption,
    RegionOption,
    show_plan,
)
from segment_scorer.cli.grant import EndpointOption


def command(
    *,
    application_id: ApplicationOption,
    campaign_id: CampaignOption = None,
    region: RegionOption = None,
    endpoint_url: EndpointOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Clear the hook of a Pinpoint campaign or project, whichever function it names.

    A second run changes nothing.

    Example: segment-scorer unassign --application-id APPLICATION_ID
    """
    from segment_scorer.deploy.assign import HookTarget, change_hook  # noqa: PLC0415
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415

    client = open_client("pinpoint", region=region, endpoint_url=endpoint_url)
    target = HookTarget(application_id=application_id, campaign_id=campaign_id)
    if dry_run:
        show_plan(client, target, None, replace=True)
        return
    done = change_hook(client, target, None)
    result = "the hook is cleared" if done else "no hook was set"
    typer.echo(f"segment-scorer unassign: {result}", err=True)
