from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from model.errors import DataError
from model.people_files import PeopleFile, open_people
from model.people_records import LONGEST_RECORD, RecordError, make_decoder


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_all(path: Path) -> list[tuple[int, dict[str, Any] | str]]:
    """Line and document, or line and what is wrong with it."""
    people: list[tuple[int, dict[str, Any] | str]] = []
    with open_people(path) as file:
        decode = make_decoder(file.header)
        for line, raw in file:
            try:
                people.append((line, decode(raw).document))
            except RecordError as error:
                people.append((line, str(error)))
        assert file.position == file.size
    return people


def test_reads_json_lines_whatever_the_name_and_skips_blank_ones(tmp_path: Path) -> None:
    text = '\ufeff\n{"Id": "a"}\n\n  \n{"Id": "b", "Metrics": {"X": 1}}'
    expected = [(2, {"Id": "a"}), (5, {"Id": "b", "Metrics": {"X": 1}})]
    assert read_all(write(tmp_path / "a.csv", text)) == expected
    assert read_all(write(tmp_path / "a", gzip.compress(text.encode()))) == expected


def test_reads_an_import_csv_with_dotted_and_repeated_headers(tmp_path: Path) -> None:
    text = (
        "\ufeffId,ChannelType,Attributes.Plan,Attributes.Plan,Metrics.Visits,Location.Latitude,Demographic.Make,"
        "User.UserId,User.UserAttributes.a.b\r\n"
        "1,EMAIL,free,trial,7,-1.5,acme,u1,x\r\n"
        '2,,,,,,"a, ""b""\nc",,\r\n'
        "3,,,pro,many,,,,\r\n"
    )
    assert read_all(write(tmp_path / "people.csv", text)) == [
        (
            2,
            {
                "Id": "1",
                "ChannelType": "EMAIL",
                "Attributes": {"Plan": ["free", "trial"]},
                "Metrics": {"Visits": 7.0},
                "Location": {"Latitude": -1.5},
                "Demographic": {"Make": "acme"},
                "User": {"UserId": "u1", "UserAttributes": {"a.b": ["x"]}},
            },
        ),
        (3, {"Id": "2", "Demographic": {"Make": 'a, "b"\nc'}}),
        (5, {"Id": "3", "Attributes": {"Plan": ["pro"]}, "Metrics": {"Visits": "many"}}),
    ]
    assert read_all(write(tmp_path / "people.csv.gz", gzip.compress(text.encode()))) == read_all(tmp_path / "people.csv")


def test_a_quote_that_begins_no_field_is_text(tmp_path: Path) -> None:
    assert read_all(write(tmp_path / "p.csv", 'Id,Demographic.Model\na,5" x\nb,y\n')) == [
        (2, {"Id": "a", "Demographic": {"Model": '5" x'}}),
        (3, {"Id": "b", "Demographic": {"Model": "y"}}),
    ]


def test_a_quote_that_is_never_closed_costs_a_stretch_of_the_file_and_not_all_of_it(tmp_path: Path) -> None:
    lines = [f'{n},"free"\n' for n in range(30_000)]
    people = read_all(write(tmp_path / "p.csv", 'Id,Attributes.Plan\nx,"free\n' + "".join(lines)))
    assert people[0] == (2, "expected CSV: ',' expected after '\"'")
    assert len(people) > 20_000
    assert people[-1] == (30_002, {"Id": "29999", "Attributes": {"Plan": ["free"]}})


@pytest.mark.parametrize(
    ("profile", "form"),
    [
        ({"ProfileId": "p1", "AccountNumber": "u1", "Attributes": {"Metrics_Visits": "3", "Plan": "pro"}}, "export"),
        ({"profileId": "p1", "accountNumber": "u1", "attributes": {"Metrics_Visits": "3", "Plan": "pro"}}, "event"),
    ],
)
def test_a_line_with_a_profile_id_is_read_by_the_mapping_that_serves_connect(tmp_path: Path, profile: dict[str, Any], form: str) -> None:
    document = {
        "Id": "p1",
        "Attributes": {"Plan": ["pro"]},
        "Metrics": {"Visits": 3.0},
        "User": {"UserAttributes": {"Plan": ["pro"]}, "UserId": "u1"},
    }
    assert read_all(write(tmp_path / form, json.dumps(profile))) == [(1, document)]
    assert make_decoder(None)(json.dumps(profile).encode()).profile == profile


def test_a_csv_row_of_a_profile_is_the_same_profile_as_its_line(tmp_path: Path) -> None:
    table = "ProfileId,AccountNumber,Address.City,Attributes.Metrics_Visits,Attributes.Plan_1,Attributes.Plan_2\np1,u1,Rome,3,a,b\n"
    profile = {
        "ProfileId": "p1",
        "AccountNumber": "u1",
        "Address": {"City": "Rome"},
        "Attributes": {"Metrics_Visits": "3", "Plan_1": "a", "Plan_2": "b"},
    }
    rows = read_all(write(tmp_path / "p.csv", table))
    assert [document for _, document in rows] == [document for _, document in read_all(write(tmp_path / "p.jsonl", json.dumps(profile)))]


