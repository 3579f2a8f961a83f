"""segment_scorer/external_store: files of people become a store, or one sentence names the line."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from function.external.dynamodb import read_value
from function.external.sqlite import SqliteStore
from model.errors import DataError
from segment_scorer.cli.main import main
from segment_scorer.external_store.dynamodb import make_item, write_value
from segment_scorer.external_store.rows import Row, read_rows
from segment_scorer.external_store.sqlite import write_file


def quiet(stage: str, done: int, total: int) -> None:
    pass


def read(path: Path, key: str = "id") -> dict[str, Any]:
    return {row.key: row.attributes for row in read_rows([path], key, quiet)}


def test_csv_keeps_text_as_it_is_leaves_out_empty_cells_and_makes_a_list_of_a_repeated_header(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid,tier,like,like,note\r\n007,gold,jazz,,"a ""b"",\nc"\r\n\r\n8,,,,\r\n'
    )
    assert read(path) == {"007": {"tier": "gold", "like": ["jazz"], "note": 'a "b",\nc'}, "8": {}}


def test_json_lines_keep_their_types_and_leave_out_nulls(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(
        gzip.compress(b'{"id": 7, "n": 1.5, "x": null, "l": ["a"]}\n\n{"id": "v", "yes": true}\n')
    )
    assert read(path) == {"7": {"n": 1.5, "l": ["a"]}, "v": {"yes": True}}


def test_parquet_values_become_what_json_has(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    day = dt.date(2026, 1, 31)
    rows = {
        "user": ["u"],
        "n": [1],
        "f": [math.nan],
        "d": [decimal.Decimal("1.25")],
        "t": [day],
        "l": [["a", "b"]],
        "m": [{"a": 1}],
    }
    parquet.write_table(pa.table(rows), path)
    assert read(path, "user") == {
        "u": {"n": 1, "d": 1.25, "t": "2026-01-31", "l": ["a", "b"], "m": {"a": 1}}
    }


def test_several_files_are_one_store_and_progress_ends_at_the_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,n\nu,1\n")
    (tmp_path / "b.jsonl").write_text('{"id": "v", "n": 2}\n')
    told: list[tuple[str, int, int]] = []
    rows = read_rows(
        [tmp_path / "a.csv", tmp_path / "b.jsonl"], "id", lambda *report: told.append(report)
    )
    assert write_file(rows, tmp_path / "p.sqlite") == 2
    assert SqliteStore(tmp_path / "p.sqlite").fetch(["u", "v"], 1.0) == {
        "u": {"n": "1"},
        "v": {"n": 2},
    }
    assert told[-1][1] == told[-1][2] > 0


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    rows = [Row("row", f"u{index * 7919 % 1000}", {"n": index}) for index in range(1000)]
    write_file(rows, tmp_path / "a.sqlite")
    write_file(rows, tmp_path / "b.sqlite")
    assert (tmp_path / "a.sqlite").read_bytes() == (tmp_path / "b.sqlite").read_bytes()


WRONG: dict[str, tuple[str, bytes, str]] = {
    "another kind": (
        "p.txt",
        b"PK\x03\x04xl",
        ": expected JSON lines or CSV in UTF-8, gzip or not",
    ),
    "no key column": (
        "p.csv",
        b"user,n\nu,1\n",
        ": expected a column id, which holds the key (name another with --key NAME); or JSON lines",
    ),
    "two key columns": ("p.csv", b"id,id\nu,1\n", ": expected the key column id once"),
    "an empty csv": ("p.csv", b"", ": expected external attributes, found an empty file"),
    "an unnamed column": (
        "p.csv",
        b"id,\nu,1\n",
        ": expected every column of the header to have a name",
    ),
    "a cell too few": (
        "p.csv",
        b"id,n\nu,1\nv\n",
        ", line 3: expected 2 fields, as in the header, found 1",
    ),
    "an empty key": (
        "p.csv",
        b"id,n\n,1\n",
        ", line 2: expected a key in id, text or a whole number, found nothing",
    ),
    "a key twice": (
        "p.csv",
        b"id,n\nu,1\nv,2\nu,3\n",
        ", line 4: expected every key once, found one that an earlier row has",
    ),
    "an open quote": ("p.csv", b'id,n\nu,"1\n', ", line 2: expected CSV: a quote is opened"),
    "another encoding": ("p.csv", b"id,n\nu,\xff\n", ", line 2: expected UTF-8"),
    "no JSON": ("p.jsonl", b'{"id": "u"}\n{"id"\n', ", line 2: expected one JSON object: "),
    "a list": ("p.jsonl", b"[1]\n", ", line 1: expected one JSON object, found a list"),
    "no key": (
        "p.jsonl",
        b'{"n": 1}\n',
        ", line 1: expected a key in id, text or a whole number, found nothing",
    ),
    "a boolean key": (
        "p.jsonl",
        b'{"id": true}\n',
        ", line 1: expected a key in id, text or a whole number, found true or false",
    ),
    "half a gzip": (
        "p.csv.gz",
        gzip.compress(b"id,n\nu,1\n")[:-9],
        ": expected a whole, undamaged file, found an end or damage after line ",
    ),
    "no Parquet": ("p.parquet", b"PAR1", ": expected a whole Parquet file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_wrong_is_named_with_its_line_and_leaves_the_older_store_alone(
    tmp_path: Path, case: str
) -> None:
    name, content, sentence = WRONG[case]
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "out" / "p.sqlite"
    write_file([Row("row", "old", {})], out)
    before = out.read_bytes()
    with pytest.raises(DataError) as raised:
        write_file(read_rows([tmp_path / name], "id", quiet), out)
    assert str(raised.value).startswith(f"{tmp_path / name}{sentence}")
    assert (out.read_bytes(), list(out.parent.iterdir())) == (before, [out])


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"none\.csv: expected a file of external attributes, found none"
    ):
        read(tmp_path / "none.csv")


def test_bytes_that_are_no_text_are_missing_with_a_warning_and_a_key_of_them_is_refused(
    tmp_path: Path,
) -> None:
    path, warnings = tmp_path / "p.parquet", list[str]()
    parquet.write_table(pa.table({"id": ["u"], "a": ["x"], "b": [b"\xff"]}), path)
    (row,) = read_rows([path], "id", lambda *_: None, warnings.append)
    assert row.attributes == {"a": "x"}
    assert warnings == [f"{path}: 1 value is missing, being no text in UTF-8: b (1)"]
    with pytest.raises(DataError, match=r"p\.parquet, line 1: expected a key in b, .* nothing"):
        read(path, "b")


def test_a_parquet_without_the_key_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    parquet.write_table(pa.table({"id": ["u"]}), path)
    with pytest.raises(DataError, match=r"p\.parquet: expected a column user"):
        read(path, "user")


def test_a_number_that_is_not_finite_is_missing(tmp_path: Path) -> None:
    columns = {"id": ["u"], "a": [math.nan], "b": [math.inf], "c": [-math.inf], "d": [[math.nan]]}
    parquet.write_table(pa.table(columns), tmp_path / "p.parquet")
    assert read(tmp_path / "p.parquet") == {"u": {"d": [None]}}


def test_a_file_is_told_by_what_it_begins_with_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "table.txt").write_text("id,n\nu,1\n")
    (tmp_path / "lines.csv").write_text('{"id": "v", "n": 2}\n')
    rows = read_rows([tmp_path / "table.txt", tmp_path / "lines.csv"], "id", quiet)
    assert {row.key: row.attributes for row in rows} == {"u": {"n": "1"}, "v": {"n": 2}}


def test_a_column_with_a_dot_is_an_attribute_of_the_whole_name(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,Metrics.n,Attributes.x\nu,1,y\n")
    assert read(tmp_path / "p.csv") == {"u": {"Metrics.n": "1", "Attributes.x": "y"}}


VALUES: list[Any] = [
    "",
    "text",
    0,
    12,
    -7,
    0.1,
    1e-7,
    1e100,
    True,
    False,
    None,
    ["a", 1, [2.5]],
    {"a": {"b": [None]}},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_to_dynamodb_is_read_back_as_it_was(value: Any) -> None:
    back = read_value(write_value("x", value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ({"SS": ["b", "a"]}, ["a", "b"]),
        ({"NS": ["2", "1.5"]}, [1.5, 2]),
        ({"N": "12.0"}, 12),
        ({"N": "1E+2"}, 100),
        ({"B": b"\x00"}, None),
        ({"N": "no number"}, None),
        ({"N": None}, None),
        ({"M": 3}, None),
        ({"X": "unknown"}, None),
        ({"S": "two", "N": "1"}, None),
        ("no value", None),
    ],
)
def test_a_stored_value_becomes_a_plain_one_or_none(stored: Any, value: Any) -> None:
    assert read_value(stored) == value


def test_what_dynamodb_cannot_hold_is_refused_by_the_attributes_name() -> None:
    with pytest.raises(DataError, match=r"spend: expected numbers .* which DynamoDB holds"):
        make_item("id", "u", {"spend": [1e200]})
    with pytest.raises(DataError, match="--partition-key: expected a name that no attribute has"):
        make_item("id", "u", {"id": 3})


def test_the_command_builds_a_store_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.csv").write_text("user,n\nu,1\n")
    assert (
        main(
            [
                "external",
                "build",
                str(tmp_path / "p.csv"),
                "--key",
                "user",
                "--out",
                str(tmp_path / "p.sqlite"),
            ]
        )
        == 0
    )
    said = capsys.readouterr()
    assert said.out == f"1 people in {tmp_path / 'p.sqlite'}\n"
    assert said.err == "reading people ...\n"


COMMANDS: dict[str, tuple[list[str], int, str]] = {
    "no store": (["build", "p.csv"], 2, "expected a store: --out FILE, --dynamodb TABLE, or both"),
    "another action": (["drop", "p.csv", "--out", "x"], 2, "No such command 'drop'"),
    "no file": (
        ["build", "p.csv", "--out", "x"],
        1,
        "p.csv: expected a file of external attributes, found none",
    ),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_the_command_says_in_a_sentence_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, status, sentence = COMMANDS[case]
    assert main(["external", *arguments]) == status
    assert sentence in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="expected a file that can be written, found file exists"):
        write_file([Row("row", "u", {})], tmp_path / "file" / "p.sqlite")
