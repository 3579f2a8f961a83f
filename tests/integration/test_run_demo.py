"""`make demo`'s command, on the real customers."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.image.emulator import ROOT


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(out: Path) -> str:
    """What the demo printed."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "cdnow" / "demo.py"), "--out", str(out)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "100",
            "SCORER_POLICY": "the demo ignores settings",
        },
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    return done.stdout


def test_the_demo_prints_the_figures_of_the_readme(printed: str) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    (table,) = re.findall(r"^ +customers .*\nkept .*\nfiltered .*$", text, re.MULTILINE)
    assert {line.rstrip() for line in table.splitlines()} <= {
        line.rstrip() for line in printed.splitlines()
    }


def test_the_demo_shows_that_the_kept_bought_again_more_often(out: Path, printed: str) -> None:
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["received"], summary["batches"], summary["failed"], summary["rejected"]) == (
        23_570,
        472,
        0,
        0,
    )
    rates = {
        line.split()[0]: float(line.split()[-1].rstrip("%"))
        for line in printed.splitlines()
        if line.endswith("%")
    }
    assert rates["filtered"] < rates["everyone"] == 29.9 < rates["kept"]
    assert f"{summary['kept']:,}" in printed

    with (out / "decisions.csv").open(newline="") as file:
        kept = {row["Id"] for row in csv.DictReader(file) if row["sent"] == "true"}
    with (ROOT / "examples" / "cdnow" / "outcomes.csv").open(newline="") as file:
        bought = [row["outcome"] == "1" for row in csv.DictReader(file) if row["Id"] in kept]
    assert rates["kept"] == round(100 * sum(bought) / len(bought), 1)
