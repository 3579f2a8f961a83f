"""Statements equal the contract's, field by field; other accounts and forms are refused."""

from __future__ import annotations

import json

import pytest

from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.statements import (
    AwsAccount,
    LambdaFunction,
    allow_connect,
    allow_pinpoint,
    decode_policy,
    locate_function,
    names_instance,
    says_the_same,
)

ACCOUNT = AwsAccount(partition="aws", region="us-east-1", number="123456789012")
FUNCTION = LambdaFunction(account=ACCOUNT, name="scorer", qualifier="live")
APPLICATION = "a" * 32
CAMPAIGN = "c" * 32
INSTANCE = "12345678-1234-1234-1234-123456789abc"


def test_the_pinpoint_statement_equals_the_contracts_field_by_field() -> None:
    (statement,) = allow_pinpoint(ACCOUNT, APPLICATION, CAMPAIGN)
    assert statement.decode(FUNCTION) == {
        "Sid": f"segment-scorer-campaign-{APPLICATION}-{CAMPAIGN}",
        "Effect": "Allow",
        "Principal": {"Service": "pinpoint.us-east-1.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:scorer:live",
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {
                "AWS:SourceArn": "arn:aws:mobiletargeting:us-east-1:123456789012:"
                f"apps/{APPLICATION}/campaigns/{CAMPAIGN}"
            },
        },
    }


def test_the_connect_statement_equals_the_contracts_field_by_field() -> None:
    (statement,) = allow_connect(ACCOUNT, INSTANCE)
    assert statement.decode(LambdaFunction(account=ACCOUNT, name="scorer")) == {
        "Sid": f"segment-scorer-connect-{INSTANCE}",
        "Effect": "Allow",
        "Principal": {"Service": "connect-campaigns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:scorer",
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {
                "AWS:SourceArn": f"arn:aws:connect:us-east-1:123456789012:instance/{INSTANCE}"
            },
        },
    }


def test_an_application_takes_two_statements_since_a_project_default_needs_both() -> None:
    sources = [
        one.source_arn.removeprefix("arn:aws:mobiletargeting:us-east-1:123456789012:")
        for one in allow_pinpoint(ACCOUNT, APPLICATION)
    ]
    assert sources == [f"apps/{APPLICATION}", f"apps/{APPLICATION}/*"]


def test_the_account_takes_one_statement_for_every_application() -> None:
    (statement,) = allow_pinpoint(ACCOUNT)
    assert statement.source_arn == "arn:aws:mobiletargeting:us-east-1:123456789012:apps/*"


def test_the_call_names_the_alias_beside_the_function() -> None:
    (statement,) = allow_connect(
        ACCOUNT, f"arn:aws:connect:us-east-1:123456789012:instance/{INSTANCE}"
    )
    assert statement.parameters(FUNCTION) == {
        "FunctionName": "scorer",
        "Qualifier": "live",
        "StatementId": f"segment-scorer-connect-{INSTANCE}",
        "Action": "lambda:InvokeFunction",
        "Principal": "connect-campaigns.amazonaws.com",
        "SourceAccount": "123456789012",
        "SourceArn": f"arn:aws:connect:us-east-1:123456789012:instance/{INSTANCE}",
    }


def test_other_partitions_keep_their_name_in_every_arn() -> None:
    account = AwsAccount(partition="aws-us-gov", region="us-gov-west-1", number="123456789012")
    (statement,) = allow_pinpoint(account, APPLICATION, CAMPAIGN)
    assert statement.principal == "pinpoint.us-gov-west-1.amazonaws.com"
    assert statement.source_arn.startswith("arn:aws-us-gov:mobiletargeting:us-gov-west-1:")


def test_every_statement_name_fits_lambdas_pattern_and_length() -> None:
    for statement in (
        *allow_pinpoint(ACCOUNT, APPLICATION, CAMPAIGN),
        *allow_pinpoint(ACCOUNT, APPLICATION),
        *allow_connect(ACCOUNT, INSTANCE),
    ):
        assert len(statement.sid) <= 100
        assert statement.sid.replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("text", "name", "qualifier"),
    [
        ("scorer", "scorer", None),
        ("scorer:live", "scorer", "live"),
        ("arn:aws:lambda:us-east-1:123456789012:function:scorer", "scorer", None),
        ("arn:aws:lambda:us-east-1:123456789012:function:scorer:7", "scorer", "7"),
    ],
)
def test_reads_a_function_from_a_name_or_an_arn(
    text: str, name: str, qualifier: str | None
) -> None:
    found = locate_function(text, ACCOUNT)
    assert (found.name, found.qualifier) == (name, qualifier)
    assert (
        locate_function(text.removesuffix(":live").removesuffix(":7"), ACCOUNT, "live").qualifier
        == "live"
    )


