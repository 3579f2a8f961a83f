"""Rules of the template that no linter knows: time limits, cold starts, permissions."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from function.batch_record import OMITTED_AT_ZERO
from function.bootstrap import build_handler
from function.errors import ExternalUnavailable, SettingsError
from function.settings import read_settings
from segment_scorer.deploy.pretraffic import NEW_VERSION, handle
from segment_scorer.deploy.statements import (
    AwsAccount,
    ConnectPrincipal,
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


def is_for_url(permission: dict[str, Any]) -> bool:
    return "FunctionUrlAuthType" in permission or "InvokedViaFunctionUrl" in permission


ROLE = "arn:aws:iam::123456789012:role/sender"
WEB_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:web-AbCdEf"


@pytest.mark.parametrize(
    ("given", "auth", "principal"),
    [
        ({}, None, None),
        ({"WebAccess": "iam"}, "AWS_IAM", None),
        ({"WebAccess": "iam", "WebPrincipal": ROLE}, "AWS_IAM", ROLE),
        ({"WebAccess": "secret", "WebSecretArn": WEB_ARN}, "NONE", "*"),
    ],
)
def test_a_url_is_an_option_with_both_permissions_that_it_needs_on_the_alias(
    given: dict[str, str], auth: str | None, principal: str | None
) -> None:
    urls = resources_of("AWS::Lambda::Url", **given)
    assert [(url["AuthType"], url["Qualifier"]) for url in urls.values()] == (
        [(auth, "live")] if auth else []
    )
    permissions = resources_of("AWS::Lambda::Permission", **given).values()
    found = [
        (each["Action"], each.get("FunctionUrlAuthType"), each.get("InvokedViaFunctionUrl"))
        for each in permissions
    ]
    assert found == (
        [
            ("lambda:InvokeFunctionUrl", auth, None),
            ("lambda:InvokeFunction", None, True),
        ]
        if principal
        else []
    )
    assert {each["Principal"] for each in permissions} == ({principal} if principal else set())


def test_the_secrets_of_a_url_are_read_from_secrets_manager_and_from_nowhere_else() -> None:
    variables = with_parameters(SCORER, WebAccess="secret", WebSecretArn=WEB_ARN)["Environment"]
    assert variables["Variables"] == {
        "SCORER_WEB_SECRETS": f"{{{{resolve:secretsmanager:{WEB_ARN}:SecretString}}}}"
    }


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        ({}, []),
        ({"WebAccess": "iam"}, ["WebIsLimited"]),
        ({"WebAccess": "iam", "ReservedConcurrency": "20"}, []),
        ({"WebAccess": "secret", "ReservedConcurrency": "20"}, ["WebSecretIsNamed"]),
    ],
)
def test_a_url_needs_reserved_concurrency_and_its_secret(
    given: dict[str, str], broken: list[str]
) -> None:
    rules = {name: rule for name, rule in TEMPLATE["Rules"].items() if name.startswith("Web")}
    assert [
        name
        for name, rule in rules.items()
        if with_parameters(rule["RuleCondition"], **given)
        and not with_parameters(rule["Assertions"][0]["Assert"], **given)
    ] == broken


def test_every_permission_is_on_the_alias_for_one_action_with_account_and_source() -> None:
    permissions = [
        each["Properties"]
        for each in RESOURCES.values()
        if each["Type"] == "AWS::Lambda::Permission" and not is_for_url(each["Properties"])
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
            {"ConnectInstanceId": INSTANCE, "ConnectPrincipal": ConnectPrincipal.CONNECT.value},
            allow_connect(ACCOUNT, INSTANCE, ConnectPrincipal.CONNECT),
        ),
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


@pytest.mark.parametrize("role", ["ScorerRole", "SegmentWalkRole", "TrialRole", "RolloutRole"])
def test_no_role_holds_a_wildcard_action_or_every_resource(role: str) -> None:
    statements = policies_of(role, ExternalTable="people", SegmentBucket="segments")
    assert statements
    for statement in statements:
        assert not [action for action in actions_of(statement) if "*" in action]
        if statement["Resource"] == "*":  # the action accepts no narrower resource
            assert statement["Action"] == "cloudwatch:PutMetricData"
            assert statement["Condition"] == {
                "StringEquals": {"cloudwatch:namespace": "SegmentScorer"}
            }


def test_traces_are_written_only_when_they_are_asked_for() -> None:
    assert with_parameters(SCORER)["Tracing"] == "PassThrough"
    assert "xray:PutTraceSegments" not in [
        action for each in policies_of("ScorerRole") for action in actions_of(each)
    ]
    assert with_parameters(SCORER, Tracing="Active")["Tracing"] == "Active"
    for role in ("ScorerRole", "SegmentWalkRole"):
        (statement,) = [
            each
            for each in policies_of(role, Tracing="Active", SegmentBucket="segments")
            if "xray:PutTraceSegments" in actions_of(each)
        ]
        assert statement["Resource"] == "*"


KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789abc"


@pytest.mark.parametrize(
    ("parameter", "role", "through"),
    [
        ("EnvironmentKeyArn", "ScorerRole", None),
        ("TableKeyArn", "ScorerRole", "dynamodb.us-east-1.amazonaws.com"),
        ("BucketKeyArn", "SegmentWalkRole", "s3.us-east-1.amazonaws.com"),
    ],
)
def test_a_key_of_your_own_comes_with_the_right_to_use_it_and_no_other(
    parameter: str, role: str, through: str | None
) -> None:
    def keys(**given: str) -> list[dict[str, Any]]:
        return [
            each
            for each in policies_of(role, SegmentBucket="segments", **given)
            if any(action.startswith("kms:") for action in actions_of(each))
        ]

    assert keys() == []
    (statement,) = keys(**{parameter: KEY})
    assert statement["Resource"] == KEY
    condition = {"StringEquals": {"kms:ViaService": through}} if through else None
    assert statement.get("Condition") == condition
    pattern = TEMPLATE["Parameters"][parameter]["AllowedPattern"]
    assert re.fullmatch(pattern, KEY)
    assert not re.fullmatch(pattern, "arn:aws:kms:us-east-1:123456789012:alias/mine")


def test_keys_of_your_own_encrypt_the_environment_and_the_logs() -> None:
    assert "KmsKeyArn" not in with_parameters(SCORER)
    assert with_parameters(SCORER, EnvironmentKeyArn=KEY)["KmsKeyArn"] == KEY
    for group in resources_of("AWS::Logs::LogGroup", LogKeyArn=KEY).values():
        assert group["KmsKeyId"] == KEY


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("AllAtOnce", "CodeDeployDefault.LambdaAllAtOnce"),
        ("Canary", "CodeDeployDefault.LambdaCanary10Percent10Minutes"),
        ("Linear", "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"),
    ],
)
def test_a_rollout_is_one_of_codedeploys_and_begins_with_the_trial(choice: str, name: str) -> None:
    preference = SCORER["DeploymentPreference"]
    assert TEMPLATE["Mappings"]["Rollouts"][choice]["Type"] == name
    assert TEMPLATE["Parameters"]["Rollout"]["AllowedValues"] == ["AllAtOnce", "Canary", "Linear"]
    assert preference["Type"] == {"Fn::FindInMap": ["Rollouts", {"Ref": "Rollout"}, "Type"]}
    assert preference["Hooks"] == {"PreTraffic": {"Ref": "Trial"}}


def test_the_trial_may_call_a_version_and_tell_codedeploy_and_nothing_else() -> None:
    statements = {
        action: statement["Resource"]
        for statement in policies_of("TrialRole")
        for action in actions_of(statement)
    }
    assert statements.keys() == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "lambda:InvokeFunction",
        "codedeploy:PutLifecycleEventHookExecutionStatus",
    }
    assert statements["lambda:InvokeFunction"] == "${Scorer.Arn}:*"
    trial = RESOURCES["Trial"]["Properties"]
    assert trial["Environment"]["Variables"] == {NEW_VERSION: {"Ref": "Scorer.Version"}}
    assert trial["Handler"] == f"{handle.__module__}.{handle.__name__}"


def test_codedeploy_may_move_the_alias_and_call_the_trial_and_nothing_else() -> None:
    assert sorted(
        action for statement in policies_of("RolloutRole") for action in actions_of(statement)
    ) == [
        "cloudwatch:DescribeAlarms",
        "lambda:GetAlias",
        "lambda:GetProvisionedConcurrencyConfig",
        "lambda:InvokeFunction",
        "lambda:UpdateAlias",
    ]


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
    assert statements["s3:GetObject"] == "arn:aws:s3:::segments/exports/*"


TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
OWN = [{"Name": "function_name", "Value": {"Ref": "Scorer"}}]
NEWEST = [*OWN, {"Name": "function_version", "Value": {"Fn::GetAtt": "Scorer.Version.Version"}}]
EVERYTHING = {"SegmentBucket": "segments", "WebAccess": "iam", "AlarmTopicArn": TOPIC}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm reads: its one metric, or those of its expression."""
    if "Metrics" not in alarm:
        return [alarm]
    return [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]


