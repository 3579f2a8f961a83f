"""`segment-scorer revoke`: remove the statements that `grant` added."""

from __future__ import annotations

import typer

from segment_scorer.cli.grant import (
    AllOption,
    ApplicationOption,
    CampaignOption,
    ConnectOption,
    DryRunOption,
    EndpointOption,
    FunctionOption,
    PrincipalOption,
    QualifierOption,
    RegionOption,
    choose_statements,
    require_one_scope,
    show_calls,
)
from segment_scorer.deploy.statements import ConnectPrincipal


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
    """Remove a grant of the same scope. A second run changes nothing.

    Run unassign first: Pinpoint sends nothing for a campaign whose hook it may not call.

    Example: segment-scorer revoke --function HOOK_ARN --connect-instance INSTANCE_ID
    """
    from segment_scorer.deploy.aws import open_client  # noqa: PLC0415
    from segment_scorer.deploy.grant import find_function, revoke  # noqa: PLC0415

    require_one_scope(application_id or campaign_id, all_applications, connect_instance)
    found = find_function(
        function, qualifier, region=region, endpoint_url=endpoint_url, offline=dry_run
    )
    statements = choose_statements(
        found.account, application_id, campaign_id, connect_instance, principal
    )
    if dry_run:
        show_calls("RemovePermission", found, statements)
        return
    client = open_client("lambda", region=found.account.region, endpoint_url=endpoint_url)
    change = revoke(client, found, statements)
    for warning in change.warnings:
        typer.echo(f"segment-scorer revoke: warning: {warning}", err=True)
    typer.echo(
        f"segment-scorer revoke: {len(change.done)} removed, {len(change.unchanged)} not there",
        err=True,
    )
