"""A policy says yes only where IAM would: tables of statements, one part of each other than in the plain one that allows."""

from __future__ import annotations

from typing import Any

import pytest

from segment_scorer.deploy.policies import Call, permits
from segment_scorer.deploy.statements import Function, Place, allow_pinpoint

PLACE = Place(partition="aws", region="us-east-1", account="123456789012")
FUNCTION = Function(place=PLACE, name="scorer", qualifier="live")
PRINCIPAL = "pinpoint.us-east-1.amazonaws.com"
BASE = "arn:aws:mobiletargeting:us-east-1:123456789012:"
SOURCE = f"{BASE}apps/{'a' * 32}"
OTHER = f"{BASE}apps/{'b' * 32}"
CALL = Call(
    principal=PRINCIPAL, resource=FUNCTION.arn, source_account="123456789012", source_arn=SOURCE
)
ALLOW: dict[str, Any] = {
    "Sid": "one",
    "Effect": "Allow",
    "Principal": {"Service": PRINCIPAL},
    "Action": "lambda:InvokeFunction",
    "Resource": FUNCTION.arn,
    "Condition": {
        "StringEquals": {"AWS:SourceAccount": "123456789012"},
        "ArnLike": {"AWS:SourceArn": SOURCE},
    },
}
DENY = {**ALLOW, "Effect": "Deny"}
# What no reader of policies expects, and what must not end in a TypeError.
ODD: list[Any] = [
    None,
    7,
    True,
    "",
    [],
    {},
    [None],
    [7],
    [[]],
    {"a": None},
    {"StringEquals": None},
    {"StringEquals": {"AWS:SourceArn": {}}},
]


def source(operator: str, value: Any, key: str = "AWS:SourceArn") -> dict[str, Any]:
    return {operator: {key: value}}


CONDITIONS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    (source("ArnLike", SOURCE), True),
    (source("ArnLike", OTHER), False),
    (source("ArnLike", f"{BASE}apps/*"), True),
    (source("ArnLike", f"{BASE}apps/{'?' * 32}"), True),
    (source("ArnLike", f"{BASE}apps/{'?' * 31}"), False),
    (source("ArnLike", f"{SOURCE}/*"), False),
    (source("ArnLike", f"{BASE}apps/[a-z]*"), False),  # a shell's wildcard, not IAM's
    (source("ArnLike", "arn:aws:mobiletargeting:*:*:apps/*"), True),
    (source("ArnLike", "arn:aws:*apps/*"), False),  # no wildcard reaches over a colon
    (source("ArnLike", "*"), True),
    (source("ArnLike", [OTHER, SOURCE]), True),
    (source("ArnLike", [OTHER, f"{OTHER}/*"]), False),
    (source("ArnLike", []), False),
    (source("ArnEquals", SOURCE), True),
    (source("ArnEquals", OTHER), False),
    (source("ArnEquals", f"{BASE}apps/*"), True),  # evaluated as ArnLike
    (source("StringEquals", SOURCE), True),
    (source("StringEquals", OTHER), False),
    (source("StringEquals", f"{BASE}apps/*"), False),
    (source("StringEquals", [OTHER, SOURCE]), True),
    (source("StringEqualsIgnoreCase", SOURCE.upper()), True),
    (source("StringLike", f"{BASE}apps/*"), True),
    (source("StringLike", "arn:aws:*apps/*"), True),
    (source("StringLike", OTHER), False),
    (source("StringLike", SOURCE.upper()), False),
    (source("StringNotEquals", SOURCE), False),
    (source("StringNotEquals", OTHER), True),
    (source("StringNotLike", f"{BASE}apps/*"), False),
    (source("ArnNotLike", [OTHER, f"{BASE}apps/*"]), False),
    (source("ArnNotEquals", OTHER), True),
    (source("ArnLikeIfExists", SOURCE), True),
    (source("ArnLikeIfExists", OTHER), False),
    (source("ArnLike", SOURCE, "aws:sourcearn"), True),
    (source("ArnLike", OTHER, "aws:SourceArn"), False),
    (source("StringEquals", "123456789012", "aws:SourceAccount"), True),
    (source("StringEquals", "999999999999", "aws:SourceAccount"), False),
    (source("StringEquals", ["999999999999", "123456789012"], "aws:sourceaccount"), True),
    (source("StringEquals", 123456789012, "aws:SourceAccount"), False),
    (source("StringEquals", "o-12345", "aws:SourceOrgID"), False),  # a fact that is not known here
    (source("ForAllValues:ArnLike", SOURCE), False),
    (source("Null", "false"), False),
    (source("ArnLike", "${aws:PrincipalTag/source}"), False),
    ({**source("ArnLike", SOURCE), "StringEquals": {"AWS:SourceAccount": "999999999999"}}, False),
    ({"StringEquals": {"AWS:SourceAccount": "123456789012", "AWS:SourceArn": OTHER}}, False),
]


