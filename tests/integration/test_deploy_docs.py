"""docs/deploy.md: `console` blocks run as typed, against moto; the names in other blocks exist.

The names in docs/connect.md, too; tests/integration/test_connect_docs.py runs its blocks.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import boto3
import botocore.session
import pytest
from botocore import xform_name

from segment_scorer.cli.main import main
from segment_scorer.cli.verbs import VERBS
from segment_scorer.deploy.aws import open_client
from segment_scorer.deploy.grant import read_policy
from segment_scorer.deploy.statements import AwsAccount, LambdaFunction
from tests.aws import create_scorer, publish_live, run_moto
from tests.templates import ROOT, load_template

PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
CONNECT = (ROOT / "docs" / "connect.md").read_text("utf-8")
BLOCK = re.compile(r"^```console( aws| engine| yours)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
RUNBOOK = (ROOT / "docs" / "operations.md").read_text("utf-8")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:scorer:live"
# Options of the AWS command line itself.
GLOBAL = {"query", "output", "region", "cli-binary-format"}
# Commands that are no operation of a service: the command line has them of its own.
OWN = ("aws s3 ls ", "aws logs tail ")
# Commands that the AWS command line makes of an operation.
OF_THE_COMMAND_LINE = {"get-login-password": "get-authorization-token"}


def commands_of(mark: str, page: str = PAGE) -> list[str]:
    """The command lines in the blocks of this mark."""
    lines = [
        line
        for found, block in BLOCK.findall(page)
        if found.strip() == mark
        for line in block.splitlines()
    ]
    assert all(line.startswith("$ ") for line in lines)
    return [line.removeprefix("$ ") for line in lines]


def parameters_of(command: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(command) if re.match(r"[A-Z]+=", word))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Moto's server with a function behind its alias and an application; the page's variables."""
    with run_moto() as environ:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        publish_live(create_scorer())
        created = (
            boto3.Session()
            .client("pinpoint")
            .create_app(CreateApplicationRequest={"Name": "spring"})["ApplicationResponse"]["Id"]
        )
        monkeypatch.delenv("AWS_DEFAULT_REGION")  # the page sets AWS_REGION only
        instance = "12345678-1234-1234-1234-123456789abc"
        yield {"HOOK": ARN, "APPLICATION": created, "CAMPAIGN": "c" * 32, "INSTANCE": instance}


def test_every_console_block_runs_as_written_from_top_to_bottom(aws: dict[str, str]) -> None:
    commands = [
        line.replace(".venv/bin/segment-scorer", "segment-scorer").replace(
            ".venv/bin/python", "python"
        )
        for line in commands_of("")
    ]
    script = "\n".join(
        [
            "set -euo pipefail",
            f'python() {{ {shlex.quote(sys.executable)} "$@"; }}',
            'segment-scorer() { python -m segment_scorer.cli.main "$@"; }',
            # The environments exist; only the target's own command is tested.
            'make() { command make --old-file=.venv/ready --old-file=.cache/sam/ready "$@"; }',
            *(f"echo + {shlex.quote(line)}\n{line}" for line in commands),
        ]
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**os.environ, **aws},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n+ ") + done.stdout.startswith("+ ") == len(commands) >= 15
    function = LambdaFunction(
        account=AwsAccount(partition="aws", region="us-east-1", number="123456789012"),
        name="scorer",
        qualifier="live",
    )
    left = [
        statement["Sid"]
        for statement in read_policy(
            open_client("lambda", region=None, endpoint_url=None), function
        )
    ]
    assert left == [f"segment-scorer-connect-{aws['INSTANCE']}"]
    assert "the hook is cleared" in done.stderr
    assert "4. deploy by digest" in done.stdout


def test_a_compatible_service_is_reached_by_its_address_alone(
    aws: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    chosen = ["--application-id", aws["APPLICATION"], "--endpoint-url", address]
    assert main(["grant", "--function", ARN, *chosen]) == 0
    assert main(["assign", "--function", ARN, *chosen]) == 0
    assert main(["unassign", *chosen]) == 0
    assert main(["revoke", "--function", ARN, *chosen]) == 0


def test_every_make_target_and_parameter_of_the_page_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = [
        line
        for mark in ("", "aws", "engine")
        for line in commands_of(mark)
        if line.startswith("make ")
    ]
    targets = {shlex.split(line)[1] for line in named} | set(re.findall(r"`make ([a-z-]+)", PAGE))
    assert targets - {"image-test"} <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for line in named:
        given, target = parameters_of(line), shlex.split(line)[1]
        # Variables that reach the command through the environment are named in the target's help.
        told = re.search(rf"^{target}:.*## (.*)$", makefile, re.MULTILINE)
        assert told is not None
        assert {
            name
            for name in given
            if not re.search(rf"\$\({name}[:)]", makefile)
            and not re.search(rf"\b{name}\b", told[1])
        } == set(), line
        assert {each.split("=")[0] for each in given.get("PARAMETERS", "").split()} <= set(
            load_template()["Parameters"]
        )


def test_every_parameter_and_output_that_the_page_names_is_the_templates() -> None:
    template = load_template()
    assert (
        set(re.findall(r"OutputKey=='(\w+)'", PAGE))
        == {"HookArn", "SegmentWalkArn"}
        <= set(template["Outputs"])
    )
    table = PAGE[
        PAGE.index("| parameter | choose |") : PAGE.index("Ask the deployed function yourself")
    ]
    assert set(re.findall(r"`([A-Z]\w+)`(?=,|\s\|)", table)) <= set(template["Parameters"])


@pytest.mark.parametrize(
    "line",
    [
        line
        for page in (PAGE, CONNECT)
        for line in commands_of("aws", page)
        if line.startswith(".venv/bin/segment-scorer")
    ],
)
def test_every_verb_and_option_that_needs_an_account_exists(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line)
    verb = words[1]
    assert verb in VERBS
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    for option in (word for word in words if word.startswith("--")):
        assert f"{option} " in shown, option


@pytest.mark.parametrize(
    "line",
    [
        (line.partition("$(")[2].removesuffix(")") or line).partition(" | ")[0]
        for line in (
            *(line for page in (PAGE, CONNECT, RUNBOOK) for line in commands_of("aws", page)),
            *re.findall(r"`(aws [^`]+)`", RUNBOOK),
        )
        if "aws " in line and not any(each in line for each in OWN)
    ],
)
def test_every_operation_and_option_of_the_aws_command_line_exists(line: str) -> None:
    words = shlex.split(line)
    model = botocore.session.get_session().get_service_model(
        {"s3api": "s3"}.get(words[1], words[1])
    )
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    operation = OF_THE_COMMAND_LINE.get(words[2], words[2])
    shape = model.operation_model(operations[operation]).input_shape
    assert shape is not None
    known = {xform_name(name, "-"): name for name in shape.members}
    given = {word.removeprefix("--") for word in words if word.startswith("--")}
    assert given - GLOBAL <= set(known)
    assert {xform_name(name, "-") for name in shape.required_members} <= given


def test_every_message_in_the_table_of_errors_is_in_the_code() -> None:
    code = " ".join(
        path.read_text("utf-8")
        for folder in ("deploy", "cli")
        for path in (ROOT / "segment_scorer" / folder).glob("*.py")
    )
    said = re.sub(r"\s+", " ", re.sub(r'"\s*f?"', "", code))
    table = PAGE[PAGE.index("| message | what to do |") :]
    sentences = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(sentences) >= 9
    assert [sentence for sentence in sentences if sentence not in said] == []
