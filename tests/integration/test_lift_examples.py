"""The worked examples: a real campaign whose effect is known, and one where nobody was messaged."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from examples.hillstrom.make_endpoints import FILES, write_example
from segment_scorer.cli.main import main
from segment_scorer.lift.measure import LiftRequest, measure_lift

ROOT = Path(__file__).parents[2]
CDNOW = ROOT / "examples" / "cdnow"
POLICY = 'threshold = "model"\n[holdout]\npercent = 10\nsalt = "cdnow"\n'


@pytest.fixture(scope="module")
def hillstrom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hillstrom")
    assert write_example(folder) == 64_000
    return folder


def test_hillstroms_files_are_the_same_every_time(hillstrom: Path, tmp_path: Path) -> None:
    write_example(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (hillstrom / name).read_bytes()


def test_hillstroms_endpoints_know_nothing_of_the_campaign(hillstrom: Path) -> None:
    with gzip.open(hillstrom / "endpoints.jsonl.gz", "rt") as file:
        first = json.loads(next(file))
    words = json.dumps(first).lower()
    assert not any(word in words for word in ("visit", "conversion", "spend", "e-mail"))
    assert first["Address"].endswith("@example.invalid")


def test_hillstroms_groups_are_those_of_the_challenge(hillstrom: Path) -> None:
    with (hillstrom / "decisions.csv").open(newline="") as file:
        groups = Counter((row["holdout"], row["treatment"]) for row in csv.DictReader(file))
    assert groups == {
        ("true", ""): 21_306,
        ("false", "Mens E-Mail"): 21_307,
        ("false", "Womens E-Mail"): 21_387,
    }


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ("outcomes.csv", "61 more visits per 1,000 people messaged, between 55 and 66 (95 %)."),
        (
            "conversions.csv",
            "5.0 more visits per 1,000 people messaged, between 3.5 and 6.4 (95 %).",
        ),
        ("spend.csv", "597 more visits per 1,000 people messaged, between 376 and 817 (95 %)."),
    ],
)
def test_hillstroms_effect_is_said(hillstrom: Path, outcomes: str, sentence: str) -> None:
    request = LiftRequest(
        decisions=hillstrom / "decisions.csv",
        outcomes=hillstrom / outcomes,
        outcome_name="visits",
        holdout_percent=100.0 / 3.0,
        value=10.0,
        cost=1.0,
    )
    result = measure_lift(request)
    assert result.sentences[0] == sentence
    assert all(check.passed for check in result.checks)
    assert [row.name for row in result.by["treatment"].rows] == ["Womens E-Mail", "Mens E-Mail"]


def test_mailing_everybody_lost_390_a_thousand(hillstrom: Path) -> None:
    """10 a visit, 1 a mail: the messaged people's rate alone says that it earned 670."""
    request = LiftRequest(
        decisions=hillstrom / "decisions.csv",
        outcomes=hillstrom / "outcomes.csv",
        value=10.0,
        cost=1.0,
    )
    result = measure_lift(request)
    assert result.earned is not None
    assert 1000 * result.earned.value / result.effect.messaged == pytest.approx(-391, abs=1)
    assert result.earned.high < 0.0
    assert "The campaign lost" in result.sentences[-1]


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run over CDNOW with a 10 % control group: its decisions, and the outcomes."""
    folder = tmp_path_factory.mktemp("cdnow")
    command = [sys.executable, str(CDNOW / "make_endpoints.py"), "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    policy = folder / "policy.toml"
    policy.write_text(POLICY)
    words = [
        "--policy",
        str(policy),
        "--out",
        str(folder / "run"),
        "--scheduled-time",
        "1997-10-01",
    ]
    assert main(["run", str(folder / "endpoints.jsonl.gz"), *words]) == 0
    return folder / "run" / "decisions.csv", folder / "outcomes.csv"


def test_no_lift_is_found_where_nobody_was_messaged(cdnow: tuple[Path, Path]) -> None:
    decisions, outcomes = cdnow
    result = measure_lift(LiftRequest(decisions=decisions, outcomes=outcomes, holdout_percent=10.0))
    found = result.effect.difference
    assert found.low < 0.0 < found.high
    assert found.high - found.low == pytest.approx(0.076, abs=0.01)
    assert result.sentences[0].startswith("Cannot tell whether the message changed anything")
    assert "points) would not be seen" in result.sentences[1]
    assert result.by["decile"].differs is False


def test_the_whole_circle_is_one_screen(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.hillstrom.demo", "--out", str(tmp_path / "demo")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "61 more visits per 1,000 people messaged, between 55 and 66 (95 %)." in done.stdout
    assert "The campaign lost 16,701" in done.stdout
    assert len(done.stdout.splitlines()) <= 40
    assert (tmp_path / "demo" / "lift" / "lift.html").exists()


def test_the_examples_name_their_source_and_need_nothing_else() -> None:
    folder = ROOT / "examples" / "hillstrom"
    assert "Kevin" in (folder / "SOURCE.md").read_text("utf-8")
    for path in (*folder.glob("*.py"), *folder.glob("*.md")):
        assert "shared" not in path.read_text("utf-8")
