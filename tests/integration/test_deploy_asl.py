"""The template and its state machine under cfn-lint, SAM, asl-validator and JSONata's reference.

Each tool must also reject something broken, or its approval would mean nothing. Neither cfn-lint
nor SAM checks a state machine inside a SAM resource, so cfn-lint gets it as CloudFormation's own.
cfn-lint and SAM's translator run once for all tests, since starting them takes seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws import run_moto
from tests.templates import ROOT, TEMPLATE, load_definition, program
from tests.unit.test_deploy_statemachine import (
    CONTEXT,
    NO_ENDPOINTS,
    SCORE,
    WALK,
    evaluate,
    full_endpoint,
)
from tools.release.sam_command import derive_revision

HERE = Path(__file__).parent / "asl"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scorer"


def run(
    *command: str | Path, given: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", **environ}
    return subprocess.run(
        list(map(str, command)),
        input=given,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def sam() -> str:
    return program("sam")


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The npm packages of tests/integration/asl, by their lock."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip(
            "asl-validator and JSONata's reference need npm, which is not installed; "
            "cfn-lint's schema and jsonata-python check the state machine"
        )
    folder = tmp_path_factory.mktemp("asl")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    done = run("npm", "ci", "--silent", "--ignore-scripts", "--prefix", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "node_modules"


def as_cloudformation(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition as CloudFormation's own resource.

    Two numbers replace expressions, which AWS accepts and cfn-lint's schema does not.
    """
    walk = {
        **definition["States"]["WalkSegment"],
        "MaxConcurrency": 10,
        "ToleratedFailurePercentage": 5,
    }
    if "ItemBatcher" in walk:
        walk["ItemBatcher"] = {**walk["ItemBatcher"], "MaxInputBytesPerBatch": 200_000}
    definition = {**definition, "States": {**definition["States"], "WalkSegment": walk}}
    role = "arn:aws:iam::123456789012:role/walk"
    return {
        "Resources": {
            "Walk": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"RoleArn": role, "Definition": definition},
            }
        }
    }


def break_item_processor(definition: dict[str, Any]) -> None:
    del definition["States"]["WalkSegment"]["ItemProcessor"]["States"]["ScoreBatch"]["Resource"]


def misspell_batcher(definition: dict[str, Any]) -> None:
    definition["States"]["WalkSegment"]["ItemBacher"] = definition["States"]["WalkSegment"].pop(
        "ItemBatcher"
    )


def use_json_path(definition: dict[str, Any]) -> None:
    task = definition["States"]["WalkSegment"]["ItemProcessor"]["States"]["ScoreBatch"]
    task["Parameters"] = task.pop("Arguments")


BREAKS = [break_item_processor, misspell_batcher, use_json_path]


