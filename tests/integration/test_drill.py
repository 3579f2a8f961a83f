"""The drill of docs/operations.md with real processes: break it, and the log raises the alarm.

The service is a process, the function runs under AWS's emulator, and the alarms are those of the
template, computed from the records in the function's log as CloudWatch would.
"""

from __future__ import annotations

import json
import signal
import statistics
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


def drilled() -> str:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    return page[page.index("## A drill") :].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("fallback", "alarm"), [("bundled", "FallbackAlarm"), ("none", "UnscoredAlarm")]
)
def test_a_killed_service_raises_an_alarm_whose_cause_is_logged_until_it_is_started(
    fallback: str, alarm: str
) -> None:
    with run_server(SHIPPED) as server:
        settings = {"SCORER_TARGET": server.address, "SCORER_FALLBACK": fallback}
        with run_emulator(environ=settings) as function:
            sound = ask(function, make_batch())
            assert (sound[0]["scorer"], find_alarms(sound)) == ("service", set())
            server.signal(signal.SIGKILL)
            server.child.wait()
            broken = ask(function, make_batch())
            assert find_alarms(broken) == {alarm}
            assert broken[0]["error"] == "ScorerUnavailable"
            assert "nothing listens at the target's port" in broken[0]["cause"]
            assert "`cause`" in read_row(alarm)
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
            database.kill()
            broken = ask(function, make_batch())
            assert "ExternalAlarm" in find_alarms(broken)
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


def test_an_import_that_fills_nothing_raises_an_alarm_and_drops_nobody(function: Emulator) -> None:
    assert find_alarms(ask(function, make_batch(), times=4)) == set()
    broken = ask(function, make_batch(without_metrics), times=4)
    assert find_alarms(broken) == {"MissingAlarm"}
    assert [(each["missing_share"], each["sparse"], each["kept"]) for each in broken] == [
        (1.0, 50, 50)
    ] * 4
    assert "people are sparse" in function.stdout
    assert "stopped filling fields" in read_row("MissingAlarm")


def test_an_import_of_texts_for_numbers_raises_an_alarm(function: Emulator) -> None:
    broken = ask(function, make_batch(with_texts))
    assert find_alarms(broken) == {"UnreadableAlarm"}
    assert broken[0]["unreadable"] == 50
    assert "type" in read_row("UnreadableAlarm")


def test_a_bad_model_that_passes_the_trial_raises_an_alarm(tmp_path: Path) -> None:
    # test_deploy_pretraffic.py has the bad model that the trial stops.
    policy = tmp_path / "policy.toml"
    policy.write_text("threshold = 1.0\n")
    with run_emulator(environ={"SCORER_POLICY": str(policy)}) as function:
        broken = ask(function, make_batch(), times=4)
    assert find_alarms(broken) == {"KeptAlarm"}
    assert sum(each["kept"] for each in broken) == 0
    assert "previous image" in read_row("KeptAlarm")
