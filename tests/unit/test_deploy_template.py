"""Rules of the template that no linter knows: time limits, cold starts, permissions."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import build_handler
from function.errors import ExternalUnavailable, SettingsError
from function.settings import read_settings
from segment_scorer.deploy.statements import (
    AwsAccount,
    LambdaFunction,
    Statement,
    allow_connect,
    allow_pinpoint,
)
from tests.emf import check_emf
from tests.fake_external import FakeStore, make_external_bundle
from tests.templates import ROOT, load_template, resolve
from tests.templates import TEMPLATE as FILE

TEMPLATE = load_template()
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
SCORER = RESOURCES["Scorer"]["Properties"]
APPLICATION, CAMPAIGN, INSTANCE = "a" * 32, "c" * 32, "12345678-1234-1234-1234-123456789abc"
ACCOUNT = AwsAccount(partition="aws", region="us-east-1", number="123456789012")
PSEUDO = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::StackName": "scorer",
}
DEFAULTS = {
    name: str(parameter.get("Default", "")) for name, parameter in TEMPLATE["Parameters"].items()
}


def with_parameters(value: Any, **given: str) -> Any:
    return resolve(value, {**PSEUDO, **DEFAULTS, **given})


def resources_of(kind: str, **given: str) -> dict[str, dict[str, Any]]:
    """Resources of a kind whose condition holds, resolved."""
    chosen = {name: each for name, each in RESOURCES.items() if each["Type"] == kind}
    return {
        name: with_parameters(each["Properties"], **given)
        for name, each in chosen.items()
        if "Condition" not in each or with_parameters({"Condition": each["Condition"]}, **given)
    }


def test_the_functions_time_is_at_most_pinpoints_15_seconds() -> None:
    assert isinstance(SCORER["Timeout"], int)
    assert 0 < SCORER["Timeout"] <= 15


@pytest.mark.parametrize(
    ("choice", "snapstart", "provisioned"),
    [
        ("none", None, None),
        ("snapstart", {"ApplyOn": "PublishedVersions"}, None),
        ("provisioned", None, {"ProvisionedConcurrentExecutions": "1"}),
    ],
)
def test_cold_start_is_one_choice_and_never_both(
    choice: str, snapstart: Any, provisioned: Any
) -> None:
    scorer = with_parameters(SCORER, ColdStart=choice)
    assert (scorer.get("SnapStart"), scorer.get("ProvisionedConcurrencyConfig")) == (
        snapstart,
        provisioned,
    )
    assert TEMPLATE["Parameters"]["ColdStart"]["AllowedValues"] == [
        "none",
        "snapstart",
        "provisioned",
    ]


def test_both_forms_of_cold_start_act_on_a_published_version_behind_the_alias() -> None:
    assert SCORER["AutoPublishAlias"] == "live"
    assert SCORER["AutoPublishCodeSha256"] == {"Ref": "Revision"}
    assert "Default" not in TEMPLATE["Parameters"]["Revision"]


def test_every_permission_is_on_the_alias_for_one_action_with_account_and_source() -> None:
    permissions = [
        each["Properties"]
        for each in RESOURCES.values()
        if each["Type"] == "AWS::Lambda::Permission"
    ]
    assert len(permissions) == 5
    for permission in permissions:
        assert permission["FunctionName"] == {"Ref": "Scorer.Alias"}
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
        assert permission["SourceArn"]["Fn::Sub"].startswith("arn:${AWS::Partition}:")


@pytest.mark.parametrize(
    ("given", "statements"),
    [
        ({}, ()),
        ({"PinpointApplicationId": "*"}, allow_pinpoint(ACCOUNT)),
        ({"PinpointApplicationId": APPLICATION}, allow_pinpoint(ACCOUNT, APPLICATION)),
        (
            {"PinpointApplicationId": APPLICATION, "PinpointCampaignId": CAMPAIGN},
            allow_pinpoint(ACCOUNT, APPLICATION, CAMPAIGN),
        ),
        ({"ConnectInstanceId": INSTANCE}, allow_connect(ACCOUNT, INSTANCE)),
        (
            {"PinpointApplicationId": APPLICATION, "ConnectInstanceId": INSTANCE},
            (*allow_pinpoint(ACCOUNT, APPLICATION), *allow_connect(ACCOUNT, INSTANCE)),
        ),
    ],
)
def test_the_stack_permits_just_what_the_command_grants(
    given: dict[str, str], statements: tuple[Statement, ...]
) -> None:
    function = LambdaFunction(account=ACCOUNT, name="scorer", qualifier="live")
    wanted = [
        {
            key: value
            for key, value in one.parameters(function).items()
            if key in {"Principal", "SourceAccount", "SourceArn"}
        }
        for one in statements
    ]
    found = [
        {
            key: value
            for key, value in permission.items()
            if key in {"Principal", "SourceAccount", "SourceArn"}
        }
        for permission in resources_of("AWS::Lambda::Permission", **given).values()
    ]
    assert sorted(found, key=str) == sorted(wanted, key=str)


def test_the_hook_is_the_alias() -> None:
    assert TEMPLATE["Outputs"]["HookArn"]["Value"] == {"Ref": "Scorer.Alias"}


def test_every_parameter_is_described_and_used() -> None:
    text = json.dumps([TEMPLATE["Resources"], TEMPLATE["Conditions"]])
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"].strip(), name
        assert f'"Ref": "{name}"' in text or f"${{{name}}}" in text, name
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(
        TEMPLATE["Parameters"]
    )


def test_an_image_is_named_by_digest_and_never_by_tag() -> None:
    pattern = TEMPLATE["Parameters"]["ImageUri"]["AllowedPattern"]
    assert pattern.endswith("@sha256:[0-9a-f]{64}")


def policies_of(role: str, **given: str) -> list[dict[str, Any]]:
    """The statements of a role: its own, and those of policies whose condition holds."""
    inline = [
        each["PolicyDocument"]
        for each in with_parameters(RESOURCES[role]["Properties"], **given).get("Policies", [])
    ]
    attached = [
        each["PolicyDocument"]
        for each in resources_of("AWS::IAM::Policy", **given).values()
        if {"Ref": role} in each["Roles"]
    ]
    return [statement for document in inline + attached for statement in document["Statement"]]


def actions_of(statement: dict[str, Any]) -> list[str]:
    return (
        [statement["Action"]] if isinstance(statement["Action"], str) else list(statement["Action"])
    )


NETWORK = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]
VPC = {"SubnetIds": "subnet-0a1b2c3d,subnet-0a1b2c3e", "SecurityGroupIds": "sg-0a1b2c3d"}


def test_the_functions_role_writes_its_log_reads_its_table_and_does_nothing_else() -> None:
    assert sorted(
        action
        for statement in policies_of("ScorerRole", ExternalTable="people")
        for action in actions_of(statement)
    ) == [
        "dynamodb:BatchGetItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ]
    assert "ManagedPolicyArns" not in RESOURCES["ScorerRole"]["Properties"]


@pytest.mark.parametrize("role", ["ScorerRole", "SegmentWalkRole"])
def test_no_role_holds_a_wildcard_action_or_every_resource(role: str) -> None:
    statements = policies_of(role, ExternalTable="people", SegmentBucket="segments")
    assert statements
    for statement in statements:
        assert not [action for action in actions_of(statement) if "*" in action]
        assert statement["Resource"] != "*"


def test_in_a_vpc_lambda_may_join_the_function_to_it_and_the_function_itself_may_not() -> None:
    assert "VpcConfig" not in with_parameters(SCORER)
    assert with_parameters(SCORER, **VPC)["VpcConfig"] == {
        "SubnetIds": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }
    allow, deny = [
        statement for statement in policies_of("ScorerRole", **VPC) if statement["Resource"] == "*"
    ]
    assert sorted(actions_of(allow)) == sorted(actions_of(deny)) == NETWORK
    assert (allow["Effect"], deny["Effect"]) == ("Allow", "Deny")
    assert "Condition" not in allow
    assert deny["Condition"] == {
        "ArnEquals": {"lambda:SourceFunctionArn": {"Fn::GetAtt": "Scorer.Arn"}}
    }


def test_the_state_machine_may_start_its_own_map_and_call_only_the_alias() -> None:
    statements = {
        action: statement["Resource"]
        for statement in policies_of("SegmentWalkRole", SegmentBucket="segments")
        for action in actions_of(statement)
    }
    assert statements["lambda:InvokeFunction"] == {"Ref": "Scorer.Alias"}
    assert statements["states:StartExecution"] == {"Ref": "SegmentWalk"}
    assert statements["s3:PutObject"] == "arn:aws:s3:::segments/scored/*"


def test_there_is_an_alarm_on_whatever_nobody_would_see() -> None:
    alarms = resources_of(
        "AWS::CloudWatch::Alarm",
        AlarmTopicArn="arn:aws:sns:us-east-1:123456789012:topic",
        SegmentBucket="segments",
    )
    assert {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms.values()} == {
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Duration"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/States", "ExecutionsFailed"),
        ("SegmentScorer", "fallback_used"),
        ("SegmentScorer", "unscored"),
        ("SegmentScorer", "external_failed"),
    }
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == ["arn:aws:sns:us-east-1:123456789012:topic"]
        assert alarm["TreatMissingData"] == "notBreaching"
    assert float(alarms["DurationAlarm"]["Threshold"]) < 15_000


def test_an_alarm_names_the_function_or_the_state_machine_and_no_model() -> None:
    wanted = {
        "AWS/Lambda": [{"Name": "FunctionName", "Value": {"Ref": "Scorer"}}],
        "AWS/States": [{"Name": "StateMachineArn", "Value": {"Ref": "SegmentWalk"}}],
        "SegmentScorer": [{"Name": "function_name", "Value": {"Ref": "Scorer"}}],
    }
    for alarm in resources_of("AWS::CloudWatch::Alarm", SegmentBucket="segments").values():
        assert alarm.get("Dimensions") == wanted.get(alarm["Namespace"])


def test_without_a_bucket_there_is_no_alarm_on_a_state_machine() -> None:
    assert "SegmentWalkAlarm" not in resources_of("AWS::CloudWatch::Alarm")


def test_without_a_topic_alarms_have_no_action() -> None:
    assert not [
        alarm
        for alarm in resources_of("AWS::CloudWatch::Alarm").values()
        if "AlarmActions" in alarm
    ]


def test_alarms_read_metrics_that_the_function_really_writes_at_every_log_level(
    tmp_path: Path,
) -> None:
    stream = io.StringIO()
    environ = {
        "SCORER_BUNDLE": str(make_external_bundle(tmp_path / "bundle")),
        "SCORER_LOG_LEVEL": "ERROR",
    }
    store = FakeStore(error=ExternalUnavailable("down"))
    build_handler(environ, external=store, stream=stream)(
        {"Endpoints": {"a": {"User": {"UserId": "u"}}}}, None
    )
    *_, line = stream.getvalue().splitlines()
    record = check_emf(line)
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    written = {
        (directive["Namespace"], metric["Name"], frozenset(dimensions))
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }
    read = {
        (alarm["Namespace"], alarm["MetricName"], frozenset(each["Name"] for each in named))
        for alarm in resources_of("AWS::CloudWatch::Alarm").values()
        if (named := alarm.get("Dimensions")) and not alarm["Namespace"].startswith("AWS/")
    }
    assert len(read) == 3
    assert read <= written
    assert record["external_failed"] == 1


def test_no_alarm_reads_a_log_line() -> None:
    assert not resources_of("AWS::Logs::MetricFilter")


def test_the_functions_environment_holds_only_settings_that_the_function_knows() -> None:
    # Without parameters the image's own ENV applies, such as the sidecar's SCORER_TARGET.
    assert with_parameters(SCORER)["Environment"]["Variables"] == {}
    given = {
        "ScorerTarget": "dns:///scoring.example.com:8081",
        "ScorerTls": "true",
        "ScorerFallback": "none",
        "ExternalTable": "people",
    }
    variables = with_parameters(SCORER, **given)["Environment"]["Variables"]
    assert len(variables) == len(given)
    settings = read_settings(variables)
    assert settings.remote is not None
    assert (settings.remote.target, settings.remote.tls, settings.fallback) == (
        "dns:///scoring.example.com:8081",
        True,
        "none",
    )
    assert settings.external.store == "dynamodb:people"


def test_every_setting_that_the_image_makes_is_one_that_the_template_leaves_alone_unless_told() -> (
    None
):
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert set(re.findall(r"(SCORER_\w+)=", dockerfile)) == {"SCORER_TARGET"}
    assert "SCORER_TARGET" not in with_parameters(SCORER)["Environment"]["Variables"]


TARGETS = [
    *(
        "bundled",
        "localhost:8081",
        "dns:///scoring.example.com:8081",
        "unix:/tmp/segment-scorer.sock",
        "unix:/tmp/with space",
        "[::1]:8081",
    ),
    *(
        "dns:///[::1]:1",
        "a_b-c.d:0",
        "h:65535",
        "h:65536",
        "h:65529",
        "h:65530",
        "h:66000",
        "h:70000",
        "h:99999",
        "h:00080",
        "h:09999",
    ),
    *(
        "h:123456",
        "h:",
        "h",
        ":80",
        "dns://h:1",
        "dns:///unix:/x",
        "unix:",
        "unix:/",
        "unix:x",
        "ipv4:1.2.3.4:5",
        "http://h:80",
        "h:8O",
    ),
    *(
        "bundled ",
        " bundled",
        "Bundled",
        "h:1\n",
        "h\u00e4:1",
        "h:\u0661",
        "[::1]",
        "[g]:1",
        "bundledh:1",
    ),
]


def is_target(text: str) -> bool:
    try:
        read_settings({"SCORER_TARGET": text})
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize("text", TARGETS)
def test_the_template_takes_as_a_target_just_what_the_function_takes(text: str) -> None:
    assert bool(
        re.fullmatch(TEMPLATE["Parameters"]["ScorerTarget"]["AllowedPattern"], text)
    ) == is_target(text)


def test_the_template_takes_every_port_that_the_function_takes_and_no_target_at_all() -> None:
    pattern = re.compile(TEMPLATE["Parameters"]["ScorerTarget"]["AllowedPattern"])
    assert pattern.fullmatch("")
    assert [port for port in range(100_000) if pattern.fullmatch(f"h:{port}")] == list(
        range(65_536)
    )


RULES = [
    ({}, True),
    ({"PinpointApplicationId": APPLICATION, "PinpointCampaignId": CAMPAIGN}, True),
    ({"PinpointApplicationId": "*"}, True),
    ({"PinpointApplicationId": "*", "PinpointCampaignId": CAMPAIGN}, False),
    ({"PinpointCampaignId": CAMPAIGN}, False),
    (VPC, True),
    ({"SubnetIds": VPC["SubnetIds"]}, False),
    ({"SecurityGroupIds": VPC["SecurityGroupIds"]}, False),
]


@pytest.mark.parametrize(("given", "taken"), RULES)
def test_a_parameter_that_would_do_nothing_or_too_much_alone_breaks_a_rule(
    given: dict[str, str], taken: bool
) -> None:
    applying = [
        rule
        for rule in TEMPLATE["Rules"].values()
        if with_parameters(rule["RuleCondition"], **given)
    ]
    assertions = [assertion for rule in applying for assertion in rule["Assertions"]]
    assert all(with_parameters(assertion["Assert"], **given) for assertion in assertions) is taken
    assert all(assertion["AssertDescription"] for assertion in assertions)


@pytest.mark.parametrize(
    ("name", "text", "taken"),
    [
        ("SubnetIds", "", True),
        ("SubnetIds", "subnet-0a1b2c3d", True),
        ("SubnetIds", "subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d", True),
        ("SubnetIds", "subnet-0a1b2c3d, subnet-0a1b2c3d", False),
        ("SubnetIds", "sg-0a1b2c3d", False),
        ("SecurityGroupIds", "sg-0a1b2c3d,sg-0a1b2c3e", True),
        ("SecurityGroupIds", "sg-0a1b2c3d,", False),
    ],
)
def test_a_list_of_ids_is_ids_with_commas_between(name: str, text: str, taken: bool) -> None:
    assert bool(re.fullmatch(TEMPLATE["Parameters"][name]["AllowedPattern"], text)) is taken


def test_a_new_revision_changes_the_function_so_that_lambda_publishes_a_version() -> None:
    described = {
        with_parameters(SCORER, Revision=revision)["Description"]
        for revision in ("a" * 32, "b" * 32)
    }
    assert len(described) == 2
    # Lambda's limit is 256, and a Revision may have 64 characters instead of 32.
    assert max(map(len, described)) <= 256 - 32


def test_a_table_of_profiles_is_a_setting_and_a_permission_only_when_it_is_named() -> None:
    assert "SCORER_EXTERNAL" not in with_parameters(SCORER)["Environment"]["Variables"]
    assert resources_of("AWS::IAM::Policy").keys() == set()
    variables = with_parameters(SCORER, ExternalTable="people")["Environment"]["Variables"]
    assert read_settings(variables).external.store == "dynamodb:people"
    (policy,) = resources_of("AWS::IAM::Policy", ExternalTable="people").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == "arn:aws:dynamodb:us-east-1:123456789012:table/people"


def test_no_reserved_concurrency_is_the_default_and_a_number_reserves() -> None:
    assert "ReservedConcurrentExecutions" not in with_parameters(SCORER)
    assert with_parameters(SCORER, ReservedConcurrency="20")["ReservedConcurrentExecutions"] == "20"


def test_logs_are_kept_for_a_stated_time_in_a_group_that_the_stack_owns() -> None:
    assert SCORER["LoggingConfig"] == {"LogGroup": {"Ref": "ScorerLogs"}}
    assert RESOURCES["ScorerLogs"]["Properties"] == {"RetentionInDays": {"Ref": "LogRetentionDays"}}


def test_the_template_is_small_enough_to_be_deployed_without_a_bucket() -> None:
    # CloudFormation's limit for a template inside a request.
    assert FILE.stat().st_size < 51_200
