"""From a run to the lift: the runner writes what `segment-scorer lift` reads."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import math
from pathlib import Path

import pytest

from segment_scorer.cli.main import main
from segment_scorer.lift.measure import LiftRequest, measure_lift

POLICY = 'mode = "{mode}"\nthreshold = "model"\n[holdout]\npercent = {percent}\nsalt = "{salt}"\n'
CUSTOMERS = 23_570
FEW = 5_000  # for runs that are only compared with the run over all of them


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs go."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def outcomes(cdnow_files: Path) -> Path:
    return cdnow_files / "outcomes.csv"


@pytest.fixture(scope="module")
def held_out(folder: Path, cdnow_files: Path) -> Path:
    """A run over CDNOW that holds a tenth of the customers out."""
    return run(cdnow_files / "endpoints.jsonl.gz", folder / "held-out", percent=10, salt="cdnow")


@pytest.fixture(scope="module")
def few(folder: Path, cdnow_files: Path) -> Path:
    """The first customers of CDNOW."""
    path = folder / "few.jsonl"
    with gzip.open(cdnow_files / "endpoints.jsonl.gz", "rt") as file:
        path.write_text("".join(itertools.islice(file, FEW)))
    return path


def run(
    segment: Path, out: Path, *more: str, percent: float, salt: str, mode: str = "filter"
) -> Path:
    policy = out.with_suffix(".toml")
    policy.write_text(POLICY.format(mode=mode, percent=percent, salt=salt))
    words = ["--policy", str(policy), "--out", str(out), "--scheduled-time", "1997-10-01"]
    assert main(["run", str(segment), *words, *more]) == 0
    return out


def read_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "decisions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_no_lift_is_found_where_nobody_was_messaged(
    outcomes: Path, held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """High scorers against a control group drawn from everybody showed 32.5 points here."""
    assert main(["lift", str(held_out), "--outcomes", str(outcomes)]) == 0
    assert "Cannot tell whether the message changed anything" in capsys.readouterr().out
    found = json.loads((held_out / "lift" / "lift.json").read_text("utf-8"))
    assert found["difference"]["low"] < 0.0 < found["difference"]["high"]
    assert abs(found["difference"]["value"]) < 0.04
    assert all(check["passed"] for check in found["checks"])
    rows = read_rows(held_out)
    selected = [row for row in rows if row["selected"] == "true"]
    assert found["messaged"]["users"] == sum(row["holdout"] == "false" for row in selected)
    assert found["control"]["users"] == sum(row["holdout"] == "true" for row in selected)


def test_says_how_large_an_effect_would_be_seen_and_finds_none_by_decile(
    outcomes: Path, held_out: Path
) -> None:
    decisions = held_out / "decisions.csv"
    result = measure_lift(LiftRequest(decisions=decisions, outcomes=outcomes, holdout_percent=10.0))
    found = result.effect.difference
    assert found.low < 0.0 < found.high
    assert found.high - found.low == pytest.approx(0.076, abs=0.01)
    assert result.sentences[0].startswith("Cannot tell whether the message changed anything")
    assert "points) would not be seen" in result.sentences[1]
    assert result.by["decile"].differs is False


def test_the_columns_say_who_was_selected_held_out_and_sent(held_out: Path) -> None:
    rows = read_rows(held_out)
    summary = json.loads((held_out / "summary.json").read_text("utf-8"))
    assert len(rows) == summary["received"] == summary["users"] == CUSTOMERS
    held = [row for row in rows if row["holdout"] == "true"]
    spread = math.sqrt(CUSTOMERS * 0.1 * 0.9)
    assert abs(len(held) - CUSTOMERS / 10) < 4 * spread
    assert len(held) == summary["held_out"] == sum(row["reason"] == "holdout" for row in rows)
    assert all(row["score"] and row["UserId"] for row in held)
    assert {row["selected"] for row in held} == {"true", "false"}
    for row in rows:
        assert row["sent"] == str(row["selected"] == "true" and row["holdout"] == "false").lower()
        assert row["selected"] == str(float(row["score"]) >= summary["threshold"]).lower()
    assert summary["kept"] == sum(row["sent"] == "true" for row in rows)
    assert (summary["keep"], summary["holdout_percent"]) == ("at_least", 10.0)
    assert len(summary["policy_digest"]) == 64
    assert "cdnow" not in (held_out / "summary.json").read_text("utf-8")


def test_another_control_group_changes_nobodys_selection_and_has_another_digest(
    few: Path, folder: Path, held_out: Path
) -> None:
    other = run(few, folder / "other", percent=25, salt="another")
    selected = [row["selected"] for row in read_rows(other)]
    assert len(selected) == FEW
    assert selected == [row["selected"] for row in read_rows(held_out)[:FEW]]
    before, after = (
        json.loads((folder / "summary.json").read_text("utf-8")) for folder in (held_out, other)
    )
    assert before["holdout_salt_digest"] != after["holdout_salt_digest"]
    assert before["policy_digest"] != after["policy_digest"]


def test_a_control_group_that_was_messaged_too_is_refused(
    few: Path, folder: Path, outcomes: Path, held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shadow = run(few, folder / "shadow", percent=10, salt="cdnow", mode="shadow")
    rows = read_rows(shadow)
    assert len(rows) == FEW
    assert {row["sent"] for row in rows} == {"true"}
    assert [(row["selected"], row["holdout"]) for row in rows] == [
        (row["selected"], row["holdout"]) for row in read_rows(held_out)[:FEW]
    ]
    assert main(["lift", str(shadow), "--outcomes", str(outcomes)]) == 1
    assert "the control group was messaged too" in capsys.readouterr().err


def test_a_rehearsal_says_what_its_control_group_can_show(
    few: Path, folder: Path, held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    selected = sum(row["selected"] == "true" for row in read_rows(held_out)[:FEW])
    rehearsal = run(few, folder / "rehearsal", "--rehearse", percent=10, salt="cdnow")
    printed = capsys.readouterr().err
    sentence = f"A control group of 10 % ({round(selected / 10):,} of {selected:,} people) shows"
    assert sentence in printed
    assert "of 1,000 respond anyway." in printed
    assert sentence in (rehearsal / "report.html").read_text("utf-8")
    assert sorted(path.name for path in rehearsal.iterdir()) == ["report.html"]
    run(few, folder / "none", "--rehearse", percent=0, salt="")
    assert "Without a control group, what the message changes cannot be measured." in (
        capsys.readouterr().err
    )
