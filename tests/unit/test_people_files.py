from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from model.errors import DataError
from model.people.columns import RecordError
from model.people.files import PeopleFile, open_people
from model.people.records import LONGEST_RECORD, make_decoder


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
    assert read_all(write(tmp_path / "people.csv.gz", gzip.compress(text.encode()))) == read_all(
        tmp_path / "people.csv"
    )


def test_a_quote_that_begins_no_field_is_text(tmp_path: Path) -> None:
    assert read_all(write(tmp_path / "p.csv", 'Id,Demographic.Model\na,5" x\nb,y\n')) == [
        (2, {"Id": "a", "Demographic": {"Model": '5" x'}}),
        (3, {"Id": "b", "Demographic": {"Model": "y"}}),
    ]


ROWS = [f"{n},EMAIL,Bob\n" for n in range(1, 20_001)]
BOB = {"ChannelType": "EMAIL", "Attributes": {"Name": ["Bob"]}}
NOT_CLOSED = "expected CSV: a quote is opened and not closed where a row could end"


def write_rows(path: Path, rows: list[str]) -> Path:
    return write(path, "Id,ChannelType,Attributes.Name\n" + "".join(rows))


def test_a_quote_astray_costs_its_own_line_and_no_other(tmp_path: Path) -> None:
    rows = [*ROWS[:10], '11,EMAIL,"Bob\n', *ROWS[11:]]
    people = read_all(write_rows(tmp_path / "p.csv", rows))
    assert people[10] == (12, NOT_CLOSED)
    del people[10]
    assert people == [(n + 1, {"Id": str(n), **BOB}) for n in range(1, 20_001) if n != 11]


@pytest.mark.parametrize("second", ['500,EMAIL,"Bob\n', '500,EMAIL,Bob"\n', '500,EMAIL,"Bob"\n'])
def test_two_quotes_astray_cost_their_own_lines_and_none_between(
    second: str, tmp_path: Path
) -> None:
    rows = [*ROWS[:10], '11,EMAIL,"Bob\n', *ROWS[11:499], second, *ROWS[500:]]
    people = read_all(write_rows(tmp_path / "p.csv", rows))
    assert [line for line, _ in people] == list(range(2, 20_002))
    assert {line for line, person in people if isinstance(person, str)} <= {12, 501}
    assert people[10] == (12, NOT_CLOSED)


def test_a_cell_of_many_lines_stays_one_with_its_blank_lines_and_is_counted(tmp_path: Path) -> None:
    rows = [ROWS[0], '2,EMAIL,"Dear Bob,\n\nall is well,\n\nAnn"\n', '3,EMAIL,"a\nb"\n', ROWS[3]]
    with open_people(write_rows(tmp_path / "p.csv", rows)) as file:
        records = list(file)
        assert (file.joined.rows, file.joined.first, file.joined.last) == (2, 3, 7)
    assert [line for line, _ in records] == [2, 3, 8, 10]
    assert records[1][1] == rows[1].encode()


def test_a_row_of_several_lines_with_too_few_cells_costs_one_line_and_the_rest_is_read_again(
    tmp_path: Path,
) -> None:
    assert read_all(
        write_rows(tmp_path / "p.csv", ['1,"EMAIL\n', ROWS[1], '3,EMAIL"\n', ROWS[3]])
    ) == [
        (2, NOT_CLOSED),
        (3, {"Id": "2", **BOB}),
        (4, "expected 3 fields, as in the header, found 2"),
        (5, {"Id": "4", **BOB}),
    ]


def test_a_cell_longer_than_any_is_no_cell(tmp_path: Path) -> None:
    people = read_all(
        write_rows(tmp_path / "p.csv", ['1,EMAIL,"x\n', *["y\n"] * 60_000, 'z"\n', ROWS[1]])
    )
    assert people[0] == (2, NOT_CLOSED)
    assert people[-1] == (60_004, {"Id": "2", **BOB})
    assert len(people) == 60_003


def test_lines_that_all_open_a_quote_are_read_in_a_time_that_grows_as_they_do(
    tmp_path: Path,
) -> None:
    """As a row, each line opens a quote. As the rest of a cell, it closes and opens one."""
    path = write(tmp_path / "p.csv", "Id,x,y\n" + 'x",y,"z\n' * 20_000)
    with open_people(path) as file:
        assert sum(1 for _ in file) == 20_000