@pytest.fixture(scope="session")
def lint_results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The rules that cfn-lint finds violated, by file: sound and broken ones."""
    folder = tmp_path_factory.mktemp("lint")
    template = TEMPLATE.read_text("utf-8")
    misnamed = template.replace("MemorySize: !Ref MemorySize", "MemorySize: !Ref Memory")
    assert misnamed != template
    files = {
        "template.yaml": template,
        "misnamed.yaml": misnamed,
        "walk.json": json.dumps(as_cloudformation(load_definition())),
    }
    for broken in BREAKS:
        definition = load_definition()
        broken(definition)
        files[f"{broken.__name__}.json"] = json.dumps(as_cloudformation(definition))
    for name, content in files.items():
        (folder / name).write_text(content)
    done = run(program("cfn-lint"), "--format", "json", *(folder / name for name in files))
    results: dict[str, list[str]] = {name: [] for name in files}
    for found in json.loads(done.stdout):
        results[Path(found["Filename"]).name].append(found["Rule"]["Id"])
    return results


def test_cfn_lint_finds_nothing_in_the_template_and_something_in_a_broken_one(
    lint_results: dict[str, list[str]],
) -> None:
    assert lint_results["template.yaml"] == []
    assert lint_results["misnamed.yaml"] != []


def test_cfn_lints_schema_accepts_the_state_machine(lint_results: dict[str, list[str]]) -> None:
    assert lint_results["walk.json"] == []


@pytest.mark.parametrize("broken", BREAKS)
def test_cfn_lints_schema_refuses_a_broken_state_machine(
    lint_results: dict[str, list[str]], broken: Callable[[dict[str, Any]], None]
) -> None:
    assert "E3601" in lint_results[f"{broken.__name__}.json"]


def test_asl_validator_accepts_the_state_machine(node_modules: Path, tmp_path: Path) -> None:
    (tmp_path / "walk.json").write_text(json.dumps(load_definition()))
    done = run(
        "node", node_modules / ".bin" / "asl-validator", "--json-path", tmp_path / "walk.json"
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("broken", BREAKS)
def test_asl_validator_refuses_a_broken_state_machine(
    node_modules: Path, tmp_path: Path, broken: Callable[[dict[str, Any]], None]
) -> None:
    definition = load_definition()
    broken(definition)
    (tmp_path / "walk.json").write_text(json.dumps(definition))
    assert (
        run(
            "node", node_modules / ".bin" / "asl-validator", "--json-path", tmp_path / "walk.json"
        ).returncode
        != 0
    )


def test_the_reference_implementation_of_jsonata_works_out_the_same(node_modules: Path) -> None:
    batch_input = evaluate(
        WALK["ItemBatcher"]["BatchInput"], {"input": {"key": "k"}, "context": CONTEXT}
    )
    batches = [
        [full_endpoint(1)],
        [{"Id": "a"}],
        [{"Id": "a", "Metrics": {"x": 1}}, {"Id": "b"}, {"Id": "a", "Metrics": {"x": 2}}],
        [full_endpoint(number) for number in range(50)],
        [
            {"Id": "a", "OptOut": "ALL"},
            {"Id": "b", "OptOut": "NONE"},
            {"Id": "c", "EndpointStatus": "INACTIVE"},
            {"Address": "x"},
        ],
        [],
        [line for line, _ in NO_ENDPOINTS],
        *([line] for line, _ in NO_ENDPOINTS),
    ]
    payloads: list[dict[str, Any]] = [
        {},
        {"a": {}},
        {"a": {"Metrics": {"x": 1}}, "b": {"Id": "b", "Attributes": {"Score": ["0.5"]}}},
    ]
    cases = [
        *(
            (SCORE["Arguments"]["Payload"], {"input": {"Items": items, "BatchInput": batch_input}})
            for items in batches
        ),
        *((SCORE["Output"], {"result": {"Payload": payload}}) for payload in payloads),
        *(
            (value, {"input": {"key": "k"}, "context": CONTEXT})
            for value in WALK["ItemBatcher"]["BatchInput"].values()
            if isinstance(value, str)
        ),
        *(
            (value, {})
            for value in (
                WALK["MaxConcurrency"],
                WALK["ToleratedFailurePercentage"],
                WALK["ItemBatcher"]["MaxInputBytesPerBatch"],
            )
        ),
    ]
    asked = [{"expression": text.strip()[2:-2], "states": states} for text, states in cases]
    done = run("node", HERE / "evaluate.mjs", node_modules, given=json.dumps(asked))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [evaluate(text, states) for text, states in cases]


def test_the_obvious_expression_loses_an_endpoint_with_only_an_id_and_ours_does_not(
    node_modules: Path,
) -> None:
    obvious = "$merge($states.input.Items.{Id: $sift($, function($value, $key) { $key != 'Id' })})"
    states = {"input": {"Items": [{"Id": "a"}, {"Id": "b", "Metrics": {"x": 1}}]}}
    done = run(
        "node",
        HERE / "evaluate.mjs",
        node_modules,
        given=json.dumps([{"expression": obvious, "states": states}]),
    )
    assert json.loads(done.stdout) == [{"b": {"Metrics": {"x": 1}}}]


def test_sam_finds_the_template_valid(sam: str) -> None:
    done = run(sam, "validate", "--lint", "--region", "us-east-1", "--template-file", TEMPLATE)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def aws() -> Iterator[dict[str, str]]:
    """Moto's server as the environment of an AWS tool."""
    with run_moto() as environ:
        yield environ


