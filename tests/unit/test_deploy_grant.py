"""Grant and revoke: against moto's Lambda, and against a Stubber for qualifiers and failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from segment_scorer.cli.main import main
from segment_scorer.deploy.assign import HookTarget
from segment_scorer.deploy.aws import open_client
from segment_scorer.deploy.errors import DeployError, MissingResource
from segment_scorer.deploy.grant import find_function, grant, read_policy, require_grant, revoke
from segment_scorer.deploy.statements import (
    AwsAccount,
    ConnectPrincipal,
    LambdaFunction,
    Statement,
    allow_connect,
    allow_pinpoint,
)
from tests.aws import create_scorer

ACCOUNT = AwsAccount(partition="aws", region="us-east-1", number="123456789012")
FUNCTION = LambdaFunction(account=ACCOUNT, name="scorer")
LIVE = LambdaFunction(account=ACCOUNT, name="scorer", qualifier="live")
APPLICATION = "a" * 32
CAMPAIGN = "c" * 32
INSTANCE = "12345678-1234-1234-1234-123456789abc"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, so that no test can reach an account."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def lambda_client() -> Iterator[Any]:
    """Moto's Lambda with one function, `scorer`, from an image."""
    with mock_aws():
        yield create_scorer()


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = open_client("lambda", region="us-east-1", endpoint_url=None)
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def test_a_grant_is_what_the_policy_then_says(lambda_client: Any) -> None:
    statements = (
        *allow_pinpoint(ACCOUNT, APPLICATION, CAMPAIGN),
        *allow_connect(ACCOUNT, INSTANCE),
    )
    change = grant(lambda_client, FUNCTION, statements)
    assert (change.done, change.unchanged, change.warnings) == (statements, (), ())
    assert read_policy(lambda_client, FUNCTION) == [
        statement.decode(FUNCTION) for statement in statements
    ]
    assert grant(lambda_client, FUNCTION, statements).unchanged == statements


def test_revoking_leaves_no_statement_and_revoking_again_changes_nothing(
    lambda_client: Any,
) -> None:
    statements = allow_pinpoint(ACCOUNT, APPLICATION)
    grant(lambda_client, FUNCTION, statements)
    assert len(revoke(lambda_client, FUNCTION, statements).done) == 2
    assert read_policy(lambda_client, FUNCTION) == []
    assert revoke(lambda_client, FUNCTION, statements).done == ()


def test_a_function_that_does_not_exist_is_told_from_one_without_a_policy(
    lambda_client: Any,
) -> None:
    assert read_policy(lambda_client, FUNCTION) == []
    with pytest.raises(MissingResource) as caught:
        read_policy(lambda_client, LambdaFunction(account=ACCOUNT, name="nobody"))
    assert str(caught.value).startswith(
        "expected a function of this name, alias or version in this account and region, found none"
    )


def test_credentials_of_another_account_are_refused(lambda_client: Any) -> None:
    with pytest.raises(DeployError) as caught:
        find_function(
            "arn:aws:lambda:us-east-1:999999999999:function:scorer",
            None,
            region=None,
            endpoint_url=None,
        )
    assert "found an ARN of another account" in str(caught.value)


def test_the_region_is_taken_from_an_arn(lambda_client: Any) -> None:
    found = find_function(
        "arn:aws:lambda:eu-west-1:123456789012:function:scorer:live",
        None,
        region=None,
        endpoint_url=None,
    )
    assert (found.account.region, found.qualifier) == ("eu-west-1", "live")


def test_the_verb_prints_the_policy_and_a_second_run_adds_nothing(
    lambda_client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grant", "--function", "scorer", "--connect-instance", INSTANCE]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["Statement"] == [
        allow_connect(ACCOUNT, INSTANCE)[0].decode(FUNCTION)
    ]
    assert "1 added, 0 already there" in printed.err
    assert main(["grant", "--function", "scorer", "--connect-instance", INSTANCE]) == 0
    assert "0 added, 1 already there" in capsys.readouterr().err