@pytest.mark.parametrize(
    ("text", "qualifier", "sentence"),
    [
        (
            "arn:aws:lambda:us-east-1:999999999999:function:scorer",
            None,
            "found an ARN of another account",
        ),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:scorer",
            None,
            "found an ARN of another region; set --region to match",
        ),
        ("arn:aws:s3:::bucket", None, "found an ARN of something else"),
        ("not a name", None, "--function: expected a function's name or ARN"),
        ("scorer:live", "7", "give one of them"),
    ],
)
def test_refuses_a_function_of_elsewhere_in_one_sentence_without_the_value(
    text: str, qualifier: str | None, sentence: str
) -> None:
    with pytest.raises(DeployError) as caught:
        locate_function(text, ACCOUNT, qualifier)
    assert sentence in str(caught.value)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("application", "campaign", "sentence"),
    [
        (
            None,
            CAMPAIGN,
            "--campaign-id: expected --application-id",
        ),
        (
            "my app",
            None,
            "--application-id: expected 32 hexadecimal digits",
        ),
        (
            APPLICATION,
            "*",
            "--campaign-id: expected 32 hexadecimal digits",
        ),
    ],
)
def test_refuses_ids_that_are_none(
    application: str | None, campaign: str | None, sentence: str
) -> None:
    with pytest.raises(DeployError) as caught:
        allow_pinpoint(ACCOUNT, application, campaign)
    assert sentence in str(caught.value)
    for value in (application, campaign):
        assert value is None or value not in str(caught.value)


@pytest.mark.parametrize(
    ("instance", "sentence"),
    [
        ("arn:aws:connect:us-east-1:999999999999:instance/" + INSTANCE, "found an ARN of another"),
        ("arn:aws:connect:eu-west-1:123456789012:instance/" + INSTANCE, "found an ARN of another"),
        (
            "arn:aws:s3:::bucket",
            "--connect-instance: expected an instance's id (a UUID) or ARN, found an ARN of some",
        ),
        ("my-instance", "--connect-instance: expected an instance's id (a UUID) or ARN"),
    ],
)
def test_refuses_a_connect_instance_of_elsewhere(instance: str, sentence: str) -> None:
    with pytest.raises(DeployError) as caught:
        allow_connect(ACCOUNT, instance)
    assert sentence in str(caught.value)


ALLOWED = allow_connect(ACCOUNT, INSTANCE)[0].decode(FUNCTION)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"Sid": "added-by-amazon-connect"}, True),
        ({"Principal": {"Service": "connect.amazonaws.com"}}, True),
        ({"Principal": {"Service": ["x.amazonaws.com", "connect.amazonaws.com"]}}, True),
        ({"Condition": {"ArnEquals": {"AWS:SourceArn": f"arn:aws:connect:::i/{INSTANCE}"}}}, True),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:connect:::instance/other"}}}, False),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"Service": "pinpoint.us-east-1.amazonaws.com"}}, False),
        ({"Principal": "*"}, False),
        ({"Principal": {"AWS": "123456789012"}}, False),
    ],
)
def test_a_permission_of_an_instance_is_known_whoever_wrote_it(
    change: dict[str, object], expected: bool
) -> None:
    assert names_instance({**ALLOWED, **change}, INSTANCE) is expected


def test_a_statement_of_another_name_says_the_same_and_one_of_another_field_does_not() -> None:
    (statement,) = allow_pinpoint(ACCOUNT, APPLICATION, CAMPAIGN)
    found = statement.decode(FUNCTION)
    assert says_the_same(statement, {**found, "Sid": "a-stack-made-this"}, FUNCTION)
    for key in ("Effect", "Principal", "Action", "Resource", "Condition"):
        assert not says_the_same(statement, {**found, key: "other"}, FUNCTION), key


def test_reads_a_policy_that_is_json_inside_json() -> None:
    assert decode_policy(json.dumps({"Statement": [{"Sid": "one"}]})) == [{"Sid": "one"}]
    assert decode_policy(json.dumps({"Statement": {"Sid": "one"}})) == [{"Sid": "one"}]


@pytest.mark.parametrize("odd", [None, 7, "", [], {}, [None, 7, [], "x"], {"Statement": [None, 7]}])
def test_a_policy_of_an_unknown_form_holds_no_statement_we_know(odd: object) -> None:
    statements = decode_policy(json.dumps(odd)) + decode_policy(json.dumps({"Statement": odd}))
    (wanted,) = allow_pinpoint(ACCOUNT)
    assert not any(says_the_same(wanted, found, FUNCTION) for found in statements)