def test_a_header_that_comes_again_is_no_person(tmp_path: Path) -> None:
    part = "\ufeffId,ChannelType\na,EMAIL\n"
    assert [person for _, person in read_all(write(tmp_path / "p.csv", part + part))] == [
        {"Id": "a", "ChannelType": "EMAIL"},
        "expected a person, found the header again",
        {"Id": "a", "ChannelType": "EMAIL"},
    ]


@pytest.mark.parametrize("first", ['"', "secret nonsense", 'Id": "a"}', "7", "[1]", "}"])
def test_json_lines_whose_first_line_is_broken_lose_that_line(first: str, tmp_path: Path) -> None:
    people = read_all(write(tmp_path / "p.jsonl", f'{first}\n\nbroken, too\n  {{"Id": "b"}}\n'))
    assert [line for line, _ in people] == [1, 3, 4]
    assert people[2] == (4, {"Id": "b"})
    assert all(isinstance(person, str) for _, person in people[:2])


def test_does_not_look_for_an_object_for_ever(tmp_path: Path) -> None:
    lines = ["x\n"] * 19
    assert len(read_all(write(tmp_path / "p.jsonl", "".join([*lines, '{"Id": "a"}\n'])))) == 20
    with pytest.raises(DataError, match="expected the header to name Id"):
        open_people(write(tmp_path / "p.jsonl", "".join([*lines, "x\n", '{"Id": "a"}\n'])))


OR_LINES = "; or JSON lines, each an object in braces"
NO_HEADER = f"expected the header to name Id, User.UserId or ProfileId{OR_LINES}"
OTHER_CASE = (
    "expected the header to name Id, found id; "
    "columns are named as in a Pinpoint import, in its capitals"
)
KNOWN_FORMS = "expected JSON lines or CSV in UTF-8, gzip or not, Parquet or ORC, found "
NO_COMMA = "expected a comma between the columns of the header, found "
STRANGE = {
    "Id;ChannelType;Metrics.X\na;EMAIL;3\n": f"{NO_COMMA};",
    '"Id"\t"x"\n': f"{NO_COMMA}a tab",
    "e-mail|name\nb|Bob\n": f"{NO_COMMA}|",
    "id,channeltype\na,EMAIL\n": f"{OTHER_CASE}{OR_LINES}",
    "secret@example.com,Bob\n": NO_HEADER,
    '"broken\n': NO_HEADER,
    "Id,ChannelType\ra,EMAIL\r": "expected lines that end in LF or CR LF, found CR alone",
    '{"Id":"a"}\r{"Id":"b"}\r': "expected lines that end in LF or CR LF, found CR alone",
    'Id,"x\ny"\na,b\n': "expected the header on one line; a quote in it is not closed there",
    "sep=;\nId;x\n": f"{KNOWN_FORMS}Excel's line sep=; delete that line, and separate the columns "
    "by commas",
    "Größe,Id\n".encode("latin-1"): "expected text in UTF-8; save it as UTF-8",
    "Id,x\n".encode("utf-16"): f"{KNOWN_FORMS}UTF-16; save it as UTF-8 (Excel calls it CSV UTF-8)",
    "Id,x\n".encode(
        "utf-16-le"
    ): f"{KNOWN_FORMS}zero bytes, as in UTF-16; save it as UTF-8 (Excel calls it CSV UTF-8)",
    b"PK\x03\x04xl": f"{KNOWN_FORMS}an Excel workbook or a zip file; save it as CSV in UTF-8",
}


