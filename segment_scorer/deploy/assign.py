"""Set, clear and list the hooks of a Pinpoint project and its campaigns. Mode is always FILTER.

Takes a Pinpoint client and ids. Reads before writing, writes only a difference, and reads back. If
the result differs from the request, it raises and reports the actual state. Mode DELIVERY has had
no effect since 2020; a hook in that mode is only replaced on request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segment_scorer.deploy.aws import translate_errors
from segment_scorer.deploy.errors import DeployError

# Sent back with every change: AWS does not say whether settings left out of a request are kept.
WRITTEN_BACK = ("Limits", "QuietTime", "JourneyLimits")
# These change with every write, so a difference in them is not a loss.
VOLATILE = {"Hook", "CampaignHook", "LastModifiedDate", "Version", "State", "DefaultState"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignHook:
    """A hook as Pinpoint stores it: a function's name or ARN, and a mode."""

    function: str
    mode: str = "FILTER"

    def parameters(self) -> dict[str, str]:
        """The hook in the form of Pinpoint's API."""
        return {"LambdaFunctionName": self.function, "Mode": self.mode}


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTarget:
    """Where a hook is set: on a campaign or, without one, on the project as its default."""

    application_id: str
    campaign_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A call of Pinpoint's API that would change something."""

    operation: str
    parameters: dict[str, Any]


def read_hook(settings: Mapping[str, Any]) -> CampaignHook | None:
    """The hook in a campaign or in a project's settings, or None."""
    found = settings.get("Hook") or settings.get("CampaignHook") or {}
    if not (found.get("LambdaFunctionName") or found.get("WebUrl")):
        return None
    return CampaignHook(
        function=found.get("LambdaFunctionName", ""), mode=found.get("Mode", "FILTER")
    )


def read_settings(client: Any, target: HookTarget) -> dict[str, Any]:
    """The campaign, or the project's settings. Raises MissingResource when it does not exist."""
    ids = {"ApplicationId": target.application_id}
    if target.campaign_id:
        ids["CampaignId"] = target.campaign_id
        with translate_errors(
            "read the campaign", missing="a campaign of this id in the application"
        ):
            return dict(client.get_campaign(**ids)["CampaignResponse"])
    with translate_errors("read the application's settings", missing="an application of this id"):
        return dict(client.get_application_settings(**ids)["ApplicationSettingsResource"])


def plan_change(
    settings: Mapping[str, Any],
    target: HookTarget,
    hook: CampaignHook | None,
    *,
    replace: bool = False,
) -> PlannedCall | None:
    """The call that sets `hook` (None clears it); None when it is set already.

    Raises DeployError when another hook is set and `replace` is false.
    """
    present = read_hook(settings)
    if present == hook:
        return None
    if hook and present and not replace:
        found = (
            "a hook in Mode DELIVERY is set, which Pinpoint has not called since 2020"
            if present.mode == "DELIVERY"
            else "another function or address is set as the hook"
        )
        raise DeployError(f"{found}; give --replace to set this function instead")
    parameters = hook.parameters() if hook else {}
    ids = {"ApplicationId": target.application_id}
    if target.campaign_id:
        ids["CampaignId"] = target.campaign_id
        request: dict[str, Any] = {"WriteCampaignRequest": {"Hook": parameters}}
        return PlannedCall(operation="UpdateCampaign", parameters={**ids, **request})
    kept = {name: settings[name] for name in WRITTEN_BACK if settings.get(name)}
    request = {"WriteApplicationSettingsRequest": {"CampaignHook": parameters, **kept}}
    return PlannedCall(operation="UpdateApplicationSettings", parameters={**ids, **request})


def change_hook(
    client: Any, target: HookTarget, hook: CampaignHook | None, *, replace: bool = False
) -> PlannedCall | None:
    """Set the hook, or clear it when None. Gives the call made, or None if no change was needed."""
    before = read_settings(client, target)
    call = plan_change(before, target, hook, replace=replace)
    if call is None:
        return None
    with translate_errors("change the hook"):
        if target.campaign_id:
            client.update_campaign(**call.parameters)
        else:
            client.update_application_settings(**call.parameters)
    check_change(before, read_settings(client, target), hook)
    return call


def check_change(
    before: Mapping[str, Any], after: Mapping[str, Any], hook: CampaignHook | None
) -> None:
    """Raise DeployError when the settings after the change are not the requested ones."""
    present = read_hook(after)
    if present != hook:
        found = (
            "the previous hook"
            if present and present == read_hook(before)
            else "a hook that was not asked for"
            if present
            else "no hook"
        )
        raise DeployError(
            f"Pinpoint accepted the change, but {found} is set now; list the hooks, and check "
            "that nobody else is changing them"
        )
    lost = sorted(
        name for name in before if name not in VOLATILE and before[name] != after.get(name)
    )
    if lost:
        raise DeployError(
            f"the hook is set as asked, but other settings changed with it ({', '.join(lost)}); "
            "set them again"
        )


def list_hooks(
    client: Any, application_id: str
) -> Iterator[tuple[HookTarget, CampaignHook | None, str]]:
    """The project's default hook, then every campaign's, each with the campaign's name."""
    target = HookTarget(application_id=application_id)
    yield target, read_hook(read_settings(client, target)), ""
    token: dict[str, str] = {}
    while True:
        with translate_errors("list the campaigns", missing="an application of this id"):
            answer = client.get_campaigns(ApplicationId=application_id, PageSize="100", **token)[
                "CampaignsResponse"
            ]
            campaigns = answer["Item"]
        for campaign in campaigns:
            yield (
                HookTarget(application_id=application_id, campaign_id=campaign["Id"]),
                read_hook(campaign),
                campaign.get("Name", ""),
            )
        if not answer.get("NextToken"):
            return
        token = {"Token": answer["NextToken"]}
