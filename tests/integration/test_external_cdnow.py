"""The CDNOW campaign makes the same decisions with metrics inline, in SQLite and in DynamoDB."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from function.bootstrap import build_handler
from function.settings import ROOT
from segment_scorer.cli.main import main
from tests.dynamo_servers import CREDENTIALS, create_table, run_server
from tests.fakes import make_event, read_log

PEOPLE = 23_570
FEWER = 1_500  # for DynamoDB: dynalite takes 0.7 ms for each


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's folder, after both campaigns."""
    out = tmp_path_factory.mktemp("demo")
    run_demo(out)
    return out


def run_demo(out: Path, *options: str, people: int = PEOPLE, **environ: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples" / "cdnow" / "external_demo.py"),
            "--out",
            str(out),
            *options,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (
        0,
        ["Every decision, score and reason is the same."],
    ), done.stderr
    assert f"of {people:,} kept" in done.stdout


def read_decisions(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_sqlite_gives_every_customer_the_decision_that_inline_metrics_give(demo: Path) -> None:
    inline, looked_up = (
        read_decisions(demo / run / "decisions.csv") for run in ("inline", "looked-up")
    )
    assert len(inline) == PEOPLE
    assert {row["reason"] for row in inline} == {"score"}
    assert looked_up == inline
    assert not (demo / "bare.jsonl.gz").read_bytes().count(b"Metrics")


def test_people_who_are_not_in_the_store_are_scored_with_missing_values(demo: Path) -> None:
    lines = [
        json.loads(line) for line in (demo / "external.jsonl").read_text("utf-8").splitlines()[:50]
    ]
    strangers = {f"e{line['id']}": {"User": {"UserId": f"stranger-{line['id']}"}} for line in lines}
    log = io.StringIO()
    environ = {
        "SCORER_BUNDLE": str(demo / "bundle"),
        "SCORER_EXTERNAL": f"sqlite:{demo / 'external.sqlite'}",
    }
    build_handler(environ, stream=log)(make_event(strangers), None)
    (line,) = [line for line in read_log(log.getvalue()) if line.get("message") == "batch"]
    assert (line["external_missing"], line["external_found"], line["missing_share"]) == (50, 0, 1.0)


def test_dynamodb_gives_every_customer_the_decision_that_inline_metrics_give(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in CREDENTIALS.items():
        monkeypatch.setenv(variable, value)
    lines = (demo / "external.jsonl").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "external.jsonl").write_text("".join(lines[:FEWER]), "utf-8")
    # moto agrees, but takes five times as long.
    with run_server("dynalite") as server:
        create_table(server.url, "customers")
        build = [
            "external",
            "build",
            str(tmp_path / "external.jsonl"),
            "--dynamodb",
            "customers",
            "--endpoint-url",
            server.url,
        ]
        assert main(build) == 0
        run_demo(
            tmp_path,
            "--external",
            "dynamodb:customers",
            "--people",
            str(FEWER),
            people=FEWER,
            **CREDENTIALS,
            AWS_ENDPOINT_URL_DYNAMODB=server.url,
        )
    inline = (demo / "inline" / "decisions.csv").read_bytes().splitlines()
    looked_up = (tmp_path / "looked-up" / "decisions.csv").read_bytes().splitlines()
    assert looked_up == inline[: 1 + FEWER]