@pytest.mark.parametrize(("content", "sentence"), STRANGE.items())
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_refuses_at_once_what_is_neither_json_lines_nor_a_table_of_people(
    content: str | bytes, sentence: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = write(tmp_path / "p", pack(content.encode() if isinstance(content, str) else content))
    with pytest.raises(DataError) as caught:
        open_people(path)
    assert str(caught.value) == f"{path}: {sentence}"


@pytest.mark.parametrize(
    ("profile", "form"),
    [
        (
            {
                "ProfileId": "p1",
                "AccountNumber": "u1",
                "Attributes": {"Metrics_Visits": "3", "Plan": "pro"},
            },
            "export",
        ),
        (
            {
                "profileId": "p1",
                "accountNumber": "u1",
                "attributes": {"Metrics_Visits": "3", "Plan": "pro"},
            },
            "event",
        ),
    ],
)
def test_a_line_with_a_profile_id_is_read_by_the_mapping_that_serves_connect(
    tmp_path: Path, profile: dict[str, Any], form: str
) -> None:
    document = {
        "Id": "p1",
        "Attributes": {"Plan": ["pro"]},
        "Metrics": {"Visits": 3.0},
        "User": {"UserAttributes": {"Plan": ["pro"]}, "UserId": "u1"},
    }
    assert read_all(write(tmp_path / form, json.dumps(profile))) == [(1, document)]
    assert make_decoder(None)(json.dumps(profile).encode()).profile == profile


def test_a_csv_row_of_a_profile_is_the_same_profile_as_its_line(tmp_path: Path) -> None:
    table = (
        "ProfileId,AccountNumber,Address.City,"
        "Attributes.Metrics_Visits,Attributes.Plan_1,Attributes.Plan_2\n"
        "p1,u1,Rome,3,a,b\n"
    )
    profile = {
        "ProfileId": "p1",
        "AccountNumber": "u1",
        "Address": {"City": "Rome"},
        "Attributes": {"Metrics_Visits": "3", "Plan_1": "a", "Plan_2": "b"},
    }
    rows = read_all(write(tmp_path / "p.csv", table))
    assert [document for _, document in rows] == [
        document for _, document in read_all(write(tmp_path / "p.jsonl", json.dumps(profile)))
    ]


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
    first = {
        "Id": "1",
        "Attributes": {"Plan": ["free", "trial"]},
        "Metrics": {"Visits": 7.0},
        "User": {"UserId": "u1"},
    }
    assert read_all(tmp_path / "flat") == [
        (1, {**first, "CreationDate": "2026-01-31T00:00:00Z"}),
        (2, {"Id": "2"}),
    ]
    nested = pa.table(
        {
            "Id": ["1", "2"],
            "Attributes": pa.array(
                [[("Plan", ["free", "trial"])], []], pa.map_(pa.string(), pa.list_(pa.string()))
            ),
            "Metrics": [{"Visits": 7.0}, {"Visits": None}],
            "User": [{"UserId": "u1"}, None],
        }
    )
    parquet.write_table(nested, tmp_path / "nested")
    assert read_all(tmp_path / "nested") == [
        (1, first),
        (2, {"Id": "2", "Attributes": {}, "Metrics": {}}),
    ]


WHEN = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)
ODD_COLUMNS = {
    "Ids that are decimals": ({"Id": pa.array([Decimal(12)], pa.decimal128(18))}, {"Id": "12"}),
    "Ids that are bytes": (
        {"Id": [b"a"], "Attributes": [{"Plan": [b"pro"]}]},
        {"Id": "a", "Attributes": {"Plan": ["pro"]}},
    ),
    "times to the nanosecond": (
        {
            "Id": ["a"],
            "CreationDate": pa.array(
                [int(WHEN.timestamp() * 1_000_000) * 1_000 + 7], pa.timestamp("ns", "UTC")
            ),
        },
        {"Id": "a", "CreationDate": "2026-01-31T12:00:00.000005Z"},
    ),
    "decimals": (
        {"Id": ["a"], "Metrics": [{"X": Decimal("1.50")}], "Attributes.Y": [Decimal("2.5")]},
        {"Id": "a", "Metrics": {"X": 1.5}, "Attributes": {"Y": [2.5]}},
    ),
    "what is infinite is missing, as in JSON": (
        {"Id": ["a"], "Metrics.X": [-math.inf], "Metrics.Y": [1.0]},
        {"Id": "a", "Metrics": {"Y": 1.0}},
    ),
}


