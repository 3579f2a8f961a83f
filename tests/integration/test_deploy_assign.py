"""Assign and unassign: projects against moto, campaigns (which moto lacks) against a Stubber."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from segment_scorer.cli.assign import print_hooks
from segment_scorer.cli.main import main
from segment_scorer.deploy.assign import (
    CampaignHook,
    HookTarget,
    change_hook,
    list_hooks,
    read_hook,
)
from segment_scorer.deploy.aws import open_client
from segment_scorer.deploy.errors import DeployError, MissingResource
from tests.aws import create_scorer, publish_live

APPLICATION = "a" * 32
CAMPAIGN = "c" * 32
TARGET = HookTarget(application_id=APPLICATION, campaign_id=CAMPAIGN)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:scorer"
HOOK = CampaignHook(function=ARN)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, so that no test can reach an account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def application() -> Iterator[tuple[Any, str]]:
    """Moto's Pinpoint with an application that has limits, and the function `scorer`."""
    with mock_aws():
        publish_live(create_scorer())
        client = open_client("pinpoint", region=None, endpoint_url=None)
        created = client.create_app(CreateApplicationRequest={"Name": "spring"})[
            "ApplicationResponse"
        ]["Id"]
        client.update_application_settings(
            ApplicationId=created, WriteApplicationSettingsRequest={"Limits": {"Daily": 3}}
        )
        yield client, created


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = open_client("pinpoint", region="us-east-1", endpoint_url=None)
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def campaign(**fields: Any) -> dict[str, Any]:
    """A campaign as GetCampaign gives it."""
    required = {
        "ApplicationId": APPLICATION,
        "Arn": "arn",
        "CreationDate": "d",
        "Id": CAMPAIGN,
        "LastModifiedDate": "d",
    }
    return {**required, "SegmentId": "s", "SegmentVersion": 1, "Name": "spring", **fields}


def holds(stubber: Stubber, **fields: Any) -> None:
    stubber.add_response(
        "get_campaign",
        {"CampaignResponse": campaign(**fields)},
        {"ApplicationId": APPLICATION, "CampaignId": CAMPAIGN},
    )


def is_updated(stubber: Stubber, hook: dict[str, str]) -> None:
    expected = {
        "ApplicationId": APPLICATION,
        "CampaignId": CAMPAIGN,
        "WriteCampaignRequest": {"Hook": hook},
    }
    stubber.add_response("update_campaign", {"CampaignResponse": campaign()}, expected)


def test_a_projects_hook_round_trips_and_its_other_settings_stay(
    application: tuple[Any, str],
) -> None:
    client, created = application
    target = HookTarget(application_id=created)
    assert change_hook(client, target, HOOK) is not None
    settings = client.get_application_settings(ApplicationId=created)["ApplicationSettingsResource"]
    assert settings["CampaignHook"] == {"LambdaFunctionName": ARN, "Mode": "FILTER"}
    assert settings["Limits"] == {"Daily": 3}
    assert change_hook(client, target, HOOK) is None
    assert change_hook(client, target, None) is not None
    settings = client.get_application_settings(ApplicationId=created)["ApplicationSettingsResource"]
    assert read_hook(settings) is None
    assert settings["Limits"] == {"Daily": 3}
    assert change_hook(client, target, None) is None