def test_sams_command_line_takes_what_make_deploy_gives_it_up_to_the_change_set(
    sam: str, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # moto finds the bucket of a template's address only in this form.
    (tmp_path / "config").write_text("[default]\ns3 =\n  addressing_style = path\n")
    aws = {
        **aws,
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL_S3": aws["AWS_ENDPOINT_URL"].replace("127.0.0.1", "localhost"),
    }
    command = [
        sys.executable,
        "-m",
        "tools.release.stack",
        "--stack",
        "scorer",
        "--image",
        f"{IMAGE}@sha256:{'0' * 64}",
    ]
    subnets = "subnet-0a1b2c3d,subnet-0a1b2c3e"
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="artifacts")
    done = run(
        *command,
        "--bucket",
        "artifacts",
        "--parameter",
        "MemorySize=2048",
        "--parameter",
        f"SubnetIds={subnets}",
        "--parameter",
        "ScorerTarget=",
        "--plan",
        **aws,
    )
    assert done.returncode == 0, done.stderr
    uploaded = boto3.client("s3").list_objects_v2(Bucket="artifacts", Prefix="scorer/")["Contents"]
    assert len(uploaded) == 2  # the trial's code and the template
    client = boto3.client("cloudformation")
    (summary,) = client.list_change_sets(StackName="scorer")["Summaries"]
    change = client.describe_change_set(ChangeSetName=summary["ChangeSetId"], StackName="scorer")
    given = {each["ParameterKey"]: each["ParameterValue"] for each in change["Parameters"]}
    assert (given["ImageUri"], given["MemorySize"], given["SubnetIds"]) == (
        f"{IMAGE}@sha256:{'0' * 64}",
        "2048",
        subnets,
    )
    assert given["ScorerTarget"] == ""


def test_a_deployment_that_sam_refuses_is_one_sentence_after_sams_own(
    sam: str, aws: dict[str, str]
) -> None:
    command = [
        sys.executable,
        "-m",
        "tools.release.stack",
        "--stack",
        "scorer",
        "--image",
        f"{IMAGE}@sha256:{'0' * 64}",
        "--plan",
    ]
    # One attempt: botocore would repeat the refused connection for seconds.
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}
    done = run(*command, **{**aws, **nowhere})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "deploy: sam could not deploy (its message is above)"
    )


TRANSLATE = """
import json, sys
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

class Policies:
    def load(self):
        return {}

for given in json.load(sys.stdin):
    print(json.dumps(transform(yaml_parse(given["template"]), given["parameters"], Policies())))
"""
SHORTER = TEMPLATE.read_text("utf-8").replace("Timeout: 15 #", "Timeout: 14 #")


