"""Who was messaged: read from a run, or from a column of the outcomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.errors import DataError
from model.people.outcome_columns import ColumnNames
from model.training.config import UpliftConfig
from model.training.datasets import read_outcomes
from model.training.treatment import read_run
from model.training.uplift.people import read_campaign

HEADER = "Id,UserId,selected,holdout,sent,reason,score,band\n"
ROWS = (
    "a,u1,true,false,true,score,0.5,\n"
    "b,u1,true,false,true,score,0.5,\n"
    "c,u2,true,true,false,holdout,0.5,\n"
    "d,,false,false,false,score,0.1,\n"
)


def write_run(folder: Path, rows: str = ROWS, **summary: object) -> Path:
    (folder / "decisions.csv").write_text(HEADER + rows, "utf-8")
    facts = {"holdout_percent": 20.0, "scheduled_time": "2026-03-01T00:00:00Z", **summary}
    (folder / "summary.json").write_text(json.dumps(facts), "utf-8")
    return folder


def write_outcomes(folder: Path, text: str) -> Path:
    path = folder / "bought.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_run_tells_its_selected_people_its_share_and_its_time(tmp_path: Path) -> None:
    treatment, users = read_run(write_run(tmp_path))
    assert treatment.flags == {"a": 1, "b": 1, "c": 0}
    assert users == {"a": "u1", "b": "u1", "c": "u2"}
    assert treatment.share == pytest.approx(0.8)
    assert treatment.moment == 1772323200.0
    assert treatment.notices == ()


def test_people_of_whom_nothing_is_known_and_failed_messages_are_left_out(tmp_path: Path) -> None:
    rows = ROWS + "e,,,,,failed,,\nf,,true,false,false,failed,,\n"
    treatment, _ = read_run(write_run(tmp_path, rows))
    assert not {"e", "f"} & treatment.flags.keys()
    assert sorted(notice.partition(": ")[2] for notice in treatment.notices) == [
        "the run knows nothing of them",
        "their message failed",
    ]


def test_a_control_group_that_was_messaged_is_refused(tmp_path: Path) -> None:
    rows = "a,,true,false,true,score,,\nb,,true,true,true,holdout,,\n"
    with pytest.raises(DataError, match="run in mode filter"):
        read_run(write_run(tmp_path, rows))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "people whom the rules selected"),
        ("a,,maybe,true,true,score,,\n", "line 2: expected an Id, and true, false or nothing"),
        ("a,,true\n", "line 2: expected 8 cells, found 3"),
    ],
)
def test_damaged_decisions_are_refused(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_run(write_run(tmp_path, rows))


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected the folder of a finished run"):
        read_run(tmp_path)
    write_run(tmp_path)
    (tmp_path / "summary.json").write_text("[", "utf-8")
    with pytest.raises(DataError, match="expected JSON"):
        read_run(tmp_path)
    (tmp_path / "summary.json").write_text("{}", "utf-8")
    (tmp_path / "decisions.csv").write_text("Id,UserId\n", "utf-8")
    with pytest.raises(DataError, match="found no selected and no holdout and no sent"):
        read_run(tmp_path)


def test_responders_alone_make_everybody_else_of_the_run_0(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    path = write_outcomes(tmp_path, "UserId,outcome\nu1,1\nsomebody,1\n")
    table = read_campaign(path, ColumnNames(), UpliftConfig(run=run))
    assert (table.key, table.outcomes) == ("Id", {"a": 1, "b": 1, "c": 0})
    assert table.treatment is not None
    assert "count as 0" in table.treatment.notices[0]


def test_people_of_the_run_without_an_outcome_are_left_out_if_the_file_lists_0(
    tmp_path: Path,
) -> None:
    run = write_run(tmp_path)
    path = write_outcomes(tmp_path, "Id,outcome\na,1\nc,0\nd,0\n")
    table = read_campaign(path, ColumnNames(), UpliftConfig(run=run, share=0.7))
    assert table.outcomes == {"a": 1, "c": 0}
    assert table.treatment is not None
    assert table.treatment.share == 0.7


def test_outcomes_of_other_people_are_refused(tmp_path: Path) -> None:
    path = write_outcomes(tmp_path, "Id,outcome\nz,1\n")
    with pytest.raises(DataError, match="found no Id of the run"):
        read_campaign(path, ColumnNames(), UpliftConfig(run=write_run(tmp_path)))


def test_a_column_says_who_was_messaged(tmp_path: Path) -> None:
    path = write_outcomes(tmp_path, "Id,outcome,Mailed\na,1,yes\nb,0,0\n")
    table = read_outcomes(path, ColumnNames(treated="mailed"))
    assert table.treatment is not None
    assert table.treatment.flags == {"a": 1, "b": 0}
    assert table.readings == ()


def test_a_column_that_is_missing_or_says_something_else_is_refused(tmp_path: Path) -> None:
    path = write_outcomes(tmp_path, "Id,outcome,mailed\na,1,maybe\n")
    with pytest.raises(DataError, match="the column that --treated names, found no such column"):
        read_outcomes(path, ColumnNames(treated="sent"))
    with pytest.raises(DataError, match=r"line 2: expected mailed 1 .messaged. or 0, found text"):
        read_outcomes(path, ColumnNames(treated="mailed"))
