"""The drill of docs/operations.md with real processes: break it, and the log raises the alarm.

The service is a process, the function runs under AWS's emulator, and the alarms are those of the
template, computed from the records in the function's log as CloudWatch would.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from model.bundle import SHIPPED
from segment_scorer.external_store.dynamodb import make_item, put_items
from tests import dynamo_servers
from tests.emf import check_emf
from tests.fake_external import make_external_bundle
from tests.processes import run_server
from tests.templates import ROOT, load_template, resolve
from tools.image.emulate import read_records
from tools.image.emulator import Emulator, run_emulator

PATIENCE = 120.0
TEMPLATE = load_template()
DEFAULTS = {name: str(each.get("Default", "")) for name, each in TEMPLATE["Parameters"].items()}
PEOPLE = json.loads((ROOT / "examples" / "events" / "cdnow-five-customers.json").read_bytes())
Change = Callable[[dict[str, Any]], dict[str, Any]]


def make_batch(change: Change = lambda person: person) -> dict[str, Any]:
    """Fifty people, repeated from the five of the example, each changed."""
    given = list(PEOPLE["Endpoints"].values())
    return {
        **PEOPLE,
        "Endpoints": {
            f"invented-{row}": change(json.loads(json.dumps(given[row % len(given)])))
            for row in range(50)
        },
    }


def ask(function: Emulator, event: dict[str, Any], times: int = 1) -> list[dict[str, Any]]:
    """Send an event; give the records that the function wrote for it."""
    before = len(read_records(function.stdout))
    for _ in range(times):
        assert function.post(event).status == 200
    deadline = time.monotonic() + PATIENCE
    while len(found := read_records(function.stdout)[before:]) < times:
        assert time.monotonic() < deadline, function.stdout
        time.sleep(0.05)
    return [check_emf(line) for line in found]


def find_alarms(records: Sequence[dict[str, Any]]) -> set[str]:
    """The alarms on the function's own metrics that five minutes with these records raise."""
    raised = set()
    for name, each in TEMPLATE["Resources"].items():
        if each["Type"] == "AWS::CloudWatch::Alarm" and not name.startswith(("Rollout", "Segment")):
            alarm = resolve(each["Properties"], DEFAULTS)
            if compute(alarm, records) >= float(alarm["Threshold"]):
                raised.add(name)
    return raised


def compute(alarm: dict[str, Any], records: Sequence[dict[str, Any]]) -> float:
    if alarm.get("Namespace", "SegmentScorer") != "SegmentScorer":
        return 0.0
    if "Metrics" not in alarm:
        return float(sum(record.get(alarm["MetricName"], 0) for record in records))
    expression, values = "", {}
    for each in alarm["Metrics"]:
        if "Expression" in each:
            expression = each["Expression"]
        else:
            numbers = [
                record.get(each["MetricStat"]["Metric"]["MetricName"], 0) for record in records
            ]
            combine = {"Sum": sum, "Average": statistics.fmean}[each["MetricStat"]["Stat"]]
            values[each["Id"]] = combine(numbers)
    condition, yes, no = expression.removeprefix("IF(").removesuffix(")").rsplit(", ", 2)
    python = condition.replace("AND", "and").replace("OR", "or")
    return float(yes if eval(python, values) else no)  # noqa: S307  # the template's own text


def read_row(name: str) -> str:
    """What the runbook says about an alarm."""
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    return row


def read_steps(row: str) -> list[str]:
    """The commands of a row; a bar within a cell is escaped."""
    cells = re.split(r"(?<!\\)\|", row)
    assert len(cells) == len(("", "alarm", "meaning", "first command", "cure", "")), row
    spans = re.findall(r"`([^`]+)`", cells[3].replace("\\|", "|"))
    return [span for span in spans if span.startswith(("LOG ", ".venv/", "aws "))]


def follow(name: str, log: str, folder: Path) -> str:
    """What the first command of an alarm's row prints, if the function's log is this."""
    steps = [step for step in read_steps(read_row(name)) if not step.startswith("aws ")]
    assert steps, name
    (folder / "out").mkdir(exist_ok=True)
    (folder / "log").write_text(log, "utf-8")
    script = "LOG() { cat log; }\n" + "\n".join(steps)
    ours = f"{sys.executable} -m segment_scorer.cli.main"
    script = script.replace(".venv/bin/segment-scorer", ours)
    script = script.replace("model/artifact", str(SHIPPED))
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout


def drilled() -> str:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    return page[page.index("## A drill") :].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("fallback", "alarm"), [("bundled", "FallbackAlarm"), ("none", "UnscoredAlarm")]
)
def test_a_killed_service_raises_an_alarm_whose_cause_is_logged_until_it_is_started(
    fallback: str, alarm: str, tmp_path: Path
) -> None:
    with run_server(SHIPPED) as server:
        settings = {"SCORER_TARGET": server.address, "SCORER_FALLBACK": fallback}
        with run_emulator(environ=settings) as function:
            sound = ask(function, make_batch())
            assert (sound[0]["scorer"], find_alarms(sound)) == ("service", set())
            before = function.stdout
            server.signal(signal.SIGKILL)
            server.child.wait()
            broken = ask(function, make_batch())
            assert find_alarms(broken) == {alarm}
            assert broken[0]["error"] == "ScorerUnavailable"
            assert "nothing listens at the target's port" in broken[0]["cause"]
            assert "`cause`" in read_row(alarm)
            assert follow(alarm, before, tmp_path) == ""
            (found,) = follow(alarm, function.stdout, tmp_path).splitlines()
            assert json.loads(found)["cause"] == broken[0]["cause"]
            with run_server(SHIPPED, listen=server.address):
                deadline = time.monotonic() + PATIENCE
                while (cured := ask(function, make_batch()))[0].get("scorer") != "service":
                    assert time.monotonic() < deadline, cured
                    time.sleep(0.1)
                assert find_alarms(cured) == set()
    assert alarm in drilled()


