"""`segment-scorer lift` and `segment-scorer outcomes` as their users type them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from segment_scorer.cli.main import main
from tests.lift_files import make_rows, respond, write_decisions, write_outcomes, write_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", make_rows())


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    return write_outcomes(tmp_path / "o.csv", respond(make_rows(), every=4, control=10))


def lift(*words: object) -> int:
    return main(["lift", *map(str, words)])


def test_a_run_is_measured_into_its_own_folder(
    run: Path, outcomes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--outcomes", outcomes, "--value", 10, "--cost", 0.1, "--outcome-name", "orders")
    assert lift(run, *words) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("150 more orders per 1,000 people messaged, between ")
    assert "The campaign earned" in printed
    assert "control group" in printed
    assert "passed" in printed
    data = json.loads((run / "lift" / "lift.json").read_text("utf-8"))
    assert data["difference"]["value"] == pytest.approx(0.15)
    assert "150 more orders" in (run / "lift" / "lift.html").read_text("utf-8")
    assert sorted(path.name for path in (run / "lift").iterdir()) == ["lift.html", "lift.json"]


def test_the_output_can_be_piped(run: Path, outcomes: Path) -> None:
    command = [sys.executable, "-m", "segment_scorer.cli.main", "lift", str(run)]
    done = subprocess.run(
        [*command, "--outcomes", str(outcomes)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("150 more responses")
    assert "\x1b" not in done.stdout
    assert "reading" not in done.stdout, "progress is on stderr"


def test_decisions_of_another_host_need_a_folder(
    tmp_path: Path, outcomes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decisions = write_decisions(tmp_path / "d.csv", make_rows())
    words = ("--decisions", decisions, "--outcomes", outcomes)
    assert lift(*words) == 2
    assert "--out DIR" in capsys.readouterr().err
    assert lift(*words, "--out", tmp_path / "found") == 0
    assert (tmp_path / "found" / "lift.json").exists()


def test_several_runs_need_a_folder(tmp_path: Path, run: Path, outcomes: Path) -> None:
    other = write_run(tmp_path / "other", make_rows())
    assert lift(run, other, "--outcomes", outcomes) == 2
    assert lift(run, other, "--outcomes", outcomes, "--out", tmp_path / "found") == 0


def test_a_refusal_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, outcomes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", make_rows(), mode="shadow")
    assert lift(run, "--outcomes", outcomes) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "the control group was messaged too" in printed.err
    assert "Traceback" not in printed.err
    assert not (run / "lift").exists()


def test_the_plan_of_a_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lift("--plan", run, "--effect", 50, "--rate", 0.1) == 0
    printed = capsys.readouterr().out
    assert "A control group of 20 % (100 of 500 people)" in printed
    assert "To see an effect of 50" in printed
    assert "is noticed in 4 of 5 campaigns" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected RUN folders, or --decisions FILE, or --plan RUN"),
        (("RUN",), "expected --outcomes FILE"),
        (("RUN", "--decisions", "d.csv"), "expected RUN folders, or --decisions FILE"),
        (("RUN", "--plan", "RUN"), "expected --plan without RUN"),
        (("RUN", "--outcomes", "o.csv", "--cost", "1"), "expected --value beside --cost"),
        (("RUN", "--outcomes", "o.csv", "--effect", "5"), "only with --plan"),
        (("RUN", "--outcomes", "o.csv", "--missing", "no"), "auto, zero, exclude"),
    ],
)
def test_wrong_usage_is_told(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lift(*words) == 2
    assert said in capsys.readouterr().err


def test_a_file_where_the_folder_should_be_is_told(
    tmp_path: Path, run: Path, outcomes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert lift(run, "--outcomes", outcomes, "--out", tmp_path / "file") == 1
    assert "--out" in capsys.readouterr().err


def test_events_become_outcomes_that_lift_reads(
    tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = respond(make_rows(), every=4, control=10)
    events = tmp_path / "events.jsonl"
    lines = (
        json.dumps(
            {
                "event_type": "purchase",
                "event_timestamp": 1_767_225_660_000,
                "client": {"client_id": id_},
            }
        )
        for id_, answer in answers.items()
        if answer
    )
    events.write_text("\n".join(lines), "utf-8")
    words = ["--event", "purchase", "--since", "2026-01-01", "--out", str(tmp_path / "o.csv")]
    people = ["--people", str(run / "decisions.csv")]
    assert main(["outcomes", str(events), *words, *people]) == 0
    printed = capsys.readouterr().out
    assert "520 people written" in printed
    assert "2026-01-01 00:00 UTC" in printed
    with (tmp_path / "o.csv").open(newline="") as file:
        assert {row["Id"]: int(row["outcome"]) for row in csv.DictReader(file)} == answers
    assert lift(run, "--outcomes", tmp_path / "o.csv") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "ISO 8601"),
        (("--days", "3"), "--since beside --days"),
        (("--only-sent",), "--people beside --only-sent"),
    ],
)
def test_wrong_usage_of_outcomes_is_told(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outcomes", "e.jsonl", "--event", "x", "--out", "o.csv", *words]) == 2
    assert said in capsys.readouterr().err
