"""The worked examples: a real campaign whose effect is known, and one where nobody was messaged."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from examples.hillstrom import demo
from examples.hillstrom.make_endpoints import FILES, write_example
from segment_scorer.lift.measure import LiftRequest, measure_lift

pytestmark = pytest.mark.usefixtures("undrawn")

ROOT = Path(__file__).parents[2]


def test_hillstroms_files_are_the_same_every_time(hillstrom_files: Path, tmp_path: Path) -> None:
    assert write_example(tmp_path) == 64_000
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (hillstrom_files / name).read_bytes()


def test_hillstroms_endpoints_know_nothing_of_the_campaign(hillstrom_files: Path) -> None:
    with gzip.open(hillstrom_files / "endpoints.jsonl.gz", "rt") as file:
        first = json.loads(next(file))
    words = json.dumps(first).lower()
    assert not any(word in words for word in ("visit", "conversion", "spend", "e-mail"))
    assert first["Address"].endswith("@example.invalid")


def test_hillstroms_groups_are_those_of_the_challenge(hillstrom_files: Path) -> None:
    with (hillstrom_files / "decisions.csv").open(newline="") as file:
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
def test_hillstroms_effect_is_said(hillstrom_files: Path, outcomes: str, sentence: str) -> None:
    request = LiftRequest(
        decisions=hillstrom_files / "decisions.csv",
        outcomes=hillstrom_files / outcomes,
        outcome_name="visits",
        holdout_percent=100.0 / 3.0,
        value=10.0,
        cost=1.0,
    )
    result = measure_lift(request)
    assert result.sentences[0] == sentence
    assert all(check.passed for check in result.checks)
    assert [row.name for row in result.by["treatment"].rows] == ["Womens E-Mail", "Mens E-Mail"]


def test_mailing_everybody_lost_390_a_thousand(hillstrom_files: Path) -> None:
    """10 a visit, 1 a mail: the messaged people's rate alone says that it earned 670."""
    request = LiftRequest(
        decisions=hillstrom_files / "decisions.csv",
        outcomes=hillstrom_files / "outcomes.csv",
        value=10.0,
        cost=1.0,
    )
    result = measure_lift(request)
    assert result.earned is not None
    assert 1000 * result.earned.value / result.effect.messaged == pytest.approx(-391, abs=1)
    assert result.earned.high < 0.0
    assert "The campaign lost" in result.sentences[-1]


def test_the_whole_circle_is_one_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--out", str(tmp_path / "demo"), "--customers", "10000"]) == 0
    printed = capsys.readouterr().out
    assert "a run over 10,000 customers" in printed
    assert "61 more visits per 1,000 people messaged, between 55 and 66 (95 %)." in printed
    assert "The campaign lost 16,701" in printed
    assert len(printed.splitlines()) <= 40
    assert (tmp_path / "demo" / "lift" / "lift.html").exists()


def test_a_demo_whose_command_fails_says_why_and_ends_with_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The model learns from every tenth customer, so from nobody.
    assert demo.main(["--out", str(tmp_path / "demo"), "--customers", "5"]) == 1
    assert "segment-scorer train: " in capsys.readouterr().err


def test_the_examples_name_their_source_and_need_nothing_else() -> None:
    folder = ROOT / "examples" / "hillstrom"
    assert "Kevin" in (folder / "SOURCE.md").read_text("utf-8")
    for path in (*folder.glob("*.py"), *folder.glob("*.md")):
        assert "shared" not in path.read_text("utf-8")