def test_a_broken_store_raises_an_alarm_until_it_is_back(tmp_path: Path) -> None:
    bundle = make_external_bundle(tmp_path / "bundle")
    with dynamo_servers.run_server("moto") as database:
        fill(database)
        settings = {
            **dynamo_servers.CREDENTIALS,
            "AWS_ENDPOINT_URL_DYNAMODB": database.url,
            "SCORER_BUNDLE": str(bundle),
            "SCORER_EXTERNAL": "dynamodb:people",
            "SCORER_EXTERNAL_KEY": "endpoint_id",
        }
        with run_emulator(environ=settings) as function:
            sound = ask(function, make_batch())
            assert (sound[0]["external_found"], find_alarms(sound)) == (50, set())
            before = function.stdout
            database.kill()
            broken = ask(function, make_batch())
            assert find_alarms(broken) == {"ExternalAlarm", "UnscoredAlarm"}
            assert find_alarms(broken * 4) == {"ExternalAlarm", "UnscoredAlarm", "MissingAlarm"}
            assert follow("ExternalAlarm", before, tmp_path) == ""
            assert '"external_failed":1' in follow("ExternalAlarm", function.stdout, tmp_path)
            assert "external store: " in function.stdout
            assert "sparse" not in function.stdout  # the store is why, and is named
            assert broken[0]["external_error"] == "ExternalUnavailable"
            assert "external_error" in read_row("ExternalAlarm")
            database.start()
            fill(database)
            cured = ask(function, make_batch())
            assert (cured[0]["external_found"], find_alarms(cured)) == (50, set())


def fill(database: dynamo_servers.Server) -> None:
    """A table with a score for each of the fifty people."""
    dynamo_servers.create_table(database.url, "people")
    items = [make_item("id", f"invented-{row}", {"score": 0.9}) for row in range(50)]
    put_items(dynamo_servers.open_admin(database.url), "people", items)


@pytest.fixture(scope="module")
def function() -> Iterator[Emulator]:
    with run_emulator() as function:
        yield function


def without_metrics(person: dict[str, Any]) -> dict[str, Any]:
    return {**person, "Metrics": {}}


def with_texts(person: dict[str, Any]) -> dict[str, Any]:
    return {**person, "Metrics": dict.fromkeys(person["Metrics"], "many")}


def test_an_import_that_fills_nothing_raises_an_alarm_and_drops_nobody(
    function: Emulator, tmp_path: Path
) -> None:
    assert find_alarms(ask(function, make_batch(), times=4)) == set()
    broken = ask(function, make_batch(without_metrics), times=4)
    assert find_alarms(broken) == {"MissingAlarm"}
    assert [(each["missing_share"], each["sparse"], each["kept"]) for each in broken] == [
        (1.0, 50, 50)
    ] * 4
    assert "people are sparse" in function.stdout
    assert "stopped filling fields" in read_row("MissingAlarm")
    compared = follow("MissingAlarm", "\n".join(map(json.dumps, broken)), tmp_path)
    assert "different" in compared
    assert "recency_days" in compared


def test_an_import_of_texts_for_numbers_raises_an_alarm(function: Emulator, tmp_path: Path) -> None:
    before = function.stdout
    broken = ask(function, make_batch(with_texts))
    assert find_alarms(broken) == {"UnreadableAlarm"}
    assert broken[0]["unreadable"] == 50
    assert "type" in read_row("UnreadableAlarm")
    assert follow("UnreadableAlarm", before, tmp_path) == ""
    (found,) = follow("UnreadableAlarm", function.stdout, tmp_path).splitlines()
    assert json.loads(found)["campaign_id"] == "invented-campaign"


def test_a_bad_model_that_passes_the_trial_raises_an_alarm(tmp_path: Path) -> None:
    # test_deploy_pretraffic.py has the bad model that the trial stops.
    policy = tmp_path / "policy.toml"
    policy.write_text("threshold = 1.0\n")
    with run_emulator(environ={"SCORER_POLICY": str(policy)}) as function:
        broken = ask(function, make_batch(), times=4)
        log = function.stdout
    assert find_alarms(broken) == {"KeptAlarm"}
    assert sum(each["kept"] for each in broken) == 0
    assert "previous image" in read_row("KeptAlarm")
    assert "200 people in 4 batches" in follow("KeptAlarm", log, tmp_path)
    counts = follow("RolloutKeptAlarm", log, tmp_path).splitlines()
    assert counts == ['"function_version":"$LATEST"\t"received":50\t"kept":0'] * 4


def test_a_raised_error_is_found_by_the_alarms_first_command(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('on_error = "raise"\n')
    nobody = {"SCORER_TARGET": "127.0.0.1:9", "SCORER_FALLBACK": "none"}
    with run_emulator(environ={**nobody, "SCORER_POLICY": str(policy)}) as function:
        assert "errorType" in function.post(make_batch()).body.decode()
        for name in ("ErrorsAlarm", "RolloutErrorsAlarm", "WebFailedAlarm"):
            found = follow(name, function.stdout, tmp_path)
            assert '"error":"ScorerUnavailable"' in found, name
            assert "nothing listens at the target's port" in found


def test_every_first_command_can_be_typed() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = page[page.index("| alarm | meaning |") :].partition("\n\n")[0]
    for row in table.splitlines()[2:]:
        steps = read_steps(row)
        assert steps, row
        for step in steps:
            assert subprocess.run(["bash", "-n", "-c", step], check=False).returncode == 0, step