@pytest.mark.parametrize(("columns", "document"), ODD_COLUMNS.values(), ids=ODD_COLUMNS)
def test_reads_parquet_types_that_json_has_not_got_as_what_they_say(
    columns: Any, document: dict[str, Any], tmp_path: Path
) -> None:
    parquet.write_table(pa.table(columns), tmp_path / "p")
    assert read_all(tmp_path / "p") == [(1, document)]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {
                "Id": ["a"],
                "Attributes": pa.array(
                    [[("x", "1"), ("x", "2")]], pa.map_(pa.string(), pa.string())
                ),
            },
            "expected every name in a map once",
        ),
        (
            {"id": ["a"]},
            OTHER_CASE,
        ),
    ],
)
def test_refuses_parquet_that_would_be_read_as_something_else(
    columns: Any, sentence: str, tmp_path: Path
) -> None:
    parquet.write_table(pa.table(columns), tmp_path / "p")
    with pytest.raises(DataError) as caught:
        read_all(tmp_path / "p")
    assert str(caught.value) == f"{tmp_path / 'p'}: {sentence}"


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (
            "{not json",
            "expected one JSON object: JSON is malformed: object keys must be strings (byte 1)",
        ),
        ("[1]", "expected one JSON object, found a list"),
        ("{}", "$.Id: expected text or a whole number, found none"),
        ('{"Id": 7.5}', "$.Id: expected text or a whole number, found a number"),
        ('{"Id": true}', "$.Id: expected text or a whole number, found true or false"),
        (
            '{"Id": "", "ProfileId": "p"}',
            "$.Id: expected text of one character or more, found empty text",
        ),
        ("[" * 100_000 + "]" * 100_000, "expected JSON of moderate depth"),
        (b'{"Id": "\xff"}', "expected UTF-8"),
        ('{"Id": "' + "x" * LONGEST_RECORD + '"}', "expected fewer than 5,000,000 bytes"),
    ],
)
def test_refuses_a_record_in_one_sentence_and_reads_on(
    tmp_path: Path, record: str | bytes, sentence: str
) -> None:
    raw = record.encode() if isinstance(record, str) else record
    path = write(tmp_path / "p.jsonl", b'{"Id": "before"}\n' + raw + b'\n{"Id": "after"}\n')
    assert read_all(path) == [(1, {"Id": "before"}), (2, sentence), (3, {"Id": "after"})]


def test_refuses_a_row_that_does_not_fit_the_header(tmp_path: Path) -> None:
    assert read_all(write(tmp_path / "p.csv", b"Id,Metrics.X\na\nb,1,2\n\xff,1\n,1\nc,2\n")) == [
        (2, "expected 2 fields, as in the header, found 1"),
        (3, "expected 2 fields, as in the header, found 3"),
        (4, "expected UTF-8"),
        (5, "$.Id: expected text or a whole number, found none"),
        (6, {"Id": "c", "Metrics": {"X": 2.0}}),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "ChannelType,Address\nEMAIL,a\n",
            "{path}: expected the header to name Id, User.UserId or ProfileId",
        ),
        (
            "Id,Metrics.X,Metrics.X\n",
            "{path}: expected every column of the header once, except those of Attributes and User",
        ),
        (
            "Id,User,User.UserId\n",
            "{path}: expected a column of the header to be a value or a group, not both",
        ),
        (
            "Id,,x\n",
            "{path}: expected every column of the header to have a name, such as Id, ChannelType",
        ),
        (
            gzip.compress(b'{"Id": "a"}\n' * 9_999)[:-9],
            "{path}: expected a whole, undamaged file, found an end or damage after line",
        ),
        (b"PAR1" + b"x" * 99, "{path}: expected a whole Parquet file"),
    ],
)
def test_refuses_a_file_in_one_sentence_without_a_value(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    path = write(tmp_path / "people", content)
    with pytest.raises(DataError) as caught:
        read_all(path)
    assert str(caught.value).startswith(sentence.format(path=path))


def test_refuses_a_file_that_is_not_there_or_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing: expected a file of people, found none"):
        open_people(tmp_path / "missing")
    with pytest.raises(DataError, match="expected a readable file of people, found a directory"):
        open_people(tmp_path)


def test_lets_a_person_without_id_through_where_none_is_needed() -> None:
    decode = make_decoder(None, id_needed=False)
    assert decode(b'{"User": {"UserId": "u"}}').document == {"User": {"UserId": "u"}}
    with pytest.raises(RecordError):
        decode(b'{"Id": 7.5}')


def test_an_empty_file_has_nobody(tmp_path: Path) -> None:
    for content in (b"", b"\n\n", b"Id,outcome\n", gzip.compress(b"")):
        assert read_all(write(tmp_path / "p", content)) == []


def test_closes_the_stream_it_was_given(tmp_path: Path) -> None:
    stream = write(tmp_path / "p", '{"Id": "a"}').open("rb")
    with PeopleFile("s3://bucket/p", stream) as file:
        assert list(file) == [(1, b'{"Id": "a"}')]
    assert stream.closed
