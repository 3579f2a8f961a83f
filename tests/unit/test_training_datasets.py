from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from model.errors import DataError
from model.people.outcome_columns import ColumnNames
from model.training.datasets import read_lines, read_outcomes
from tests.training_people import ignore_progress, make_people, to_csv, to_lines, write

HEADER = "expected a CSV file with the header Id,outcome or Id,outcome,date"


def test_reads_gzip_by_its_content_and_several_files_as_one(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    first = write(tmp_path / "a.jsonl", gzip.compress(to_lines(documents[:60]).encode()))
    second = write(tmp_path / "b.gz", to_lines(documents[60:]))
    assert [line.document for line in read_lines([first, second], ignore_progress)] == documents
    outcome_table = write(
        tmp_path / "outcomes.csv", gzip.compress(to_csv(documents, outcomes).encode())
    )
    assert list(read_outcomes(outcome_table).outcomes.values()) == outcomes


def test_reads_outcomes_as_data_frames_write_them(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "Id,outcome\na,1\nb,0\nc,1.0\nd,0.0\ne,True\nf,FALSE\ng, 1\n")
    assert list(read_outcomes(path).outcomes.values()) == [1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", [HEADER, "found an empty file"]),
        ("Name,outcome\na,1\n", [HEADER, "found no column Id; name the columns with --id-column"]),
        ("Id,answer\na,1\n", [HEADER, "found no column outcome"]),
        ("Id,UserId,outcome\na,b,1\n", ["one column of ids, found Id and UserId; choose one"]),
        ("Id,OUTCOME,Outcome\na,1,1\n", ["one column outcome, found 2", "--outcome-column"]),
        ("sep=;\nId;outcome\na;1\n", ["Excel's line sep=; delete that line"]),
        ('\ufeff"sep=,"\r\nId,outcome\na,1\n', ["Excel's line sep=; delete that line"]),
        ("Id,outcome\na,1\n".encode("utf-16"), ["found UTF-16; save it as UTF-8", "CSV UTF-8"]),
        ("Id,outcome\na,1\n".encode("utf-16-be"), ["zero bytes, as in UTF-16; save it as UTF-8"]),
        (b"PK\x03\x04and so on", ["found an Excel workbook or a zip file; save it as CSV"]),
        ("Id,outcome\n101,1\n101.0,1\n", ["line 3: expected each Id once, found it again"]),
        ("Id;outcome\na;1\n", [HEADER, "found columns separated by ;"]),
        ('Id,outcome\n"a,1\nb,0\nc",1\n', ["line 4: expected an Id, found a line break"]),
        ("Id,outcome\n", ["found only the header"]),
        (
            "Id,outcome\na,1\nb,soon\nc\n,1\nd,\n",
            [
                "line 3: expected the outcome 0 or 1, or yes or no, found text",
                "line 4: expected 2 cells, found 1",
                "line 5: expected an Id, found an empty cell",
                "line 6: expected the outcome 0 or 1, or yes or no, found an empty cell",
            ],
        ),
        (
            "Id,outcome\n" + "a,2\n" * 8,
            [
                (
                    "lines 2, 3, 4, 5, 6 and 3 more: expected the outcome 0 or 1, or yes or no, "
                    "found another number"
                )
            ],
        ),
        ("UserId,outcome\na,1\nb,0\na,0\n", ["line 4: expected each UserId once"]),
        (
            "Id,outcome,date\na,1,2026-01-31\nb,0,soon\nc,1\n",
            [
                "line 3: expected a date in ISO 8601, found text",
                "line 4: expected 3 cells, found 2",
            ],
        ),
        (
            "Id,outcome\n" + "".join(f"a{',' * cells}\n" for cells in range(2, 9)),
            ["line 6: expected 2 cells, found 7", "2 more kinds of problems"],
        ),
        (b"Id,outcome\n\xff,1\n", ["expected UTF-8"]),
        (gzip.compress(b"Id,outcome\na,1\n" * 99, mtime=0)[:-9], ["gzip"]),
    ],
)
def test_refuses_outcomes_and_says_what_was_found_where_without_a_value(
    tmp_path: Path, content: str | bytes, words: list[str]
) -> None:
    path = write(tmp_path / "outcomes.csv", content)
    with pytest.raises(DataError) as caught:
        read_outcomes(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert [word for word in words if word not in message] == []
    assert not {"soon"} & set(message.split())


def test_reads_outcomes_as_people_write_them(tmp_path: Path) -> None:
    said = ["yes", "No", "TRUE", "false", "Y", "n", "t", "F"]
    rows = "".join(f"p{index},{word}\n" for index, word in enumerate(said))
    path = write(tmp_path / "o.csv", f"ID,Outcome\n{rows}")
    assert list(read_outcomes(path).outcomes.values()) == [1, 0, 1, 0, 1, 0, 1, 0]


def test_names_the_columns_that_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "Segment,Id,value,outcome\ns,a,9,1\ns,b,9,0\n")
    table = read_outcomes(path)
    assert table.outcomes == {"a": 1, "b": 0}
    assert table.readings == (f"{path}: columns that are not read: Segment, value",)


