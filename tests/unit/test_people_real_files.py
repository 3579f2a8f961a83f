"""Files as real data platforms write them. `tests/data/people` has invented ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from model.paths import compile_paths
from model.people.columns import RecordError
from model.people.files import open_people
from model.people.progress import Progress
from model.people.records import make_decoder
from model.training.datasets import read_lines
from segment_scorer.external_store.rows import read_rows
from segment_scorer.runner.reading.batches import cut_slices, make_finder

DATA = Path(__file__).parents[1] / "data" / "people"
IGNORE: Progress = lambda *_: None  # noqa: E731


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_all(path: Path) -> list[dict[str, Any] | str]:
    """Documents, or what is wrong with a record."""
    people: list[dict[str, Any] | str] = []
    with open_people(path) as file:
        decode = make_decoder(file.header)
        for _, raw in file:
            try:
                people.append(decode(raw).document)
            except RecordError as error:
                people.append(str(error))
    return people


def test_missing_and_numbers_null_markers_in_a_numeric_cell_are_missing() -> None:
    people = read_all(DATA / "null-markers" / "segment.csv")
    assert [person["Id"] for person in people if isinstance(person, dict)] == list("abcdefgh")
    assert [person for person in people if "Metrics" in person or "Location" in person] == [
        {
            "Id": "a",
            "ChannelType": "EMAIL",
            "Metrics": {"Purchases": 3.0},
            "Attributes": {"Plan": ["gold"]},
            "Location": {"Latitude": 52.1},
        }
    ]
    # Text that may be a real value stays.
    assert people[6] == {"Id": "g", "ChannelType": "EMAIL", "Attributes": {"Plan": ["None"]}}


@pytest.mark.parametrize("marker", ["-inf", "Infinity", "inf", " NULL ", "n/a", "(null)", "  "])
def test_missing_and_numbers_further_markers_of_data_platforms(marker: str, tmp_path: Path) -> None:
    table = f"Id,Metrics.X,Metrics.Y\na,{marker},1\n"
    assert read_all(write(tmp_path / "p.csv", table)) == [{"Id": "a", "Metrics": {"Y": 1.0}}]


FLOATS = {
    "id.parquet": [{"Id": str(n)} for n in (101, 102, 103)],
    "int.parquet": [{"Id": str(n)} for n in (101, 102, 103)],
    "userid.parquet": [
        {"Id": "a", "User": {"UserId": "101"}},
        {"Id": "b", "User": {"UserId": "102"}},
        {"Id": "c"},
    ],
    "postalcode.parquet": [
        {"Id": "a", "Location": {"PostalCode": "2139"}},
        {"Id": "b", "Location": {"PostalCode": "10001"}},
        {"Id": "c"},
    ],
}


@pytest.mark.parametrize(("name", "expected"), FLOATS.items())
def test_missing_and_numbers_ids_as_doubles_in_parquet_are_text(
    name: str, expected: list[dict[str, Any]]
) -> None:
    people = read_all(DATA / "float-ids-parquet" / name)
    assert people == [
        {**fields, "ChannelType": "EMAIL", "Metrics": {"Purchases": float(index)}}
        for index, fields in enumerate(expected, 1)
    ]


@pytest.mark.parametrize("id_", ["101", "101.0", '"101"'])
def test_missing_and_numbers_whole_numbers_are_text_in_json_too(id_: str, tmp_path: Path) -> None:
    line = (
        f'{{"Id": {id_}, "User": {{"UserId": {id_}}}, "Location": {{"PostalCode": {id_}, '
        f'"Latitude": 52.0}}, "Demographic": {{"AppVersion": {id_}}}, "Metrics": {{"X": 101}}}}\n'
    )
    assert read_all(write(tmp_path / "p.jsonl", line)) == [
        {
            "Id": "101",
            "User": {"UserId": "101"},
            "Location": {"PostalCode": "101", "Latitude": 52.0},
            "Demographic": {"AppVersion": "101"},
            "Metrics": {"X": 101},
        }
    ]


def test_missing_and_numbers_a_struct_of_doubles_in_parquet_is_read_alike(tmp_path: Path) -> None:
    table = {"Id": [7.0, None], "User": [{"UserId": 101.0}, {"UserId": float("nan")}]}
    parquet.write_table(pa.table(table), tmp_path / "p")
    assert read_all(tmp_path / "p") == [
        {"Id": "7", "User": {"UserId": "101"}},
        "$.Id: expected text or a whole number, found none",
    ]


def test_missing_and_numbers_profiles_with_numbers_for_ids(tmp_path: Path) -> None:
    line = '{"ProfileId": 101, "AccountNumber": 7.0, "Address": {"PostalCode": 2139}}'
    assert read_all(write(tmp_path / "p.jsonl", line)) == [
        {"Id": "101", "User": {"UserId": "7"}, "Location": {"PostalCode": "2139"}}
    ]
    profile = make_decoder(None)(line.encode()).profile
    assert profile is not None
    assert profile["ProfileId"] == "101"


def test_missing_and_numbers_a_decimal_comma_is_named_with_its_cure(tmp_path: Path) -> None:
    table = 'Id,Metrics.X,Location.Latitude\na,"12,5",1\nb,12.5,"1,5"\nc,many,\nd,"1,2,3",\n'
    path = write(tmp_path / "p.csv", table)
    read = compile_paths(["Metrics.X", "Location.Latitude"])
    found = "expected a number, found text"
    cure = f"{found} with a decimal comma; write a point"
    assert [line.refusal for line in read_lines([path], IGNORE, read=read)] == [
        f"{path}, line 2: $.Metrics.X: {cure}",
        f"{path}, line 3: $.Location.Latitude: {cure}",
        f"{path}, line 4: $.Metrics.X: {found}",
        f"{path}, line 5: $.Metrics.X: {found}",
    ]


def test_missing_and_numbers_null_markers_lose_nobody_to_training() -> None:
    path = DATA / "null-markers" / "segment.csv"
    read = compile_paths(["Metrics.Purchases", "Location.Latitude", "Attributes.Plan"])
    assert [line.refusal for line in read_lines([path], IGNORE, read=read)] == [""] * 8


def test_missing_and_numbers_what_python_writes_for_nan_is_missing(tmp_path: Path) -> None:
    inf, nan = float("inf"), float("nan")
    lines = [{"Id": "a", "Metrics": {"X": nan, "Y": inf, "Z": -inf, "W": 1.5}}, {"Id": "b"}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    assert read_all(write(tmp_path / "p.jsonl", text)) == [
        {"Id": "a", "Metrics": {"X": None, "Y": None, "Z": None, "W": 1.5}},
        {"Id": "b"},
    ]


@pytest.mark.parametrize("raw", ['{"Id": NaNa}', '{"Id": "NaN", }', '{"Id": "\\ud800", "X": NaN}'])
def test_missing_and_numbers_broken_json_stays_broken(raw: str, tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", f'{{"Id": "a"}}\n{raw}\n')
    assert str(read_all(path)[1]).startswith("expected one JSON object: ")


def test_missing_and_numbers_batches_see_the_ids_that_are_sent() -> None:
    """An event cannot hold an id twice, however it is written, nor more than 50."""
    find = make_finder(None, include_opted_out=False)
    texts = ['{"Id": 101}', '{"Id": 102.0, "X": NaN}', '{"Id": "101"}', '{"ProfileId": 5}']
    slices = list(cut_slices(enumerate(text.encode() for text in texts), find))
    assert [piece.numbers for piece in slices] == [[0, 1], [2, 3]]
    assert [find(text.encode()) for text in texts] == ["101", "102", "101", "5"]


def test_missing_and_numbers_keys_of_external_attributes_as_doubles(tmp_path: Path) -> None:
    table = pa.table({"customer_id": [101.0, 102.0], "Tier": ["gold", None]})
    parquet.write_table(table, tmp_path / "p.parquet")
    lines = write(tmp_path / "p.jsonl", '{"customer_id": 103.0, "X": NaN}\n{"customer_id": 104}\n')
    rows = read_rows([tmp_path / "p.parquet", lines], "customer_id", IGNORE)
    assert [(row.key, row.attributes) for row in rows] == [
        ("101", {"Tier": "gold"}),
        ("102", {}),
        ("103", {}),
        ("104", {}),
    ]