def test_reads_parquet_with_dotted_columns_or_with_structs_and_maps(tmp_path: Path) -> None:
    flat = pa.table(
        {
            "Id": [1, 2],
            "CreationDate": [datetime(2026, 1, 31, tzinfo=UTC), None],
            "Attributes.Plan": [["free", "trial"], None],
            "Metrics.Visits": [7.0, float("nan")],
            "User.UserId": ["u1", None],
        }
    )
    parquet.write_table(flat, tmp_path / "flat")
    first = {"Id": "1", "Attributes": {"Plan": ["free", "trial"]}, "Metrics": {"Visits": 7.0}, "User": {"UserId": "u1"}}
    assert read_all(tmp_path / "flat") == [
        (1, {**first, "CreationDate": "2026-01-31T00:00:00Z"}),
        (2, {"Id": "2", "Metrics": {"Visits": None}}),
    ]
    nested = pa.table(
        {
            "Id": ["1", "2"],
            "Attributes": pa.array([[("Plan", ["free", "trial"])], []], pa.map_(pa.string(), pa.list_(pa.string()))),
            "Metrics": [{"Visits": 7.0}, {"Visits": None}],
            "User": [{"UserId": "u1"}, None],
        }
    )
    parquet.write_table(nested, tmp_path / "nested")
    assert read_all(tmp_path / "nested") == [(1, first), (2, {"Id": "2", "Attributes": {}, "Metrics": {}})]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ("{not json", "expected one JSON object: JSON is malformed: object keys must be strings (byte 1)"),
        ("[1]", "expected one JSON object, an endpoint or a profile as exported"),
        ("{}", "$.Id: expected text of one character or more"),
        ('{"Id": 7}', "$.Id: expected text of one character or more"),
        ('{"Id": "", "ProfileId": "p"}', "$.Id: expected text of one character or more"),
        ("[" * 100_000 + "]" * 100_000, "expected JSON of moderate depth"),
        (b'{"Id": "\xff"}', "expected UTF-8"),
        ('{"Id": "' + "x" * LONGEST_RECORD + '"}', "expected fewer than 5,000,000 bytes"),
    ],
)
def test_refuses_a_record_in_one_sentence_and_reads_on(tmp_path: Path, record: str | bytes, sentence: str) -> None:
    raw = record.encode() if isinstance(record, str) else record
    path = write(tmp_path / "p.jsonl", b'{"Id": "before"}\n' + raw + b'\n{"Id": "after"}\n')
    assert read_all(path) == [(1, {"Id": "before"}), (2, sentence), (3, {"Id": "after"})]


def test_refuses_a_row_that_does_not_fit_the_header(tmp_path: Path) -> None:
    assert read_all(write(tmp_path / "p.csv", b"Id,Metrics.X\na\nb,1,2\n\xff,1\n,1\nc,2\n")) == [
        (2, "expected 2 fields, as in the header, found 1"),
        (3, "expected 2 fields, as in the header, found 3"),
        (4, "expected UTF-8"),
        (5, "$.Id: expected text of one character or more"),
        (6, {"Id": "c", "Metrics": {"X": 2.0}}),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("ChannelType,Address\nEMAIL,a\n", "{path}: expected the header to name Id, User.UserId or ProfileId"),
        (
            "Id,Metrics.X,Metrics.X\n",
            "{path}: expected every column of the header once, except those of Attributes and User.UserAttributes",
        ),
        ("Id,User,User.UserId\n", "{path}: expected a column of the header to be a value or a group, not both"),
        ("Id,,x\n", "{path}: expected every column of the header to have a name, such as Id, ChannelType"),
        (
            gzip.compress(b'{"Id": "a"}\n' * 9_999)[:-9],
            "{path}: expected whole, undamaged data; it breaks off or cannot be read after line",
        ),
        (b"PAR1" + b"x" * 99, "{path}: expected a whole Parquet file"),
    ],
)
def test_refuses_a_file_in_one_sentence_without_a_value(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    path = write(tmp_path / "people", content)
    with pytest.raises(DataError) as caught:
        read_all(path)
    assert str(caught.value).startswith(sentence.format(path=path))


def test_refuses_a_file_that_is_not_there_or_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing: expected a file of people, found none"):
        open_people(tmp_path / "missing")
    with pytest.raises(DataError, match="expected a readable file of people: Is a directory"):
        open_people(tmp_path)


def test_lets_a_person_without_id_through_where_none_is_needed() -> None:
    decode = make_decoder(None, id_needed=False)
    assert decode(b'{"User": {"UserId": "u"}}').document == {"User": {"UserId": "u"}}
    with pytest.raises(RecordError):
        decode(b'{"Id": 7}')


def test_an_empty_file_has_nobody(tmp_path: Path) -> None:
    for content in (b"", b"\n\n", b"Id,outcome\n", gzip.compress(b"")):
        assert read_all(write(tmp_path / "p", content)) == []


def test_closes_the_stream_it_was_given(tmp_path: Path) -> None:
    stream = write(tmp_path / "p", '{"Id": "a"}').open("rb")
    with PeopleFile("s3://bucket/p", stream) as file:
        assert list(file) == [(1, b'{"Id": "a"}')]
    assert stream.closed
