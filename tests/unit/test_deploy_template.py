"""The template's rules that no linter sees: the hosts' 15 s, one form of cold start, permissions on the alias, least privilege."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from deploy.statements import Function, Place, Statement, allow_connect, allow_pinpoint
from function.bootstrap import build_handler
from function.settings import READERS, read_settings
from tests.templates import TEMPLATE as FILE
from tests.templates import load_template, resolve

TEMPLATE = load_template()
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
SCORER = RESOURCES["Scorer"]["Properties"]
APPLICATION, CAMPAIGN, INSTANCE = "a" * 32, "c" * 32, "12345678-1234-1234-1234-123456789abc"
PLACE = Place(partition="aws", region="us-east-1", account="123456789012")
PSEUDO = {"AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws", "AWS::StackName": "scorer"}
DEFAULTS = {name: str(parameter.get("Default", "")) for name, parameter in TEMPLATE["Parameters"].items()}


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
def test_cold_start_is_one_choice_and_never_both(choice: str, snapstart: Any, provisioned: Any) -> None:
    scorer = with_parameters(SCORER, ColdStart=choice)
    assert (scorer.get("SnapStart"), scorer.get("ProvisionedConcurrencyConfig")) == (snapstart, provisioned)
    assert TEMPLATE["Parameters"]["ColdStart"]["AllowedValues"] == ["none", "snapstart", "provisioned"]


def test_both_forms_of_cold_start_act_on_a_published_version_behind_the_alias() -> None:
    assert SCORER["AutoPublishAlias"] == "live"
    assert SCORER["AutoPublishCodeSha256"] == {"Ref": "Revision"}
    assert "Default" not in TEMPLATE["Parameters"]["Revision"]


def test_every_permission_is_on_the_alias_for_one_action_with_account_and_source() -> None:
    permissions = [each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::Lambda::Permission"]
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
        ({"PinpointApplicationId": "*"}, allow_pinpoint(PLACE)),
        ({"PinpointApplicationId": APPLICATION}, allow_pinpoint(PLACE, APPLICATION)),
        ({"PinpointApplicationId": APPLICATION, "PinpointCampaignId": CAMPAIGN}, allow_pinpoint(PLACE, APPLICATION, CAMPAIGN)),
        ({"ConnectInstanceId": INSTANCE}, allow_connect(PLACE, INSTANCE)),
        (
            {"PinpointApplicationId": APPLICATION, "ConnectInstanceId": INSTANCE},
            (*allow_pinpoint(PLACE, APPLICATION), *allow_connect(PLACE, INSTANCE)),
        ),
    ],
)
def test_the_stack_permits_just_what_the_command_grants(given: dict[str, str], statements: tuple[Statement, ...]) -> None:
    function = Function(place=PLACE, name="scorer", qualifier="live")
    wanted = [
        {key: value for key, value in one.parameters(function).items() if key in {"Principal", "SourceAccount", "SourceArn"}}
        for one in statements
    ]
    found = [
        {key: value for key, value in permission.items() if key in {"Principal", "SourceAccount", "SourceArn"}}
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
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(TEMPLATE["Parameters"])


def test_an_image_is_named_by_digest_and_never_by_tag() -> None:
    pattern = TEMPLATE["Parameters"]["ImageUri"]["AllowedPattern"]
    assert pattern.endswith("@sha256:[0-9a-f]{64}")


def policies_of(role: str) -> list[dict[str, Any]]:
    inline = [each["PolicyDocument"] for each in RESOURCES[role]["Properties"].get("Policies", [])]
    attached = [
        each["Properties"]["PolicyDocument"]
        for each in RESOURCES.values()
        if each["Type"] == "AWS::IAM::Policy" and {"Ref": role} in each["Properties"]["Roles"]
    ]
    return [statement for document in inline + attached for statement in document["Statement"]]


def actions_of(statement: dict[str, Any]) -> list[str]:
    return [statement["Action"]] if isinstance(statement["Action"], str) else list(statement["Action"])


def test_the_functions_role_writes_its_log_reads_its_table_and_does_nothing_else() -> None:
    assert sorted(action for statement in policies_of("ScorerRole") for action in actions_of(statement)) == [
        "dynamodb:BatchGetItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ]
    assert "ManagedPolicyArns" not in RESOURCES["ScorerRole"]["Properties"]


@pytest.mark.parametrize("role", ["ScorerRole", "SegmentWalkRole"])
def test_no_role_holds_a_wildcard_action_or_every_resource(role: str) -> None:
    for statement in policies_of(role):
        assert not [action for action in actions_of(statement) if "*" in action]
        assert statement["Resource"] != "*"


def test_the_state_machine_may_start_its_own_map_and_call_only_the_alias() -> None:
    statements = {action: statement["Resource"] for statement in policies_of("SegmentWalkRole") for action in actions_of(statement)}
    assert statements["lambda:InvokeFunction"] == {"Ref": "Scorer.Alias"}
    assert statements["states:StartExecution"] == {"Ref": "SegmentWalk"}
    assert statements["s3:PutObject"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::${SegmentBucket}/${ResultPrefix}/*"}


def test_there_are_alarms_on_errors_duration_fallback_and_unscored() -> None:
    alarms = resources_of("AWS::CloudWatch::Alarm", AlarmTopicArn="arn:aws:sns:us-east-1:123456789012:topic")
    assert sorted(alarm["MetricName"] for alarm in alarms.values()) == ["Duration", "Errors", "fallback_used", "unscored"]
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == ["arn:aws:sns:us-east-1:123456789012:topic"]
        assert alarm["TreatMissingData"] == "notBreaching"
    assert float(alarms["DurationAlarm"]["Threshold"]) < 15_000


def test_without_a_topic_alarms_have_no_action() -> None:
    assert not [alarm for alarm in resources_of("AWS::CloudWatch::Alarm").values() if "AlarmActions" in alarm]


def test_the_log_metrics_read_fields_that_the_function_really_writes() -> None:
    stream = io.StringIO()
    build_handler({}, stream=stream)({"Endpoints": {"a": {}}}, None)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (batch,) = [line for line in lines if line.get("message") == "batch"]
    filters = resources_of("AWS::Logs::MetricFilter")
    assert len(filters) == 2
    for each in filters.values():
        field = each["MetricTransformations"][0]["MetricValue"].removeprefix("$.")
        assert isinstance(batch[field], int), field
        assert each["FilterPattern"] == f'{{ $.message = "batch" && $.{field} > 0 }}'


def test_the_alarm_on_a_log_metric_reads_what_its_filter_writes() -> None:
    written = {
        (each["MetricTransformations"][0]["MetricNamespace"], each["MetricTransformations"][0]["MetricName"])
        for each in resources_of("AWS::Logs::MetricFilter").values()
    }
    read = {(each["Namespace"], each["MetricName"]) for each in resources_of("AWS::CloudWatch::Alarm").values()}
    assert {pair for pair in read if pair[0] != "AWS/Lambda"} == written


def test_the_functions_environment_holds_only_settings_that_the_function_knows() -> None:
    variables = with_parameters(SCORER)["Environment"]["Variables"]
    assert set(variables) <= set(READERS)
    build_handler(variables, stream=io.StringIO())


def test_a_table_of_profiles_is_a_setting_and_a_permission_only_when_it_is_named() -> None:
    assert "SCORER_PROFILES" not in with_parameters(SCORER)["Environment"]["Variables"]
    assert resources_of("AWS::IAM::Policy").keys() == set()
    variables = with_parameters(SCORER, ProfilesTable="people")["Environment"]["Variables"]
    assert read_settings(variables).profiles == "dynamodb:people"
    (policy,) = resources_of("AWS::IAM::Policy", ProfilesTable="people").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == "arn:aws:dynamodb:us-east-1:123456789012:table/people"


def test_no_reserved_concurrency_is_the_default_and_a_number_reserves() -> None:
    assert "ReservedConcurrentExecutions" not in with_parameters(SCORER)
    assert with_parameters(SCORER, ReservedConcurrency="20")["ReservedConcurrentExecutions"] == "20"


def test_logs_are_kept_for_a_stated_time_in_a_group_that_the_stack_owns() -> None:
    assert SCORER["LoggingConfig"] == {"LogGroup": {"Ref": "ScorerLogs"}}
    assert RESOURCES["ScorerLogs"]["Properties"] == {"RetentionInDays": {"Ref": "LogRetentionDays"}}


def test_the_template_is_small_enough_to_be_deployed_without_a_bucket() -> None:
    assert FILE.stat().st_size < 51_200  # CloudFormation's limit for a template in the request itself
