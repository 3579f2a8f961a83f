"""What spoils a run comes first: on the terminal, in the report, and in the exit status."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from segment_scorer.cli.main import main
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle

UNREADABLE = (
    "Unreadable: 6 of 8 people; kept without a score. "
    "Metrics.score: 6 people (expected a number, found text)."
)


def run(tmp_path: Path, people: list[object], *more: str) -> int:
    segment = write_segment(tmp_path / "people.jsonl", people)
    bundle = make_bundle(tmp_path / "bundle")
    words = ["run", str(segment), "--out", str(tmp_path / "out"), "--bundle", str(bundle)]
    return main([*words, *more])


def spoilt() -> list[object]:
    texts = [{**person(i), "Metrics": {"score": "three"}} for i in range(6)]
    return [*texts, person(6, 0.9), person(7, 0.9)]


def read_warnings(tmp_path: Path) -> list[str]:
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    found = re.search(r'"warnings":(\[.*?\])', page)
    assert found is not None
    warnings: list[str] = json.loads(found[1])
    return warnings


def test_the_first_line_names_the_paths_and_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, spoilt()) == 4
    assert capsys.readouterr().err.splitlines()[0] == UNREADABLE
    assert read_warnings(tmp_path)[0] == UNREADABLE


@pytest.mark.parametrize(("share", "status"), [("0.75", 4), ("0.76", 0), ("0", 4), ("1", 0)])
def test_an_option_sets_the_share_from_which_the_exit_status_is_not_0(
    tmp_path: Path, share: str, status: int
) -> None:
    assert run(tmp_path, spoilt(), "--fail-unreadable", share) == status


@pytest.mark.parametrize("share", ["nan", "inf", "-0.1", "1.1", "x"])
def test_a_share_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], share: str
) -> None:
    assert run(tmp_path, spoilt(), "--fail-unreadable", share) == 2
    assert "--fail-unreadable" in capsys.readouterr().err


def test_a_run_of_sparse_people_says_so_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = [{"Id": f"s{i}", "Metrics": {}} for i in range(6)] + [person(1, 0.9), person(2, 0.9)]
    (tmp_path / "policy.toml").write_text("min_present = 0.5\n")
    assert run(tmp_path, people, "--policy", str(tmp_path / "policy.toml")) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("Too little data: 6 of 8 people have fewer of the model's features")
    assert "; kept without a score. An import has probably stopped filling fields" in first
    assert read_warnings(tmp_path)[0] == first


def test_a_bundle_in_a_folder_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / os.fsdecode(b"bundle\xff"))
    assert run(tmp_path, [person(1, 0.9)], "--bundle", str(folder)) == 0
    assert main(["policy", "check", "function/policy.toml", "--bundle", str(folder)]) == 0


def test_ids_that_a_spreadsheet_takes_for_a_formula_are_counted_and_not_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = ["=1+1", "+49", "-1", "@x", "\tx", "a=1", "1"]
    people: list[object] = [{**person(0, 0.9), "Id": id_} for id_ in ids]
    people.append({**person(0, 0.9), "Id": "b", "User": {"UserId": "=2"}})
    assert run(tmp_path, people) == 0
    errors = capsys.readouterr().err
    assert "The ids of 6 people begin with a sign that a spreadsheet takes for a formula" in errors
    assert "=1+1," in (tmp_path / "out" / "decisions.csv").read_text()
    assert "=1+1," in (tmp_path / "out" / "scores.csv").read_text()


def test_a_clean_run_warns_of_neither(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, [person(i, 0.9) for i in range(8)], "--fail-unreadable", "0") == 0
    errors = capsys.readouterr().err
    assert "nreadable" not in errors
    assert "spreadsheet" not in errors