def test_the_verb_names_a_missing_function_in_one_sentence(
    lambda_client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grant", "--function", "nobody", "--all-applications"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("segment-scorer grant: expected a function of this name")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "scope",
    [
        [],
        ["--all-applications", "--application-id", APPLICATION],
        ["--connect-instance", INSTANCE, "--campaign-id", CAMPAIGN],
    ],
)
def test_the_verb_refuses_no_scope_and_two(
    scope: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grant", "--function", "scorer", *scope]) == 1
    assert "expected one of --application-id" in capsys.readouterr().err


def test_a_dry_run_shows_the_calls_of_both_verbs_and_needs_no_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    (statement,) = allow_pinpoint(ACCOUNT, APPLICATION, CAMPAIGN)
    options = [
        "--function",
        LIVE.arn,
        "--application-id",
        APPLICATION,
        "--campaign-id",
        CAMPAIGN,
        "--dry-run",
    ]
    assert main(["grant", *options]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "calls": [
            {
                "service": "lambda",
                "operation": "AddPermission",
                "parameters": statement.parameters(LIVE),
            }
        ],
        "policy": {"Version": "2012-10-17", "Statement": [statement.decode(LIVE)]},
    }
    assert main(["revoke", *options]) == 0
    assert json.loads(capsys.readouterr().out)["calls"] == [
        {
            "service": "lambda",
            "operation": "RemovePermission",
            "parameters": {**LIVE.parameters(), "StatementId": statement.sid},
        }
    ]


def test_a_dry_run_refuses_a_region_that_is_not_the_arns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        main(
            [
                "grant",
                "--function",
                LIVE.arn,
                "--all-applications",
                "--region",
                "eu-west-1",
                "--dry-run",
            ]
        )
        == 1
    )
    assert "found an ARN of another region; set --region to match" in capsys.readouterr().err


def configured(stubber: Stubber, function: LambdaFunction = LIVE, timeout: int = 15) -> None:
    stubber.add_response("get_function_configuration", {"Timeout": timeout}, function.parameters())


def holds(
    stubber: Stubber, statements: list[dict[str, Any]], function: LambdaFunction = LIVE
) -> None:
    stubber.add_response(
        "get_policy",
        {"Policy": json.dumps({"Version": "2012-10-17", "Statement": statements})},
        function.parameters(),
    )


