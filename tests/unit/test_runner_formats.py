"""The kept as tables: what has no place in one is left out and counted, and nothing else is."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from model.people.files import open_people
from model.people.records import make_decoder
from segment_scorer.runner.writing.formats import FORMATS, choose_columns, find_columns


def write_people(folder: Path, form: str, people: list[dict[str, Any]]) -> tuple[int, Path]:
    (folder / "segment.jsonl.gz").write_bytes(
        gzip.compress("".join(json.dumps(person) + "\n" for person in people).encode())
    )
    lost = FORMATS[form][2](folder / "segment.jsonl.gz", find_columns(people), folder / "made")
    return lost, folder / "made"


def read_back(path: Path) -> list[dict[str, Any]]:
    with open_people(path) as file:
        decode = make_decoder(file.header)
        return [decode(raw).document for _, raw in file]


ODD: list[dict[str, Any]] = [
    {
        "Id": "a",
        "Metrics": {"Cds": 1.0},
        "User": {"UserId": "u", "UserAttributes": {"City": ["Rome"]}},
    },
    {"Id": "b", "Metrics": "oops", "User": {"UserAttributes": ["oops"]}},
    {"Id": "c", "Metrics": None, "Attributes": ["oops"]},
]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_text_or_a_list_where_a_group_belongs_is_left_out_counted_and_the_table_can_be_read(
    form: str, tmp_path: Path
) -> None:
    lost, path = write_people(tmp_path, form, ODD)
    assert lost == 2
    assert read_back(path) == [{**ODD[0]}, {"Id": "b"}, {"Id": "c"}]


def test_profiles_of_such_endpoints_are_counted_too(tmp_path: Path) -> None:
    assert write_people(tmp_path, "profiles", ODD)[0] == 2
    assert write_people(tmp_path, "profiles", [{"ProfileId": "p", "Attributes": "oops"}])[0] == 0, (
        "it is written as it came"
    )


def test_several_values_where_one_belongs_stay_unreadable_and_the_header_names_the_column_once(
    tmp_path: Path,
) -> None:
    people = [
        {"Id": "a", "Metrics": {"X": [1, 2]}, "Address": ["x", "y"]},
        {"Id": "b", "Metrics": {"X": 3}},
    ]
    lost, path = write_people(tmp_path, "csv", people)
    assert lost == 0
    assert list(csv.reader(path.read_text().splitlines())) == [
        ["Id", "Address", "Metrics.X"],
        ["a", '["x","y"]', "[1,2]"],
        ["b", "", "3"],
    ]


def test_what_is_no_number_is_counted_where_a_parquet_column_has_no_place_for_it(
    tmp_path: Path,
) -> None:
    people = [{"Id": "a", "Metrics": {"X": "many"}}, {"Id": "b", "Metrics": {"X": 3}}, {"Id": "c"}]
    assert write_people(tmp_path, "csv", people)[0] == 0
    lost, path = write_people(tmp_path, "parquet", people)
    assert lost == 1
    assert read_back(path) == [{"Id": "a"}, {"Id": "b", "Metrics": {"X": 3.0}}, {"Id": "c"}]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_profiles_come_back_from_a_table_as_the_people_they_were(form: str, tmp_path: Path) -> None:
    profile = {
        "ProfileId": "p",
        "Attributes": {"Metrics_X": "3", "Plan_1": "a", "Plan_2": "b"},
        "Address": {"City": "Rome"},
    }
    lost, path = write_people(tmp_path, form, [profile, {"ProfileId": "q", "Address": "oops"}])
    assert lost == 1, "the address that is no address"
    assert read_back(path)[0] == make_decoder(None)(json.dumps(profile).encode()).document


def test_a_value_stays_and_a_group_of_the_same_name_goes_unless_the_group_is_known() -> None:
    columns = {
        "Id": 1,
        "OptOut": 1,
        "OptOut.x": 1,
        "Location": 1,
        "Location.City": 1,
        "Attributes.a": 2,
        "Attributes.a.b": 1,
        "Odd.x": 3,
    }
    assert choose_columns(columns) == {
        "Id": 1,
        "Attributes.a": 2,
        "Attributes.a.b": 1,
        "Location.City": 1,
        "Odd.x": 1,
        "OptOut": 1,
    }


def test_connect_csv_holds_a_row_for_each_of_the_kept_and_can_be_read_as_a_plain_table(
    tmp_path: Path,
) -> None:
    (tmp_path / "decisions.csv").write_text("Id,sent,score\na,true,0.5\nb,false,\nc,true,0.75\n")
    people = [{"Id": "a", "Attributes": {"Plan": ["pro"]}}, {"Id": "c"}]
    lost, path = write_people(tmp_path, "connect-csv", people)
    assert lost == 0
    assert list(csv.DictReader(path.read_text().splitlines())) == [
        {"AccountNumber": "a", "Score": "0.5", "Plan": "pro"},
        {"AccountNumber": "c", "Score": "0.75", "Plan": ""},
    ]