@pytest.mark.parametrize(("condition", "allowed"), CONDITIONS)
def test_an_allow_counts_only_under_a_condition_that_holds(
    condition: dict[str, Any], allowed: bool
) -> None:
    assert permits([{**ALLOW, "Condition": condition}], CALL) is allowed


@pytest.mark.parametrize(
    ("part", "value", "allowed"),
    [
        ("Effect", "allow", False),
        ("Principal", {"Service": [PRINCIPAL]}, True),
        ("Principal", {"Service": ["connect-campaigns.amazonaws.com", PRINCIPAL]}, True),
        ("Principal", {"Service": PRINCIPAL, "AWS": "999999999999"}, True),
        ("Principal", {"Service": "connect-campaigns.amazonaws.com"}, False),
        ("Principal", {"Service": "pinpoint.eu-west-1.amazonaws.com"}, False),
        ("Principal", {"AWS": "*"}, False),
        ("Principal", {"AWS": "*", "Service": PRINCIPAL}, True),
        ("Principal", {"Service": "*"}, False),
        ("Principal", "*", False),
        ("Action", ["lambda:InvokeFunction"], True),
        ("Action", ["lambda:GetFunction", "lambda:InvokeFunction"], True),
        ("Action", "lambda:invokefunction", True),
        ("Action", "lambda:*", True),
        ("Action", "lambda:Invoke*", True),
        ("Action", "*", True),
        ("Action", "lambda:GetFunction", False),
        ("Action", "lambda:InvokeFunctionUrl", False),
        ("Action", [], False),
        ("Resource", [FUNCTION.arn], True),
        ("Resource", FUNCTION.arn.replace(":live", ":*"), True),
        ("Resource", "*", True),
        ("Resource", FUNCTION.arn.removesuffix(":live"), False),
        ("Resource", f"{FUNCTION.arn}2", False),
    ],
)
def test_an_allow_counts_only_for_its_principal_action_and_function(
    part: str, value: Any, allowed: bool
) -> None:
    assert permits([{**ALLOW, part: value}], CALL) is allowed


@pytest.mark.parametrize("part", ["Effect", "Principal", "Action", "Resource"])
def test_an_allow_without_one_of_its_parts_does_not_count(part: str) -> None:
    without = {name: value for name, value in ALLOW.items() if name != part}
    assert not permits([without], CALL)
    assert not permits([{**without, f"Not{part}": "lambda:GetFunction"}], CALL)


@pytest.mark.parametrize(
    ("deny", "allowed"),
    [
        (DENY, False),
        ({**DENY, "Condition": {}}, False),
        ({**DENY, "Principal": "*"}, False),
        ({**DENY, "Principal": {"AWS": "*"}}, False),
        ({**DENY, "Principal": {"Service": "*"}}, False),
        ({**DENY, "Principal": {"AWS": "999999999999"}}, True),
        ({**DENY, "Action": "lambda:*"}, False),
        ({**DENY, "Action": "lambda:GetFunction"}, True),
        ({**DENY, "Resource": f"{FUNCTION.arn}2"}, True),
        ({**DENY, "Condition": source("ArnLike", OTHER)}, True),
        ({**DENY, "Condition": source("ArnNotLike", SOURCE)}, True),
        (
            {**DENY, "Condition": source("StringNotEquals", "123456789012", "aws:SourceAccount")},
            True,
        ),
        (
            {**DENY, "Condition": source("Bool", "true", "aws:ViaAWSService")},
            False,
        ),  # cannot be told: no is the safe answer
        ({**DENY, "Condition": {**source("Null", "false"), **source("ArnLike", OTHER)}}, True),
    ],
)
def test_a_deny_wins_over_an_allow_unless_it_is_about_something_else(
    deny: dict[str, Any], allowed: bool
) -> None:
    assert permits([ALLOW, deny], CALL) is allowed
    assert permits([deny, ALLOW], CALL) is allowed


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("part", ["Effect", "Principal", "Action", "Resource", "Condition"])
def test_a_part_of_an_unknown_form_is_never_an_error(part: str, odd: Any) -> None:
    assert permits([{**ALLOW, part: odd}], CALL) is (part == "Condition" and odd == {})
    permits([ALLOW, {**DENY, part: odd}, odd], CALL)


def test_no_statement_permits_nothing() -> None:
    assert not permits([], CALL)


def test_what_grant_writes_permits_what_it_is_for_and_nothing_else() -> None:
    application, within = (one.decode(FUNCTION) for one in allow_pinpoint(PLACE, "a" * 32))
    campaign = Call(
        principal=PRINCIPAL,
        resource=FUNCTION.arn,
        source_account=PLACE.account,
        source_arn=f"{SOURCE}/campaigns/{'c' * 32}",
    )
    assert (permits([application], CALL), permits([within], CALL)) == (True, False)
    assert (permits([application], campaign), permits([within], campaign)) == (False, True)