def test_the_verbs_set_and_clear_a_granted_hook_on_the_alias(
    application: tuple[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    client, created = application
    chosen = ["--application-id", created]
    function = ["--function", "scorer", "--qualifier", "live"]
    assert main(["assign", *chosen, *function]) == 1
    assert (
        "the function's policy has no grant for this campaign or project" in capsys.readouterr().err
    )
    assert main(["grant", *chosen, *function]) == 0
    capsys.readouterr()
    assert main(["assign", *chosen, *function, "--dry-run"]) == 0
    (call,) = json.loads(capsys.readouterr().out)["calls"]
    assert call["operation"] == "UpdateApplicationSettings"
    assert call["parameters"]["WriteApplicationSettingsRequest"] == {
        "CampaignHook": CampaignHook(function=f"{ARN}:live").parameters(),
        "Limits": {"Daily": 3},
    }
    assert (
        read_hook(
            client.get_application_settings(ApplicationId=created)["ApplicationSettingsResource"]
        )
        is None
    )
    assert main(["assign", *chosen, *function]) == 0
    assert read_hook(
        client.get_application_settings(ApplicationId=created)["ApplicationSettingsResource"]
    ) == CampaignHook(function=f"{ARN}:live")
    assert main(["unassign", *chosen]) == 0
    assert main(["unassign", *chosen]) == 0
    assert "no hook was set" in capsys.readouterr().err
    assert main(["revoke", *chosen, *function]) == 0
    assert "2 removed" in capsys.readouterr().err


def test_a_function_that_does_not_exist_is_never_assigned(
    application: tuple[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["assign", "--application-id", application[1], "--function", "nobody"]) == 1
    assert "expected a function of this name" in capsys.readouterr().err


def test_a_function_of_another_region_is_never_assigned(
    application: tuple[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "assign",
                "--application-id",
                application[1],
                "--function",
                ARN.replace("us-east-1", "eu-west-1"),
            ]
        )
        == 1
    )
    assert "found an ARN of another region" in capsys.readouterr().err


def test_a_campaigns_hook_is_set_by_naming_nothing_else(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    holds(stubber)
    is_updated(stubber, {"LambdaFunctionName": ARN, "Mode": "FILTER"})
    holds(stubber, Hook={"LambdaFunctionName": ARN, "Mode": "FILTER"}, Version=2)
    assert change_hook(client, TARGET, HOOK) is not None


def test_a_hook_that_is_set_already_is_not_written_again(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    holds(stubber, Hook={"LambdaFunctionName": ARN, "Mode": "FILTER"})
    assert change_hook(client, TARGET, HOOK) is None


def test_a_campaigns_hook_is_cleared(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    holds(stubber, Hook={"LambdaFunctionName": ARN, "Mode": "FILTER"})
    is_updated(stubber, {})
    holds(stubber, Hook={})
    assert change_hook(client, TARGET, None) is not None


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (
            {"LambdaFunctionName": ARN, "Mode": "DELIVERY"},
            "a hook in Mode DELIVERY is set, which Pinpoint has not called since 2020",
        ),
        (
            {"LambdaFunctionName": "another", "Mode": "FILTER"},
            "another function or address is set as the hook; give --replace",
        ),
        (
            {"WebUrl": "https://example.com/hook"},
            "another function or address is set as the hook; give --replace",
        ),
    ],
)
def test_another_hook_is_replaced_only_when_told(
    stubbed: tuple[Any, Stubber], hook: dict[str, str], words: str
) -> None:
    client, stubber = stubbed
    holds(stubber, Hook=hook)
    with pytest.raises(DeployError, match=words):
        change_hook(client, TARGET, HOOK)
    holds(stubber, Hook=hook)
    is_updated(stubber, HOOK.parameters())
    holds(stubber, Hook=HOOK.parameters())
    assert change_hook(client, TARGET, HOOK, replace=True) is not None


def test_a_campaign_that_does_not_exist_is_one_sentence(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    stubber.add_client_error("get_campaign", "NotFoundException")
    with pytest.raises(
        MissingResource,
        match=r"expected a campaign of this id in the application in this account .* found none",
    ):
        change_hook(client, TARGET, HOOK)


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ({}, "no hook"),
        (
            {"Hook": {"LambdaFunctionName": "another", "Mode": "FILTER"}},
            "a hook that was not asked for",
        ),
    ],
)
def test_a_service_that_does_not_do_as_it_says_is_found_out(
    stubbed: tuple[Any, Stubber], after: dict[str, Any], found: str
) -> None:
    client, stubber = stubbed
    holds(stubber)
    is_updated(stubber, HOOK.parameters())
    holds(stubber, **after)
    with pytest.raises(DeployError, match=f"accepted the change, but {found} is set now"):
        change_hook(client, TARGET, HOOK)


def test_a_setting_that_is_lost_on_the_way_is_named(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    holds(stubber, Limits={"Daily": 3}, Schedule={"StartTime": "IMMEDIATE"})
    is_updated(stubber, HOOK.parameters())
    holds(stubber, Hook=HOOK.parameters(), Limits={"Daily": 0})
    with pytest.raises(DeployError) as caught:
        change_hook(client, TARGET, HOOK)
    assert "other settings changed with it (Limits, Schedule)" in str(caught.value)


def test_a_throttled_change_leaves_the_former_hook_and_says_what_to_do(
    stubbed: tuple[Any, Stubber],
) -> None:
    client, stubber = stubbed
    holds(stubber)
    stubber.add_client_error("update_campaign", "TooManyRequestsException")
    with pytest.raises(DeployError, match="run the same command again"):
        change_hook(client, TARGET, HOOK)


def test_the_list_walks_every_page_and_shows_the_project_first(
    stubbed: tuple[Any, Stubber],
) -> None:
    client, stubber = stubbed
    settings = {
        "ApplicationSettingsResource": {
            "ApplicationId": APPLICATION,
            "CampaignHook": HOOK.parameters(),
        }
    }
    stubber.add_response("get_application_settings", settings, {"ApplicationId": APPLICATION})
    pages = [
        ({"Item": [campaign(Hook={})], "NextToken": "t"}, {}),
        ({"Item": [campaign(Id="d" * 32, Hook=HOOK.parameters())]}, {"Token": "t"}),
    ]
    for page, token in pages:
        stubber.add_response(
            "get_campaigns",
            {"CampaignsResponse": page},
            {"ApplicationId": APPLICATION, "PageSize": "100", **token},
        )
    assert [
        (target.campaign_id, hook, name) for target, hook, name in list_hooks(client, APPLICATION)
    ] == [
        (None, HOOK, ""),
        (CAMPAIGN, None, "spring"),
        ("d" * 32, HOOK, "spring"),
    ]


def test_the_list_prints_a_line_a_hook_with_tabs_and_leaves_out_places_without_one(
    stubbed: tuple[Any, Stubber], capsys: pytest.CaptureFixture[str]
) -> None:
    client, stubber = stubbed
    settings = {
        "ApplicationSettingsResource": {
            "ApplicationId": APPLICATION,
            "CampaignHook": HOOK.parameters(),
        }
    }
    stubber.add_response("get_application_settings", settings, {"ApplicationId": APPLICATION})
    page = {
        "Item": [
            campaign(Hook={}),
            campaign(Id="d" * 32, Hook={"LambdaFunctionName": "old", "Mode": "DELIVERY"}),
        ]
    }
    stubber.add_response(
        "get_campaigns",
        {"CampaignsResponse": page},
        {"ApplicationId": APPLICATION, "PageSize": "100"},
    )
    print_hooks(client, APPLICATION)
    printed = capsys.readouterr()
    assert [line.split("\t") for line in printed.out.splitlines()] == [
        ["project", APPLICATION, "FILTER", ARN, ""],
        ["campaign", "d" * 32, "DELIVERY", "old", "spring"],
    ]
    assert "2 hooks" in printed.err


def test_without_a_function_and_without_list_the_verb_says_what_it_expects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["assign", "--application-id", APPLICATION]) == 1
    assert "expected --function, or --list" in capsys.readouterr().err


def test_an_endpoint_url_that_is_none_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unassign", "--application-id", APPLICATION, "--endpoint-url", "nonsense"]) == 1
    assert "--endpoint-url: expected a URL" in capsys.readouterr().err
