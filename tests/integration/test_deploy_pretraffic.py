"""The trial before a rollout: its zip, in a process of its own, judges a function.

Lambda is AWS's emulator with the real function; CodeDeploy is a Stubber.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from segment_scorer.deploy.pretraffic import report_trial
from tests.bundles import make_bundle
from tools.image.emulator import Emulator, run_emulator
from tools.release.golden import make_tree_golden
from tools.release.trial_code import FILES, FOLDER, write_trial

EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "execution-1"}
# Runs the entry point as Lambda does. The clients are those of the code; only CodeDeploy's answer
# is made here, since moto has no such call.
RUN = """
import json, os, sys
sys.path.insert(0, os.getcwd())
import boto3
from botocore.stub import Stubber
from segment_scorer.deploy import pretraffic
real = boto3.client
def client(name):
    if name == "lambda":
        return real(name, endpoint_url=os.environ["FUNCTIONS"])
    made = real(name)
    stubber = Stubber(made)
    stubber.add_response("put_lifecycle_event_hook_execution_status", {}, json.loads(sys.argv[1]))
    stubber.activate()
    return made
boto3.client = client
print(json.dumps(sorted(name for name in sys.modules if name.startswith(("numpy", "function.")))))
pretraffic.handle(json.loads(sys.argv[2]), None)
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trial(make_tree_golden({}), tmp_path_factory.mktemp("trial") / "code")


@pytest.fixture(params=["right", "bad model", "broken settings"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Emulator, str, str]]:
    """The new version under the emulator, the status it gets and a part of the log line."""
    settings, status, problem = {
        "right": ({}, "Succeeded", '"problem": ""'),
        "bad model": (
            {"SCORER_BUNDLE": str(make_bundle(tmp_path / "bundle"))},
            "Failed",
            "from the golden answers",
        ),
        # The emulator answers a failed import with status 502; Lambda says FunctionError.
        "broken settings": ({"SCORER_BUNDEL": "/b"}, "Failed", "cannot be called"),
    }[request.param]
    with run_emulator(environ={"AWS_LAMBDA_FUNCTION_TIMEOUT": "15", **settings}) as emulator:
        yield emulator, status, problem


def test_the_zip_judges_a_version_and_tells_codedeploy(
    code: Path, case: tuple[Emulator, str, str]
) -> None:
    emulator, status, problem = case
    told = {
        "deploymentId": EVENT["DeploymentId"],
        "lifecycleEventHookExecutionId": EVENT["LifecycleEventHookExecutionId"],
        "status": status,
    }
    environ = {
        "PATH": os.defpath,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "FUNCTIONS": emulator.url,
        "NEW_VERSION": "function",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(told), json.dumps(EVENT)],
        cwd=code,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported, said = done.stdout.splitlines()
    assert json.loads(imported) == []
    assert json.loads(said)["status"] == status
    assert problem in said


def test_the_zip_holds_what_it_runs_and_nothing_else(code: Path) -> None:
    found = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert {name for name in found if "__pycache__" not in name} == {*FILES, "golden.json"}


def test_the_template_takes_the_code_from_where_it_is_written() -> None:
    root = Path(__file__).parents[2]
    assert root / "build" / "trial" == FOLDER
    text = (root / "segment_scorer" / "deploy" / "template.yaml").read_text("utf-8")
    assert "CodeUri: ../../build/trial\n" in text


def test_a_version_that_cannot_be_called_fails_instead_of_leaving_codedeploy_waiting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    functions, deployments = (
        boto3.client(name, region_name="us-east-1", **keys) for name in ("lambda", "codedeploy")
    )
    with Stubber(functions) as refusing, Stubber(deployments) as told:
        refusing.add_client_error("invoke", "AccessDeniedException")
        told.add_response(
            "put_lifecycle_event_hook_execution_status",
            {},
            {
                "deploymentId": "d-1",
                "lifecycleEventHookExecutionId": "execution-1",
                "status": "Failed",
            },
        )
        report_trial(
            EVENT,
            golden=make_tree_golden({}),
            version="arn:aws:lambda:us-east-1:123456789012:function:scorer:8",
            functions=functions,
            deployments=deployments,
        )
        told.assert_no_pending_responses()
    said = capsys.readouterr().out
    assert "cannot be called: AWS answered AccessDeniedException" in said
    assert "123456789012" not in said