def alarms_of(**given: str) -> dict[str, dict[str, Any]]:
    return resources_of("AWS::CloudWatch::Alarm", **given)


def test_there_is_an_alarm_on_whatever_nobody_would_see() -> None:
    alarms = alarms_of(**EVERYTHING)
    assert {
        name: [metric["MetricName"] for metric in metrics_of(alarm)]
        for name, alarm in alarms.items()
    } == {
        "ErrorsAlarm": ["Errors"],
        "DurationAlarm": ["Duration"],
        "ThrottlesAlarm": ["Throttles"],
        "WebRefusedAlarm": ["Url4xxCount"],
        "WebFailedAlarm": ["Url5xxCount"],
        "FallbackAlarm": ["fallback_used"],
        "UnscoredAlarm": ["unscored"],
        "UnreadableAlarm": ["unreadable"],
        "ExternalAlarm": ["external_failed"],
        "KeptAlarm": ["received", "kept"],
        "MissingAlarm": ["received", "missing_share"],
        "RolloutErrorsAlarm": ["Errors"],
        "RolloutUnscoredAlarm": ["unscored"],
        "RolloutFallbackAlarm": ["fallback_used"],
        "RolloutKeptAlarm": ["received", "kept"],
        "SegmentWalkAlarm": ["ExecutionsFailed"],
        "SegmentWalkTimeoutAlarm": ["ExecutionsTimedOut"],
        "SegmentWalkAbortedAlarm": ["ExecutionsAborted"],
        "SegmentWalkBatchesAlarm": ["failed_batches"],
    }
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == [TOPIC]
        assert alarm["TreatMissingData"] == "notBreaching"
    assert float(alarms["DurationAlarm"]["Threshold"]) < 15_000