@pytest.mark.parametrize(
    ("asked", "key"), [("Kunde", "Id"), ("UserId=kunde", "UserId"), ("Id=Kunde", "Id")]
)
def test_columns_may_have_other_names(tmp_path: Path, asked: str, key: str) -> None:
    path = write(tmp_path / "o.csv", "Kunde,gekauft,Id\na,yes,9\nb,no,9\n")
    table = read_outcomes(path, ColumnNames(id=asked, outcome="gekauft"))
    assert (table.key, table.outcomes) == (key, {"a": 1, "b": 0})
    for names in (ColumnNames(id="Kundin"), ColumnNames(outcome="Kauf")):
        with pytest.raises(DataError, match=r"found no column (Kundin|Kauf);"):
            read_outcomes(path, names)


def test_an_id_with_the_point_zero_of_a_data_frame_is_the_whole_number(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "UserId,outcome\n101.0,1\n7.5,0\nv1.0,0\n102,0\n")
    table = read_outcomes(path)
    assert list(table.outcomes) == ["101", "7.5", "v1.0", "102"]
    assert table.readings == (
        f"{path}: UserId: 1 is a number with a final .0, which is left out to match",
    )


def test_reads_outcomes_with_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    outcome_table = read_outcomes(
        write(tmp_path / "o.csv", b"\xef\xbb\xbfId,outcome\r\na,1\r\nb,0\r\n\r\n")
    )
    assert (outcome_table.key, outcome_table.outcomes, outcome_table.dates) == (
        "Id",
        {"a": 1, "b": 0},
        None,
    )


@pytest.mark.parametrize(
    ("column", "key"), [("Id", "Id"), ("ProfileId", "Id"), ("UserId", "UserId")]
)
def test_takes_people_by_endpoint_profile_or_user_and_dates_as_utc(
    tmp_path: Path, column: str, key: str
) -> None:
    outcome_table = read_outcomes(
        write(
            tmp_path / "o.csv",
            f"{column},outcome,date\na,1,1970-01-02\nb,0,1970-01-01T01:00:00+01:00\n",
        )
    )
    assert outcome_table.key == key
    assert outcome_table.dates == {"a": 86_400.0, "b": 0.0}


def test_refuses_a_file_that_is_not_there_or_is_a_directory(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    with pytest.raises(DataError, match="expected a file of outcomes, found none"):
        read_outcomes(missing)
    with pytest.raises(DataError, match="expected a readable file of outcomes, found a directory"):
        read_outcomes(tmp_path)
    with pytest.raises(DataError, match="expected a file of people, found none"):
        list(read_lines([missing], ignore_progress))
