"""segment_scorer/lift: decisions and outcomes as files, and what is wrong with them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from model.people.outcome_columns import ColumnNames
from segment_scorer.lift import tables
from segment_scorer.lift.decisions import read_decisions
from segment_scorer.lift.outcome_table import count_near_matches, read_campaign_outcomes
from segment_scorer.lift.runs import combine_runs
from tests.lift_files import decide, write_decisions, write_rows

HEADER = "Id,UserId,selected,holdout,sent,reason,score,band,treatment\n"


def read_text(folder: Path, text: str) -> None:
    path = folder / "decisions.csv"
    path.write_text(text, "utf-8")
    read_decisions([path])


def test_reads_every_column(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(
        HEADER + "a,u,true,false,true,score,0.5,high,T1\nb,,FALSE,1,,failed,,,\n", "utf-8"
    )
    found = read_decisions([path])
    assert found.selected.tolist() == [1, 0]
    assert found.holdout.tolist() == [0, 1]
    assert found.sent.tolist() == [1, -1]
    assert found.failed.tolist() == [False, True]
    assert found.scores[0] == 0.5
    assert np.isnan(found.scores[1])
    assert found.bands.names == ("high",)
    assert found.bands.codes.tolist() == [0, -1]
    assert found.treatments.names == ("T1",)


def test_four_columns_in_any_order_are_enough_and_others_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("colour,holdout,selected,UserId,Id\nred,0,1,u,a\n", "utf-8")
    found = read_decisions([path])
    assert (found.selected[0], found.holdout[0], found.sent[0]) == (1, 0, -1)


def test_a_gzip_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(("\ufeff" + HEADER + "a,u,true,false,,,,,\n").encode()))
    assert len(read_decisions([path]).ids) == 1


def test_an_endpoint_without_a_user_is_a_user_of_its_own(tmp_path: Path) -> None:
    rows = [
        decide(1, holdout=False, Id="x", UserId=""),
        decide(2, holdout=False, Id="y", UserId="x"),
    ]
    found = read_decisions([write_decisions(tmp_path / "d.csv", rows)])
    assert found.users[0] != found.users[1]
    assert found.ids[0] == found.users[1]


def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [decide(index, holdout=index % 3 == 0, band=f"b{index % 4}") for index in range(50)]
    path = write_decisions(tmp_path / "d.csv", rows)
    whole = read_decisions([path])
    monkeypatch.setattr(tables, "CHUNK_ROWS", 7)
    parts = read_decisions([path])
    assert np.array_equal(whole.users, parts.users)
    assert np.array_equal(whole.bands.codes, parts.bands.codes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Id,decision,reason,score,band\na,keep,score,1,\n", ("UserId", "selected", "holdout")),
        ("", ("Id, UserId, selected, holdout",)),
        (HEADER, ("found none below the header",)),
        (HEADER + "a,u,true\n", ("9 cells", "row 2")),
        (HEADER + "a,u,true,false,,,,,\nb,u,true,perhaps,,,,,\n", ("holdout", "row 3", "true")),
        (HEADER + ",u,true,false,,,,,\n", ("Id", "row 2")),
        (HEADER + "a,u,true,false,,,good,,\n", ("score", "number", "found text")),
        (HEADER.replace("sent", "selected"), ("selected twice",)),
        (HEADER + '"a,u,true,false,,,,,\n', ("CSV",)),
    ],
)
def test_what_cannot_be_used_is_named_without_its_value(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as raised:
        read_text(tmp_path, text)
    for word in words:
        assert word in str(raised.value)
    assert "perhaps" not in str(raised.value)
    assert "good" not in str(raised.value)


def test_too_many_different_bands_are_refused(tmp_path: Path) -> None:
    rows = [decide(index, holdout=False, band=f"b{index}") for index in range(1001)]
    with pytest.raises(DataError, match="band: expected at most 1,000"):
        read_decisions([write_decisions(tmp_path / "d.csv", rows)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        read_decisions([tmp_path / "none.csv"])
    with pytest.raises(DataError, match=r"none\.csv"):
        read_campaign_outcomes(tmp_path / "none.csv")


@pytest.mark.parametrize("key", ["Id", "ProfileId", "UserId"])
def test_outcomes_are_0_and_1_or_amounts(tmp_path: Path, key: str) -> None:
    path = write_rows(
        tmp_path / "o.csv", (key, "outcome"), [("a", 1), ("b", "False"), ("c", "0.0")]
    )
    found = read_campaign_outcomes(path)
    assert found.key == ("UserId" if key == "UserId" else "Id")
    assert sorted(found.values.tolist()) == [0.0, 0.0, 1.0]
    assert found.binary
    assert not found.lists_only_responders
    path = write_rows(
        tmp_path / "o.csv", ("date", key, "outcome"), [("", "a", 12.5), ("", "b", -3)]
    )
    found = read_campaign_outcomes(path)
    assert not found.binary
    assert found.lists_only_responders


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Id,amount\na,1\n", "header Id,outcome"),
        ("Id,UserId,outcome\na,b,1\n", "one column of ids, found Id and UserId"),
        ("sep=,\nId,outcome\na,1\n", "Excel's line sep=; delete that line"),
        ("Id\0,outcome\n", "zero bytes, as in UTF-16; save it as UTF-8"),
        ("Id,outcome\n", "found none below the header"),
        ("Id,outcome\na,1\nb,often\nc,nan\nd,\n", "rows 3, 4, 5"),
        ("Id,outcome\na,1\na,0\nb,0\n", "every Id once; 1 rows repeat one"),
        ("Id,outcome\n,1\n", "Id: expected text in row 2"),
    ],
)
def test_unusable_outcomes_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "o.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError) as raised:
        read_campaign_outcomes(path)
    assert words in str(raised.value)


def test_outcomes_as_people_write_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text("Shop,Kunde,Bought\ns,7.0,Yes\ns,8,NO\n", "utf-8")
    found = read_campaign_outcomes(path, names=ColumnNames(id="UserId=kunde", outcome="bought"))
    assert (found.key, sorted(found.values.tolist())) == ("UserId", [0.0, 1.0])
    assert found.readings == (
        "columns that are not read: Shop",
        "Kunde: 1 is a number with a final .0, which is left out to match",
    )
    decisions = write_decisions(
        tmp_path / "d.csv",
        [decide(1, holdout=False, UserId="7"), decide(2, holdout=False, UserId="8.0")],
    )
    users = np.sort(read_decisions([decisions]).users)
    assert np.array_equal(users, found.ids)


@pytest.mark.parametrize("written", ["101.0 ", "0101", " 101 "])
def test_ids_that_match_nearly_are_counted(tmp_path: Path, written: str) -> None:
    rows = [decide(1, holdout=False, Id="101"), decide(2, holdout=False, Id="Ab-7")]
    decisions = write_decisions(tmp_path / "d.csv", rows)
    outcomes = write_rows(
        tmp_path / "o.csv", ("Id", "outcome"), [(written, 1), ("aB-7", 1), ("new", 1), ("101", 0)]
    )
    known = np.unique(read_decisions([decisions]).ids)
    assert count_near_matches([decisions], outcomes, known) == 2


@pytest.mark.parametrize("content", [None, b"not json", b'{"mode": 3}'])
def test_a_folder_without_a_finished_run_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_bytes(content)
    with pytest.raises(DataError, match=r"summary"):
        combine_runs([tmp_path])