def test_granting_twice_makes_no_second_call(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    statements = allow_pinpoint(ACCOUNT, APPLICATION)
    configured(stubber)
    holds(stubber, [{**one.decode(LIVE), "Sid": "a-stack-made-this"} for one in statements])
    change = grant(client, LIVE, statements)
    assert (change.done, change.unchanged) == ((), statements)


@pytest.mark.parametrize(
    ("statement", "timeout", "sentences"),
    [
        (allow_connect(ACCOUNT, INSTANCE)[0], 30, []),
        (allow_connect(ACCOUNT, INSTANCE)[0], 31, ["exceeds 30 s, after which Amazon Connect"]),
        (
            allow_connect(ACCOUNT, INSTANCE, ConnectPrincipal.CONNECT)[0],
            31,
            ["exceeds 30 s, after which Amazon Connect"],
        ),
        (allow_pinpoint(ACCOUNT)[0], 15, []),
        (allow_pinpoint(ACCOUNT)[0], 16, ["exceeds 15 s, after which Pinpoint"]),
    ],
)
def test_a_timeout_above_the_hosts_is_warned_of(
    stubbed: tuple[Any, Stubber], statement: Statement, timeout: int, sentences: list[str]
) -> None:
    client, stubber = stubbed
    configured(stubber, timeout=timeout)
    holds(stubber, [statement.decode(LIVE)])
    warnings = grant(client, LIVE, [statement]).warnings
    assert len(warnings) == len(sentences)
    assert all(said in warning for said, warning in zip(sentences, warnings, strict=True))
    assert all("lower it" in warning for warning in warnings)


def test_both_principals_of_connect_can_be_granted_and_each_is_revoked_alone(
    lambda_client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = ["--function", "scorer", "--connect-instance", INSTANCE]
    other = ["--principal", "connect.amazonaws.com"]
    assert main(["grant", *scope]) == 0
    assert main(["grant", *scope, *other]) == 0
    assert [each["Principal"]["Service"] for each in read_policy(lambda_client, FUNCTION)] == [
        "connect-campaigns.amazonaws.com",
        "connect.amazonaws.com",
    ]
    assert main(["revoke", *scope, *other]) == 0
    (left,) = read_policy(lambda_client, FUNCTION)
    assert left["Principal"]["Service"] == "connect-campaigns.amazonaws.com"
    capsys.readouterr()
    for verb in ("grant", "revoke"):
        assert main([verb, "--function", "scorer", "--all-applications", *other]) == 1
        assert "--principal: only with --connect-instance" in capsys.readouterr().err


def test_a_statement_of_our_name_that_says_something_else_is_not_overwritten(
    stubbed: tuple[Any, Stubber],
) -> None:
    client, stubber = stubbed
    (statement,) = allow_connect(ACCOUNT, INSTANCE)
    configured(stubber)
    holds(stubber, [{**statement.decode(LIVE), "Effect": "Deny"}])
    with pytest.raises(DeployError, match="this name but other content; run segment-scorer revoke"):
        grant(client, LIVE, [statement])


def test_when_the_second_statement_is_throttled_the_first_is_taken_back(
    stubbed: tuple[Any, Stubber],
) -> None:
    client, stubber = stubbed
    first, second = allow_pinpoint(ACCOUNT, APPLICATION)
    configured(stubber)
    holds(stubber, [])
    stubber.add_response("add_permission", {}, first.parameters(LIVE))
    stubber.add_client_error(
        "add_permission", "TooManyRequestsException", expected_params=second.parameters(LIVE)
    )
    stubber.add_response("remove_permission", {}, {**LIVE.parameters(), "StatementId": first.sid})
    with pytest.raises(DeployError) as caught:
        grant(client, LIVE, [first, second])
    assert "AWS limits the rate of calls: wait a minute" in str(caught.value)
    assert str(caught.value).endswith("the statements changed before it were restored")


def test_when_undoing_fails_too_the_error_says_what_stands(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    first, second = allow_pinpoint(ACCOUNT, APPLICATION)
    configured(stubber)
    holds(stubber, [])
    stubber.add_response("add_permission", {}, first.parameters(LIVE))
    stubber.add_client_error("add_permission", "ServiceException")
    stubber.add_client_error("remove_permission", "ServiceException")
    with pytest.raises(DeployError) as caught:
        grant(client, LIVE, [first, second])
    assert str(caught.value).endswith(
        "restoring failed too: the first 1 of 2 statements stay changed"
    )


def test_when_the_first_call_fails_nothing_has_changed(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    configured(stubber)
    holds(stubber, [])
    stubber.add_client_error("add_permission", "PolicyLengthExceededException")
    with pytest.raises(DeployError) as caught:
        grant(client, LIVE, allow_pinpoint(ACCOUNT, APPLICATION))
    assert str(caught.value).endswith("or grant the application; nothing was changed")


def test_revoking_undoes_its_first_half_when_the_second_fails(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    first, second = allow_pinpoint(ACCOUNT, APPLICATION)
    holds(stubber, [first.decode(LIVE), second.decode(LIVE)])
    stubber.add_response("remove_permission", {}, {**LIVE.parameters(), "StatementId": first.sid})
    stubber.add_client_error("remove_permission", "AccessDeniedException")
    stubber.add_response("add_permission", {}, first.parameters(LIVE))
    with pytest.raises(DeployError, match="the statements changed before it were restored"):
        revoke(client, LIVE, [first, second])


def test_revoking_leaves_a_stacks_statement_and_says_so(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    (statement,) = allow_connect(ACCOUNT, INSTANCE)
    holds(stubber, [{**statement.decode(LIVE), "Sid": "a-stack-made-this"}])
    change = revoke(client, LIVE, [statement])
    assert change.done == ()
    (warning,) = change.warnings
    assert "may still call: a statement with another name, perhaps a stack's" in warning


@pytest.mark.parametrize(
    ("target", "held", "enough"),
    [
        (
            HookTarget(application_id=APPLICATION, campaign_id=CAMPAIGN),
            allow_pinpoint(ACCOUNT, APPLICATION, CAMPAIGN),
            True,
        ),
        (
            HookTarget(application_id=APPLICATION, campaign_id=CAMPAIGN),
            allow_pinpoint(ACCOUNT, APPLICATION)[1:],
            True,
        ),
        (
            HookTarget(application_id=APPLICATION, campaign_id=CAMPAIGN),
            allow_pinpoint(ACCOUNT, APPLICATION)[:1],
            False,
        ),
        (
            HookTarget(application_id=APPLICATION, campaign_id=CAMPAIGN),
            allow_pinpoint(ACCOUNT, APPLICATION, "d" * 32),
            False,
        ),
        (HookTarget(application_id=APPLICATION), allow_pinpoint(ACCOUNT, APPLICATION), True),
        (HookTarget(application_id=APPLICATION), allow_pinpoint(ACCOUNT), True),
        (HookTarget(application_id=APPLICATION), allow_pinpoint(ACCOUNT, APPLICATION)[:1], False),
        (HookTarget(application_id=APPLICATION), allow_pinpoint(ACCOUNT, APPLICATION)[1:], False),
        (
            HookTarget(application_id=APPLICATION),
            allow_pinpoint(ACCOUNT, APPLICATION, CAMPAIGN),
            False,
        ),
        (HookTarget(application_id=APPLICATION), (), False),
    ],
)
def test_a_hook_that_pinpoint_may_not_call_is_refused_before_it_is_set(
    stubbed: tuple[Any, Stubber], target: HookTarget, held: tuple[Statement, ...], enough: bool
) -> None:
    client, stubber = stubbed
    holds(stubber, [{"Sid": "another", "Effect": "Allow"}, *(one.decode(LIVE) for one in held)])
    with (
        nullcontext()
        if enough
        else pytest.raises(
            DeployError,
            match=r"no grant for this campaign or project.*run segment-scorer grant first",
        )
    ):
        require_grant(client, LIVE, target.application_id, target.campaign_id)


@pytest.mark.parametrize(
    ("absent", "word"), [("AWS_ACCESS_KEY_ID", "credentials"), ("AWS_DEFAULT_REGION", "--region")]
)
def test_missing_credentials_or_region_are_one_sentence(
    absent: str, word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(absent)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    assert main(["revoke", "--function", "scorer", "--all-applications"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert word in error
