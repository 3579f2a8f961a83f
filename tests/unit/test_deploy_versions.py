"""Old versions of the deployed function are deleted, and none that an alias names."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws

from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.versions import choose_old, prune_versions

LIVE = {"Name": "live", "FunctionVersion": "2"}


@pytest.mark.parametrize(
    ("numbers", "aliases", "old"),
    [
        ([], [], []),
        ([3, 1, 2], [], []),
        ([4, 1, 3, 2], [], [1]),
        ([1, 2, 3, 4, 5, 6], [LIVE], [1, 3]),
        (
            [1, 2, 3, 4, 5, 6],
            [{**LIVE, "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}}}],
            [1],
        ),
        ([9, 10, 11, 2], [], [2]),
    ],
)
def test_the_newest_stay_and_whatever_an_alias_names(
    numbers: list[int], aliases: list[dict[str, Any]], old: list[int]
) -> None:
    assert choose_old(numbers, aliases, kept=3) == old


@mock_aws
def test_what_is_no_function_of_the_account_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with pytest.raises(DeployError, match="found none"):
        prune_versions(boto3.client("lambda", region_name="us-east-1"), "nobody")


@mock_aws
def test_old_versions_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    role = boto3.client("iam", region_name="us-east-1").create_role(
        RoleName="role", AssumeRolePolicyDocument="{}"
    )["Role"]["Arn"]
    client = boto3.client("lambda", region_name="us-east-1")
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scorer@sha256:"
    client.create_function(
        FunctionName="scorer", PackageType="Image", Code={"ImageUri": image + "0" * 64}, Role=role
    )
    for digit in "1234":
        client.update_function_code(FunctionName="scorer", ImageUri=image + digit * 64)
        client.publish_version(FunctionName="scorer")
    client.create_alias(FunctionName="scorer", Name="live", FunctionVersion="1")
    assert prune_versions(client, "scorer", kept=2) == 1
    left = client.list_versions_by_function(FunctionName="scorer")["Versions"]
    assert [each["Version"] for each in left] == ["$LATEST", "1", "3", "4"]