def test_every_alarm_names_the_function_or_the_state_machine() -> None:
    wanted = {
        "AWS/Lambda": [{"Name": "FunctionName", "Value": {"Ref": "Scorer"}}],
        "AWS/States": [{"Name": "StateMachineArn", "Value": {"Ref": "SegmentWalk"}}],
        "SegmentScorer": OWN,
    }
    for name, alarm in alarms_of(**EVERYTHING).items():
        for metric in metrics_of(alarm):
            if not name.startswith("Rollout"):
                assert metric["Dimensions"] == wanted[metric["Namespace"]], name


def test_an_alarm_that_rolls_a_version_back_watches_the_newest_version_alone() -> None:
    rollout = {name: each for name, each in alarms_of().items() if name.startswith("Rollout")}
    preference = SCORER["DeploymentPreference"]
    assert preference["Alarms"] == [{"Ref": name} for name in rollout]
    for alarm in rollout.values():
        for metric in metrics_of(alarm):
            if metric["Namespace"] == "SegmentScorer":
                assert metric["Dimensions"] == NEWEST
            else:
                assert metric["Dimensions"] == [
                    {"Name": "FunctionName", "Value": {"Ref": "Scorer"}},
                    {"Name": "Resource", "Value": "${Scorer}:live"},
                    {
                        "Name": "ExecutedVersion",
                        "Value": {"Fn::GetAtt": "Scorer.Version.Version"},
                    },
                ]
        period = alarm.get("Period") or alarm["Metrics"][1]["MetricStat"]["Period"]
        assert period == 60  # a canary lasts ten minutes


def test_without_a_bucket_there_is_no_alarm_on_a_state_machine() -> None:
    assert not [name for name in alarms_of() if name.startswith("SegmentWalk")]


def test_without_a_topic_alarms_have_no_action() -> None:
    assert not [alarm for alarm in alarms_of().values() if "AlarmActions" in alarm]


def read_record(tmp_path: Path) -> dict[str, Any]:
    """The record of a batch, as the function writes it."""
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
    return check_emf(line)


def list_own_metrics() -> set[tuple[str, tuple[str, ...]]]:
    """Name and dimensions of every metric of the function that an alarm or the dashboard reads."""
    found = {
        (metric["MetricName"], tuple(each["Name"] for each in metric["Dimensions"]))
        for alarm in alarms_of(**EVERYTHING).values()
        for metric in metrics_of(alarm)
        if metric["Namespace"] == "SegmentScorer"
    }
    for widget in read_dashboard()["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if metric[0] == "SegmentScorer":
                found.add((metric[1], (metric[2],)))
    # The state machine writes this one.
    return found - {("failed_batches", ("function_name",))}


def read_dashboard() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    )
    return body


def test_alarms_and_dashboard_read_metrics_that_the_function_writes_at_every_level(
    tmp_path: Path,
) -> None:
    record = read_record(tmp_path)
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "SegmentScorer"
    names = {metric["Name"] for metric in directive["Metrics"]}
    sets = {tuple(each) for each in directive["Dimensions"]}
    read = list_own_metrics()
    assert {"kept", "unreadable", "external_failed", "scoring_ms"} <= {name for name, _ in read}
    for name, dimensions in read:
        assert name in names | OMITTED_AT_ZERO, name
        assert dimensions in sets, name


