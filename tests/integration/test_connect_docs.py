"""docs/connect.md: `console` blocks run as typed, from top to bottom, without an account.

`console aws` blocks: tests/integration/test_deploy_docs.py checks their calls and options.
`console yours` blocks name files of the reader; here they run on invented ones.
"""

from __future__ import annotations

import csv
import json
import random
import re
import shlex
import string
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from segment_scorer.cli.main import main
from segment_scorer.runner.writing.connect_csv import MOST_BYTES, MOST_COLUMNS
from tests.integration.test_deploy_docs import CONNECT, commands_of

PROGRAM = ".venv/bin/segment-scorer"
PEOPLE = 1_000
(POLICY,) = (
    block
    for block in re.findall(r"^```toml\n(.*?)^```", CONNECT, re.MULTILINE | re.DOTALL)
    if "[holdout]" in block
)
FLOW, FIELDS = map(
    json.loads, re.findall(r"^```json\n(.*?)^```", CONNECT, re.MULTILINE | re.DOTALL)
)


def test_every_block_of_the_page_is_of_a_kind_that_a_test_reads() -> None:
    marks = re.findall(r"^```(\S.*)$", CONNECT, re.MULTILINE)
    assert set(marks) <= {"console", "console aws", "console yours", "toml", "json"}


def run(line: str, variables: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command of the page; what it said."""
    words = shlex.split(string.Template(line).substitute(variables))
    assert words[0] == PROGRAM, line
    status, said = main(words[1:]), capsys.readouterr().err
    assert status == 0, said
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's policy, invented people and their outcomes."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "spring.toml").write_text(POLICY)
    draw = random.Random(7)  # no secret
    with (folder / "people.jsonl").open("w") as people, (folder / "outcomes.csv").open("w") as out:
        out.write("Id,outcome\n")
        for number in range(PEOPLE):
            bought = draw.randrange(1, 20)
            metrics = {"Purchases": bought, "PurchaseDays": bought, "RecencyDays": number % 270}
            user = {"UserId": f"u{number}"}
            person = {"Id": f"p{number}", "ChannelType": "EMAIL", "Address": "a@example.invalid"}
            people.write(json.dumps({**person, "Metrics": metrics, "User": user}) + "\n")
            out.write(f"p{number},{int(draw.random() < 0.3)}\n")
    return folder


def test_the_page_can_be_followed_without_an_account_and_the_lift_is_that_of_the_export(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    variables: dict[str, str] = {}
    ran = []
    for line in commands_of("", CONNECT):
        if line.startswith("export "):
            variables |= dict(word.split("=", 1) for word in shlex.split(line)[1:])
            variables |= {"PEOPLE": str(folder / "people.jsonl")}
            continue
        said = run(line, variables, capsys)
        ran.append(shlex.split(line)[1])
        assert ("connect.csv: imported profiles" in said) == ("connect-csv" in line)
    assert ran == ["run", "assign", "grant", "run"]
    assert (folder / "out/spring/report.html").exists()

    decisions = read_table(folder / "out/decided/decisions.csv")
    check_import(folder / "out/decided/decisions.csv")
    assert len(decisions) == PEOPLE
    kept = read_table(folder / "out/decided/connect.csv")
    check_import(folder / "out/decided/connect.csv")
    sent = [row for row in decisions if row["sent"] == "true"]
    assert [row["AccountNumber"] for row in kept] == [row["UserId"] for row in sent]
    assert [row["Score"] for row in kept] == [row["score"] for row in sent]
    assert {row["Selected"] + row["Holdout"] for row in kept} == {"truefalse"}

    write_export(folder / "export.csv", decisions)
    lifts = []
    for line in commands_of("yours", CONNECT):
        if line.startswith("sed "):
            subprocess.run(shlex.split(line), check=True)
        elif " lift " in line:
            run(line, variables, capsys)
            lifts.append(line)
    assert len(lifts) == 2
    measured = [
        json.loads(Path(name, "lift.json").read_text()) for name in ("out/decided/lift", "out/lift")
    ]
    for part in ("difference", "messaged", "control"):
        assert measured[0][part] == measured[1][part], part
    assert measured[0]["control"]["users"] >= 25


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check_import(path: Path) -> None:
    """The rules of an import into Customer Profiles."""
    raw = path.read_bytes()
    assert len(raw) < MOST_BYTES
    assert not raw.startswith(b"\xef\xbb\xbf")
    header = raw.decode("utf-8").splitlines()[0].split(",")
    assert len(header) == len(set(header)) <= MOST_COLUMNS
    assert "." not in "".join(header)


def write_export(path: Path, decisions: list[dict[str, str]]) -> None:
    """What Customer Profiles would export of the profiles that hold the decisions: dotted paths."""
    names = {
        "ProfileId": "Id",
        "Attributes.score": "score",
        "AccountNumber": "UserId",
        "Attributes.holdout": "holdout",
        "Attributes.selected": "selected",
    }
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["FirstName", *names])
        writer.writerows(["Ann", *(row[name] for name in names.values())] for row in decisions)


def check_call(service: str, operation: str, parameters: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    assert ParamValidator().validate(parameters, shape).generate_report() == ""


def test_the_mapping_of_an_import_fits_the_service_model_and_the_decisions() -> None:
    check_call(
        "customer-profiles",
        "CreateUploadJob",
        {"DomainName": "d", "DisplayName": "spring", "Fields": FIELDS, "UniqueKey": "k"},
    )
    for column, field in FIELDS.items():
        assert field["Source"] == f"_source.{column}"
        assert field["Target"] in {"_profile.AccountNumber", f"_profile.Attributes.{column}"}
        assert field["ContentType"] == "STRING"
    assert set(FIELDS) == {"UserId", "selected", "holdout", "score"}


def test_the_flow_that_is_shown_is_whole_and_marked_as_untried() -> None:
    actions = {action["Identifier"]: action for action in FLOW["Actions"]}
    assert FLOW["StartAction"] in actions
    reached = {FLOW["StartAction"]}
    for action in actions.values():
        ways = action["Transitions"]
        reached |= {ways["NextAction"]} if "NextAction" in ways else set()
        reached |= {each["NextAction"] for each in ways.get("Conditions", [])}
        reached |= {each["NextAction"] for each in ways.get("Errors", [])}
    assert reached == set(actions)
    before = CONNECT[: CONNECT.index("```json")].rstrip().splitlines()
    assert "no live account has accepted this text yet" in " ".join(before[-3:])
    check_call(
        "connect",
        "CreateContactFlow",
        {"InstanceId": "i", "Name": "spring", "Type": "CAMPAIGN", "Content": json.dumps(FLOW)},
    )
