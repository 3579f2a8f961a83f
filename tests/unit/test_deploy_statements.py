"""Statements equal the contract's, field by field; whatever is of another account, region or form is refused."""

from __future__ import annotations

import json

import pytest

from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.statements import (
    Function,
    Place,
    allow_connect,
    allow_pinpoint,
    decode_policy,
    place_function,
    says_the_same,
)

PLACE = Place(partition="aws", region="us-east-1", account="123456789012")
FUNCTION = Function(place=PLACE, name="scorer", qualifier="live")
APPLICATION = "a" * 32
CAMPAIGN = "c" * 32
INSTANCE = "12345678-1234-1234-1234-123456789abc"


def test_the_pinpoint_statement_equals_the_contracts_field_by_field() -> None:
    (statement,) = allow_pinpoint(PLACE, APPLICATION, CAMPAIGN)
    assert statement.decode(FUNCTION) == {
        "Sid": f"segment-scorer-campaign-{APPLICATION}-{CAMPAIGN}",
        "Effect": "Allow",
        "Principal": {"Service": "pinpoint.us-east-1.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:scorer:live",
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {
                "AWS:SourceArn": f"arn:aws:mobiletargeting:us-east-1:123456789012:apps/{APPLICATION}/campaigns/{CAMPAIGN}"
            },
        },
    }


def test_the_connect_statement_equals_the_contracts_field_by_field() -> None:
    (statement,) = allow_connect(PLACE, INSTANCE)
    assert statement.decode(Function(place=PLACE, name="scorer")) == {
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
        for one in allow_pinpoint(PLACE, APPLICATION)
    ]
    assert sources == [f"apps/{APPLICATION}", f"apps/{APPLICATION}/*"]


def test_the_account_takes_one_statement_for_every_application() -> None:
    (statement,) = allow_pinpoint(PLACE)
    assert statement.source_arn == "arn:aws:mobiletargeting:us-east-1:123456789012:apps/*"


def test_the_call_names_the_alias_beside_the_function() -> None:
    (statement,) = allow_connect(
        PLACE, f"arn:aws:connect:us-east-1:123456789012:instance/{INSTANCE}"
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
    place = Place(partition="aws-us-gov", region="us-gov-west-1", account="123456789012")
    (statement,) = allow_pinpoint(place, APPLICATION, CAMPAIGN)
    assert statement.principal == "pinpoint.us-gov-west-1.amazonaws.com"
    assert statement.source_arn.startswith("arn:aws-us-gov:mobiletargeting:us-gov-west-1:")


def test_every_statement_name_fits_lambdas_pattern_and_length() -> None:
    for statement in (
        *allow_pinpoint(PLACE, APPLICATION, CAMPAIGN),
        *allow_pinpoint(PLACE, APPLICATION),
        *allow_connect(PLACE, INSTANCE),
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
    found = place_function(text, PLACE)
    assert (found.name, found.qualifier) == (name, qualifier)
    assert (
        place_function(text.removesuffix(":live").removesuffix(":7"), PLACE, "live").qualifier
        == "live"
    )


@pytest.mark.parametrize(
    ("text", "qualifier", "sentence"),
    [
        (
            "arn:aws:lambda:us-east-1:999999999999:function:scorer",
            None,
            "--function is an ARN of another account",
        ),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:scorer",
            None,
            "--function is an ARN of another region; set --region to match",
        ),
        ("arn:aws:s3:::bucket", None, "it is the ARN of something else"),
        ("not a name", None, "expected --function to be a function's name or ARN"),
        ("scorer:live", "7", "give one of them"),
    ],
)
def test_refuses_a_function_of_elsewhere_in_one_sentence_without_the_value(
    text: str, qualifier: str | None, sentence: str
) -> None:
    with pytest.raises(DeployError) as caught:
        place_function(text, PLACE, qualifier)
    assert sentence in str(caught.value)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("application", "campaign", "sentence"),
    [
        (
            None,
            CAMPAIGN,
            "expected --application-id beside --campaign-id: a campaign belongs to an application",
        ),
        (
            "my app",
            None,
            "expected --application-id to be 32 hexadecimal digits, as Pinpoint shows it",
        ),
        (
            APPLICATION,
            "*",
            "expected --campaign-id to be 32 hexadecimal digits, as Pinpoint shows it",
        ),
    ],
)
def test_refuses_ids_that_are_none(
    application: str | None, campaign: str | None, sentence: str
) -> None:
    with pytest.raises(DeployError) as caught:
        allow_pinpoint(PLACE, application, campaign)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("instance", "sentence"),
    [
        ("arn:aws:connect:us-east-1:999999999999:instance/" + INSTANCE, "is an ARN of another"),
        ("arn:aws:connect:eu-west-1:123456789012:instance/" + INSTANCE, "is an ARN of another"),
        ("arn:aws:s3:::bucket", "the ARN of something else"),
        ("my-instance", "expected --connect-instance to be an instance's id (a UUID) or its ARN"),
    ],
)
def test_refuses_a_connect_instance_of_elsewhere(instance: str, sentence: str) -> None:
    with pytest.raises(DeployError) as caught:
        allow_connect(PLACE, instance)
    assert sentence in str(caught.value)


def test_a_statement_of_another_name_says_the_same_and_one_of_another_field_does_not() -> None:
    (statement,) = allow_pinpoint(PLACE, APPLICATION, CAMPAIGN)
    found = statement.decode(FUNCTION)
    assert says_the_same(statement, {**found, "Sid": "a-stack-made-this"}, FUNCTION)
    for key in ("Effect", "Principal", "Action", "Resource", "Condition"):
        assert not says_the_same(statement, {**found, key: "other"}, FUNCTION), key


def test_reads_a_policy_that_is_json_inside_json() -> None:
    assert decode_policy(json.dumps({"Statement": [{"Sid": "one"}]})) == [{"Sid": "one"}]
    assert decode_policy(json.dumps({"Statement": {"Sid": "one"}})) == [{"Sid": "one"}]