def test_checkov_finds_nothing_in_the_templates_and_something_in_a_broken_one(
    tmp_path: Path,
) -> None:
    broken = TEMPLATE.read_text("utf-8").replace("      KmsKeyId: !If", "      # KmsKeyId: !If")
    assert broken != TEMPLATE.read_text("utf-8")
    for path in TEMPLATE.parent.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "broken.yaml").write_text(broken)
    done = run(
        *(program("checkov"), "--framework", "cloudformation", "--skip-download"),
        *("--output", "json", "--directory", tmp_path),
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 0
    assert report["summary"]["parsing_errors"] == 0
    failed = report["results"]["failed_checks"]
    assert {(Path(each["file_path"]).name, each["check_id"]) for each in failed} == {
        ("broken.yaml", "CKV_AWS_158")  # log groups
    }


def upload(template: str) -> str:
    """The template as SAM hands it on, with the address of the uploaded code."""
    uploaded = template.replace("CodeUri: ../../build/trial", "CodeUri: s3://artifacts/trial")
    assert uploaded != template
    return uploaded


@pytest.fixture(scope="session")
def translated() -> dict[str, Any]:
    """The template as SAM's translator makes it, which is what CloudFormation sees, by case."""
    image, source = f"{IMAGE}@sha256:{'0' * 64}", upload(TEMPLATE.read_text("utf-8"))
    shorter = upload(SHORTER)
    cases = {
        "zero": (source, "0"),
        "first": (source, "0123456789abcdef"),
        "second": (source, "fedcba9876543210"),
        "derived": (source, derive_revision(source.encode(), image, {})),
        "shorter": (shorter, derive_revision(shorter.encode(), image, {})),
    }
    given = [
        {"template": template, "parameters": {"ImageUri": image, "Revision": revision}}
        for template, revision in cases.values()
    ]
    python = Path(program("sam")).parent / "python"
    done = run(python, "-c", TRANSLATE, given=json.dumps(given), AWS_DEFAULT_REGION="us-east-1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[-len(cases) :]
    return dict(zip(cases, map(json.loads, lines), strict=True))


def versions_of(resources: dict[str, Any]) -> set[str]:
    return {name for name, each in resources.items() if each["Type"] == "AWS::Lambda::Version"}


def test_a_template_that_changed_alone_makes_a_new_version_behind_the_alias(
    translated: dict[str, Any],
) -> None:
    assert TEMPLATE.read_text("utf-8") != SHORTER
    found = [translated[name]["Resources"] for name in ("derived", "shorter")]
    assert versions_of(found[0]) != versions_of(found[1])
    assert found[0]["ScorerAliaslive"] != found[1]["ScorerAliaslive"]


def test_sam_keeps_the_rules_and_the_networks_conditions(translated: dict[str, Any]) -> None:
    assert set(translated["zero"]["Rules"]) == {
        "CampaignIsOfOneApplication",
        "SubnetsHaveSecurityGroups",
        "SecurityGroupsHaveSubnets",
        "WebSecretIsNamed",
        "WebIsLimited",
    }
    properties = translated["zero"]["Resources"]["Scorer"]["Properties"]
    assert "Fn::If" in properties["VpcConfig"]


def test_a_new_revision_and_nothing_else_makes_a_new_version_behind_the_alias(
    translated: dict[str, Any],
) -> None:
    first, second = (translated[name]["Resources"] for name in ("first", "second"))
    versions = [versions_of(resources) for resources in (first, second)]
    assert len(versions[0]) == len(versions[1]) == 1
    assert versions[0] != versions[1]
    (name,) = versions[0]
    assert first["ScorerAliaslive"]["Properties"]["FunctionVersion"] == {
        "Fn::GetAtt": [name, "Version"]
    }
    assert first["ScorerAliaslive"]["Properties"]["Name"] == "live"
    permissions = [
        each["Properties"]["FunctionName"]
        for each in first.values()
        if each["Type"] == "AWS::Lambda::Permission"
    ]
    assert permissions == [{"Ref": "ScorerAliaslive"}] * 9


def test_a_new_version_goes_live_through_codedeploy_after_the_trial_and_under_alarms(
    translated: dict[str, Any],
) -> None:
    resources = translated["zero"]["Resources"]
    update = resources["ScorerAliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert update["BeforeAllowTrafficHook"] == {"Ref": "Trial"}
    group = resources[update["DeploymentGroupName"]["Ref"]]["Properties"]
    assert group["AutoRollbackConfiguration"]["Enabled"] is True
    assert [each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]] == [
        "RolloutErrorsAlarm",
        "RolloutUnscoredAlarm",
        "RolloutFallbackAlarm",
        "RolloutKeptAlarm",
    ]
    assert group["ServiceRoleArn"] == {"Fn::GetAtt": ["RolloutRole", "Arn"]}
    (version,) = versions_of(resources)
    watched = resources["RolloutErrorsAlarm"]["Properties"]["Dimensions"][-1]
    assert watched == {"Name": "ExecutedVersion", "Value": {"Fn::GetAtt": [version, "Version"]}}
    asked = resources["Trial"]["Properties"]["Environment"]["Variables"]["NEW_VERSION"]
    assert asked == {"Ref": version}