def test_the_record_always_has_what_an_alarm_reads() -> None:
    alarmed = {m["MetricName"] for a in alarms_of(**EVERYTHING).values() for m in metrics_of(a)}
    assert {"kept", "unscored"} <= alarmed
    assert not alarmed & OMITTED_AT_ZERO


def test_no_alarm_reads_a_log_line() -> None:
    assert not resources_of("AWS::Logs::MetricFilter")


def test_the_dashboard_shows_every_alarm_of_the_function() -> None:
    (shown,) = [each for each in read_dashboard()["widgets"] if each["type"] == "alarm"]
    assert set(shown["properties"]["alarms"]) == {
        f"${{{name}.Arn}}" for name in alarms_of() if not name.startswith("Rollout")
    }


@pytest.mark.parametrize(
    ("received", "kept", "raised"),
    [(199, 0, 0), (200, 0, 1), (200, 3, 1), (200, 4, 0), (200, 200, 0), (1000, 500, 0)],
)
def test_a_share_raises_its_alarm_outside_its_bounds_and_from_a_number_of_people(
    received: int, kept: int, raised: int
) -> None:
    (expression,) = [
        each["Expression"] for each in alarms_of()["KeptAlarm"]["Metrics"] if "Expression" in each
    ]
    condition, yes, no = expression.removeprefix("IF(").removesuffix(")").rsplit(", ", 2)
    python = condition.replace("AND", "and").replace("OR", "or")
    outside = eval(python, {"received": received, "kept": kept})  # noqa: S307  # the template's own text
    assert int(yes if outside else no) == raised


RUNBOOK = (ROOT / "docs" / "operations.md").read_text("utf-8")


def test_every_alarm_has_a_row_in_the_runbook_that_its_description_names() -> None:
    table = RUNBOOK[RUNBOOK.index("## Alarms") :].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", table, re.MULTILINE)
    assert {name for name, *_ in rows} == set(alarms_of(**EVERYTHING))
    assert all(len(cell) > 10 for _, *cells in rows for cell in cells)
    for name, alarm in alarms_of(**EVERYTHING).items():
        assert alarm["AlarmDescription"].endswith(
            f" Runbook: docs/operations.md#alarms, {name}."
        ), name


def test_the_functions_environment_holds_only_settings_that_the_function_knows() -> None:
    # Without parameters the image's own ENV applies, such as the sidecar's SCORER_TARGET.
    assert with_parameters(SCORER)["Environment"]["Variables"] == {}
    given = {
        "ScorerTarget": "dns:///scoring.example.com:8081",
        "ScorerTls": "true",
        "ScorerFallback": "none",
        "ExternalTable": "people",
        "PolicyPath": "/var/task/policies/spring.toml",
        "BundlePath": "/var/task/bundles/spring",
        "LogLevel": "WARNING",
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
    assert (str(settings.policy), str(settings.bundle), settings.log_level) == (
        given["PolicyPath"],
        given["BundlePath"],
        given["LogLevel"],
    )


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


def test_logs_are_kept_for_a_stated_time_in_groups_that_survive_the_stack() -> None:
    assert SCORER["LoggingConfig"] == {"LogGroup": {"Ref": "ScorerLogs"}}
    groups = {name for name, each in RESOURCES.items() if each["Type"] == "AWS::Logs::LogGroup"}
    assert groups == {"ScorerLogs", "TrialLogs"}
    for name in groups:
        assert RESOURCES[name]["DeletionPolicy"] == "Retain"
        assert with_parameters(RESOURCES[name]["Properties"]) == {"RetentionInDays": "30"}


def test_every_exception_from_checkov_says_why() -> None:
    skipped = [
        each
        for resource in RESOURCES.values()
        for each in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert len(skipped) == 5
    reasons = [each["comment"] for each in skipped]
    manifests = ROOT / "segment_scorer" / "deploy" / "kubernetes" / "scoring-service.yaml"
    for manifest in yaml.safe_load_all(manifests.read_text("utf-8")):
        annotations = manifest["metadata"]["annotations"]
        reasons += [text.partition("=")[2] for text in annotations.values()]
    assert len(reasons) == 10
    assert all(len(reason.split()) > 3 for reason in reasons)


def test_the_template_is_small_enough_for_cloudformation() -> None:
    # CloudFormation's limit for a template in a bucket, where SAM puts it with the trial's code.
    assert FILE.stat().st_size < 1_000_000
