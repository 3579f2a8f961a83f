"""From a run to the lift: the runner writes what `segment-scorer lift` reads."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from examples.cdnow.make_endpoints import write_example
from segment_scorer.cli.main import main

POLICY = 'mode = "{mode}"\nthreshold = "model"\n[holdout]\npercent = {percent}\nsalt = "{salt}"\n'
CUSTOMERS = 23_570


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdnow")
    assert write_example(folder) == CUSTOMERS
    return folder


@pytest.fixture(scope="module")
def held_out(cdnow: Path) -> Path:
    """A run over CDNOW that holds a tenth of the customers out."""
    return run(cdnow, "held-out", percent=10, salt="cdnow")


def run(
    cdnow: Path, name: str, *more: str, percent: float, salt: str, mode: str = "filter"
) -> Path:
    policy = cdnow / f"{name}.toml"
    policy.write_text(POLICY.format(mode=mode, percent=percent, salt=salt))
    words = ["--policy", str(policy), "--out", str(cdnow / name), "--scheduled-time", "1997-10-01"]
    assert main(["run", str(cdnow / "endpoints.jsonl.gz"), *words, *more]) == 0
    return cdnow / name


def read_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "decisions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_no_lift_is_found_where_nobody_was_messaged(
    cdnow: Path, held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """High scorers against a control group drawn from everybody showed 32.5 points here."""
    assert main(["lift", str(held_out), "--outcomes", str(cdnow / "outcomes.csv")]) == 0
    assert "Cannot tell whether the message changed anything" in capsys.readouterr().out
    found = json.loads((held_out / "lift" / "lift.json").read_text("utf-8"))
    assert found["difference"]["low"] < 0.0 < found["difference"]["high"]
    assert abs(found["difference"]["value"]) < 0.04
    assert all(check["passed"] for check in found["checks"])
    rows = read_rows(held_out)
    selected = [row for row in rows if row["selected"] == "true"]
    assert found["messaged"]["users"] == sum(row["holdout"] == "false" for row in selected)
    assert found["control"]["users"] == sum(row["holdout"] == "true" for row in selected)


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
    cdnow: Path, held_out: Path
) -> None:
    other = run(cdnow, "other", percent=25, salt="another")
    assert [row["selected"] for row in read_rows(other)] == [
        row["selected"] for row in read_rows(held_out)
    ]
    before, after = (
        json.loads((folder / "summary.json").read_text("utf-8")) for folder in (held_out, other)
    )
    assert before["holdout_salt_digest"] != after["holdout_salt_digest"]
    assert before["policy_digest"] != after["policy_digest"]


def test_a_control_group_that_was_messaged_too_is_refused(
    cdnow: Path, held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shadow = run(cdnow, "shadow", percent=10, salt="cdnow", mode="shadow")
    rows = read_rows(shadow)
    assert {row["sent"] for row in rows} == {"true"}
    assert [(row["selected"], row["holdout"]) for row in rows] == [
        (row["selected"], row["holdout"]) for row in read_rows(held_out)
    ]
    assert main(["lift", str(shadow), "--outcomes", str(cdnow / "outcomes.csv")]) == 1
    assert "the control group was messaged too" in capsys.readouterr().err


def test_a_rehearsal_says_what_its_control_group_can_show(
    cdnow: Path, held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    selected = sum(row["selected"] == "true" for row in read_rows(held_out))
    folder = run(cdnow, "rehearsal", "--rehearse", percent=10, salt="cdnow")
    printed = capsys.readouterr().err
    sentence = f"A control group of 10 % ({round(selected / 10):,} of {selected:,} people) shows"
    assert sentence in printed
    assert "of 1,000 respond anyway." in printed
    assert sentence in (folder / "report.html").read_text("utf-8")
    assert sorted(path.name for path in folder.iterdir()) == ["report.html"]
    run(cdnow, "none", "--rehearse", percent=0, salt="")
    assert "Without a control group, what the message changes cannot be measured." in (
        capsys.readouterr().err
    )
