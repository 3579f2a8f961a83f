"""Sets, clears and lists the hook of a Pinpoint campaign (`Hook`) or of a project (`CampaignHook`). Mode is always FILTER.

Takes a Pinpoint client and ids. Reads before it writes, writes only a difference, and reads the answer: what the service did otherwise
than asked is an error that says what stands. Mode DELIVERY has done nothing since 2020 and is never overwritten unasked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segment_scorer.deploy.aws import translated
from segment_scorer.deploy.errors import DeployError

# What of the settings can be read can be written back: AWS says nowhere whether settings left out of the request are kept.
CARRIED = ("Limits", "QuietTime", "JourneyLimits")
# What an answer may change without anything being lost.
VOLATILE = {"Hook", "CampaignHook", "LastModifiedDate", "Version", "State", "DefaultState"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A hook as the service holds it: a function's name or ARN, and the mode."""

    function: str
    mode: str = "FILTER"

    def parameters(self) -> dict[str, str]:
        """As the service takes it."""
        return {"LambdaFunctionName": self.function, "Mode": self.mode}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a hook is set: on a campaign, or (no campaign) on the project, as the default of all its campaigns."""

    application_id: str
    campaign_id: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The resources on whose behalf Pinpoint must be allowed to call, as permissions name them.

        A project's default hook needs the application itself and whatever lies within it; `any` stands for that, and is no wildcard, so
        that only a statement with one covers it.
        """
        application = f"apps/{self.application_id}"
        return (
            (f"{application}/campaigns/{self.campaign_id}",)
            if self.campaign_id
            else (application, f"{application}/any")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that would change something, for `--dry-run`."""

    operation: str
    parameters: dict[str, Any]


def read_hook(settings: Mapping[str, Any]) -> Hook | None:
    """The hook in a campaign or in a project's settings, if there is one."""
    found = settings.get("Hook") or settings.get("CampaignHook") or {}
    if not (found.get("LambdaFunctionName") or found.get("WebUrl")):
        return None
    return Hook(function=found.get("LambdaFunctionName", ""), mode=found.get("Mode", "FILTER"))


def read_settings(client: Any, target: Target) -> dict[str, Any]:
    """The campaign, or the project's settings. Raises MissingResource when there is none."""
    if target.campaign_id:
        with translated("read the campaign", missing="a campaign of this id in the application"):
            return dict(
                client.get_campaign(
                    ApplicationId=target.application_id, CampaignId=target.campaign_id
                )["CampaignResponse"]
            )
    with translated("read the application's settings", missing="an application of this id"):
        return dict(
            client.get_application_settings(ApplicationId=target.application_id)[
                "ApplicationSettingsResource"
            ]
        )


def plan_change(
    settings: Mapping[str, Any], target: Target, hook: Hook | None, *, replace: bool = False
) -> Call | None:
    """The call that sets `hook` (None clears it); None when it is so already.

    Raises DeployError when another hook is in the way and `replace` does not say that it may go.
    """
    present = read_hook(settings)
    if present == hook:
        return None
    if hook is not None and present is not None and not replace:
        if present.mode == "DELIVERY":
            raise DeployError(
                "a hook in Mode DELIVERY is set, which Pinpoint has not called since 2020; give --replace to put this one in its place"
            )
        raise DeployError(
            "another function is set as the hook; give --replace to put this one in its place"
        )
    parameters: dict[str, str] = hook.parameters() if hook else {}
    if target.campaign_id:
        request: dict[str, Any] = {"Hook": parameters}
        return Call(
            operation="UpdateCampaign",
            parameters={
                "ApplicationId": target.application_id,
                "CampaignId": target.campaign_id,
                "WriteCampaignRequest": request,
            },
        )
    request = {
        "CampaignHook": parameters,
        **{name: settings[name] for name in CARRIED if settings.get(name)},
    }
    return Call(
        operation="UpdateApplicationSettings",
        parameters={
            "ApplicationId": target.application_id,
            "WriteApplicationSettingsRequest": request,
        },
    )


def change_hook(
    client: Any, target: Target, hook: Hook | None, *, replace: bool = False
) -> Call | None:
    """Set the hook, or clear it when None. Gives the call made, or None when there was nothing to do."""
    before = read_settings(client, target)
    call = plan_change(before, target, hook, replace=replace)
    if call is None:
        return None
    with translated("change the hook"):
        if target.campaign_id:
            client.update_campaign(**call.parameters)
        else:
            client.update_application_settings(**call.parameters)
    check_change(before, read_settings(client, target), hook)
    return call


def check_change(before: Mapping[str, Any], after: Mapping[str, Any], hook: Hook | None) -> None:
    """Raise DeployError, saying what stands, when the service did otherwise than asked."""
    if read_hook(after) != hook:
        stands = (
            "its former hook"
            if read_hook(after) == read_hook(before)
            else "a hook that was not asked for"
            if read_hook(after)
            else "no hook"
        )
        raise DeployError(
            f"the service took the request and holds {stands}: list the hooks, and check that nobody else is changing them"
        )
    lost = sorted(
        name for name in before if name not in VOLATILE and before[name] != after.get(name)
    )
    if lost:
        raise DeployError(
            f"the hook is set as asked, but the service changed other settings with it ({', '.join(lost)}): set them again"
        )


def list_hooks(client: Any, application_id: str) -> Iterator[tuple[Target, Hook | None, str]]:
    """The project's own hook first, then every campaign: where, which, and the campaign's name."""
    target = Target(application_id=application_id)
    yield target, read_hook(read_settings(client, target)), ""
    page: dict[str, str] = {}
    while True:
        with translated("list the campaigns", missing="an application of this id"):
            answer = client.get_campaigns(ApplicationId=application_id, PageSize="100", **page)[
                "CampaignsResponse"
            ]
            campaigns = answer["Item"]
        for campaign in campaigns:
            yield (
                Target(application_id=application_id, campaign_id=campaign["Id"]),
                read_hook(campaign),
                campaign.get("Name", ""),
            )
        if not answer.get("NextToken"):
            return
        page = {"Token": answer["NextToken"]}
