"""Files as real data platforms write them. `tests/data/people` has invented ones."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from model.errors import DataError
from model.paths import compile_paths
from model.people.columns import RecordError
from model.people.files import PeopleFile, open_people
from model.people.progress import Progress
from model.people.records import make_decoder
from model.training.datasets import read_lines, read_outcomes
from segment_scorer.external_store.rows import read_rows
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.reading.batches import cut_slices, make_finder
from segment_scorer.runner.reading.segments import find_segment_files, open_segment_file
from segment_scorer.runner.run import run_segment

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


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9e999999", "Infinity"])
def test_missing_and_numbers_what_is_beyond_all_floats_is_missing_and_costs_no_line(
    tmp_path: Path, number: str
) -> None:
    line = f'{{"Id": "a", "Metrics": {{"X": {number}, "Y": [1, {number}]}}}}\n'
    assert read_all(write(tmp_path / "a", line)) == [
        {"Id": "a", "Metrics": {"X": None, "Y": [1, None]}}
    ]
    broken = write(tmp_path / "b", f'{line}{{"Id": "a", "X": {number}, nope}}\n')
    assert str(read_all(broken)[1]).startswith("expected one JSON object: ")


@pytest.mark.parametrize(
    ("header", "cell", "document"),
    [
        ("Id", "101.0", {"Id": "101"}),
        ("Id", "101", {"Id": "101"}),
        ("Id", "101.50", {"Id": "101.50"}),
        ("Id", "v1.0", {"Id": "v1.0"}),
        ("Id,User.UserId", "a,7.0", {"Id": "a", "User": {"UserId": "7"}}),
        ("Id,Location.PostalCode", "a,10115.0", {"Id": "a", "Location": {"PostalCode": "10115"}}),
        ("Id,Demographic.AppVersion", "a,10.0", {"Id": "a", "Demographic": {"AppVersion": "10.0"}}),
    ],
)
def test_missing_and_numbers_a_whole_number_is_the_same_id_in_csv(
    tmp_path: Path, header: str, cell: str, document: dict[str, Any]
) -> None:
    """Pandas writes 101.0 for the id 101 if another row has none, in CSV as in Parquet."""
    assert read_all(write(tmp_path / "a.csv", f"{header}\n{cell}\n")) == [document]


def test_missing_and_numbers_a_key_of_a_store_is_the_same_in_csv(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,x\n101.0,1.0\n")
    (row,) = read_rows([path], "id", IGNORE)
    assert (row.key, row.attributes) == ("101", {"x": "1.0"})


BROKEN_TEXT = pa.Array.from_buffers(  # strings that are no UTF-8, as some writers leave them
    pa.string(), 3, pa.array([b"EMAIL", b"\xff\xfe", b"SMS"]).buffers()
)


@pytest.mark.parametrize(
    "values",
    [
        BROKEN_TEXT,
        BROKEN_TEXT.dictionary_encode(),
        pa.array([b"EMAIL", b"\xff\xfe", b"SMS"]),
        pa.array([b"EMAIL", b"\xff\xfe", b"SMS"], pa.large_binary()),
    ],
)
def test_bytes_that_are_no_text_are_missing_and_cost_no_file(tmp_path: Path, values: Any) -> None:
    table = pa.table({"Id": ["a", "b", "c"], "ChannelType": values, "Metrics.X": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "p")
    assert read_all(tmp_path / "p") == [
        {"Id": "a", "ChannelType": "EMAIL", "Metrics": {"X": 1}},
        {"Id": "b", "Metrics": {"X": 2}},
        {"Id": "c", "ChannelType": "SMS", "Metrics": {"X": 3}},
    ]
    with open_people(tmp_path / "p") as file:
        list(file)
        assert list(file.explain_reading()) == [
            "1 value is missing, being no text in UTF-8: ChannelType (1)"
        ]


def test_bytes_that_are_no_text_within_lists_structs_and_maps_are_missing(tmp_path: Path) -> None:
    pairs = pa.map_(pa.binary(), pa.binary())
    columns = {
        "Id": [b"a", b"\xff"],
        "Attributes": pa.array([{"x": [b"\xff", b"y"]}, {"x": []}]),
        "Metrics": pa.array([{"X": 1.0}, {"X": 2.0}]),
        "User": pa.array([{"UserId": b"u\xff"}, {"UserId": b"u"}]),
        "Location": pa.array([[(b"City", b"Rome"), (b"\xff", b"x")], []], pairs),
    }
    parquet.write_table(pa.table(columns), tmp_path / "p")
    first, second = read_all(tmp_path / "p")
    assert isinstance(first, dict)
    assert first["Id"] == "a"
    assert [text for text in first["Attributes"]["x"] if text is not None] == ["y"]
    assert first["Location"] == {"City": "Rome"}
    assert first["User"].get("UserId") is None
    assert second == "$.Id: expected text or a whole number, found none"


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


TAGS = [{"Attributes": {"Tags": ["x"]}}, {"Attributes": {"Tags": ["y"]}}]
KINDS: dict[str, list[dict[str, Any]]] = {
    "binary-view": [{}, {}],
    "bool-metric": [{"Metrics": {"Purchases": True}}, {"Metrics": {"Purchases": False}}],
    "decimal256": [{"Metrics": {"Purchases": 1.25}}, {"Metrics": {"Purchases": 2.0}}],
    "dict-binary": [{}, {}],
    "dict-string": [{}, {}],
    "enum-json": [{"Attributes": {"J": ['{"a":1}']}}, {"Attributes": {"J": ["2"]}}],
    "fixed-list-binary": TAGS,
    "fixed-list": TAGS,
    "float16": [{"Metrics": {"Purchases": 1.0}}, {"Metrics": {"Purchases": 2.0}}],
    "large-binary": [{}, {}],
    "list-dict": TAGS,
    "list-view-binary": TAGS,
    "map-list": [{"Attributes": {"Plan": ["gold"]}}, {"Attributes": {}}],
    "nan": [{}, {"Metrics": {"Purchases": 2.0, "SpendTotal": 1.0}}],
    "nulls": [{"Metrics": {}}, {}],
    "string-view": [{}, {}],
    "uint64": [{"Metrics": {"Purchases": 9223372036854775809}}, {"Metrics": {"Purchases": 1}}],
    "uuid": [{"User": {"UserId": f"00000000-0000-0000-0000-{n:012}"}} for n in (1, 2)],
}


@pytest.mark.parametrize(("name", "further"), KINDS.items())
def test_bytes_of_all_arrow_kinds_are_text(name: str, further: list[dict[str, Any]]) -> None:
    people = read_all(DATA / "parquet-types" / f"{name}.parquet")
    channels = [("a", "EMAIL"), ("b", "SMS")]
    assert people == [
        {"Id": id_, "ChannelType": channel, **fields}
        for (id_, channel), fields in zip(channels, further, strict=True)
    ]


def test_bytes_as_names_and_in_structs_are_text(tmp_path: Path) -> None:
    table = {
        "Id": pa.array([b"a"]).dictionary_encode(),
        "Attributes": pa.array([[(b"Plan", [b"x"])]], pa.map_(pa.binary(), pa.list_(pa.binary()))),
        "User": [{"UserId": b"u", "UserAttributes": {"x": [b"y", None]}}],
        "Demographic.Make": pa.array([b"abc"], pa.binary(3)),
    }
    parquet.write_table(pa.table(table), tmp_path / "p")
    assert read_all(tmp_path / "p") == [
        {
            "Id": "a",
            "Attributes": {"Plan": ["x"]},
            "User": {"UserId": "u", "UserAttributes": {"x": ["y", None]}},
            "Demographic": {"Make": "abc"},
        }
    ]


def test_dates_without_a_text_are_missing_in_training_and_in_external_stores(
    tmp_path: Path,
) -> None:
    table = {"Id": ["a"], "CreationDate": pa.array([FAR], pa.timestamp("s"))}
    path = tmp_path / "p"
    parquet.write_table(pa.table(table), path)
    sentence = f"{path}: 1 date or time is missing, having no text in ISO 8601: CreationDate (1)"
    readings: list[str] = []
    lines = read_lines([path], IGNORE, readings=readings)
    assert ([line.document for line in lines], readings) == ([{"Id": "a"}], [sentence])
    warnings: list[str] = []
    rows = read_rows([path], "Id", IGNORE, warnings.append)
    assert ([row.attributes for row in rows], warnings) == ([{}], [sentence])


FAR = 400_000 * 365 * 86_400  # seconds: beyond the year 9999
DATES = {
    "beyond year 9999": (pa.array([FAR, 86_400], pa.timestamp("s")), "1970-01-02T00:00:00"),
    "before year 1": (
        pa.array([-FAR * 1_000, 1], pa.timestamp("ms", "UTC")),
        "1970-01-01T00:00:00.001000Z",
    ),
    "microseconds": (pa.array([2**62, 7], pa.timestamp("us")), "1970-01-01T00:00:00.000007"),
    "nanoseconds": (
        pa.array([None, 1_769_860_800_000_000_999], pa.timestamp("ns", "Europe/Berlin")),
        "2026-01-31T12:00:00Z",
    ),
    "date32": (pa.array([2**31 - 1, 1], pa.date32()), "1970-01-02"),
    "date64": (pa.array([-(2**61) // 86_400_000 * 86_400_000, 0], pa.date64()), "1970-01-01"),
    "time32": (pa.array([86_400, 61], pa.time32("s")), "00:01:01"),
    "time64": (pa.array([-1, 61_000_000_999], pa.time64("ns")), "00:01:01"),
    "duration": (pa.array([5, None], pa.duration("ns")), None),
}


@pytest.mark.parametrize(("column", "text"), DATES.values(), ids=DATES)
@pytest.mark.parametrize("form", ["flat", "struct", "list", "map"])
def test_dates_without_a_text_are_missing_and_counted(
    column: Any, text: str | None, form: str, tmp_path: Path
) -> None:
    names = {
        "flat": "CreationDate",
        "struct": "Demographic",
        "list": "Attributes.When",
        "map": "Attributes",
    }
    nest = {
        "flat": lambda: column,
        "struct": lambda: pa.StructArray.from_arrays([column], ["Make"]),
        "list": lambda: pa.ListArray.from_arrays([0, 1, 2], column),
        "map": lambda: pa.MapArray.from_arrays([0, 1, 2], pa.array(["When", "When"]), column),
    }
    table = pa.table({"Id": ["a", "b"], names[form]: nest[form]()})
    parquet.write_table(table, tmp_path / "p", store_schema=True)
    with open_people(tmp_path / "p") as file:
        decode = make_decoder(None)
        documents = [decode(raw).document for _, raw in file]
        sentences = list(file.explain_reading())
    dates = {
        "flat": {"CreationDate": text},
        "struct": {"Demographic": {"Make": text}},
        "list": {"Attributes": {"When": [text]}},
        "map": {"Attributes": {"When": text}},
    }
    if text is not None:
        assert documents[1] == {"Id": "b", **dates[form]}
    assert not any(str(1_000) in json.dumps(document) for document in documents[:1])
    sentence = f"1 date or time is missing, having no text in ISO 8601: {names[form]} (1)"
    assert sentences == ([sentence] if column[0].is_valid else [])


@pytest.mark.parametrize("name", ["segment.jsonl", "segment.jsonl.gz"])
def test_byte_order_marks_in_the_middle_of_json_lines_cost_nobody(name: str) -> None:
    people = read_all(DATA / "bom-in-the-middle" / name)
    assert len([person for person in people if isinstance(person, dict)]) == len(people) == 6


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_byte_order_marks_in_the_middle_of_a_csv_belong_to_no_id(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    people = read_all(DATA / "bom-in-the-middle" / "segment.csv")
    assert [person["Id"] for person in people if isinstance(person, dict)] == ["a", "b", "c"]
    parts = ["\ufeffId,ChannelType\na,EMAIL\n", "\ufeffb,SMS\n", "\ufeff", "\ufeff\ufeffc,SMS\n"]
    path = write(tmp_path / "p", b"".join(pack(part.encode()) for part in parts))
    assert read_all(path) == [
        {"Id": "a", "ChannelType": "EMAIL"},
        {"Id": "b", "ChannelType": "SMS"},
        {"Id": "c", "ChannelType": "SMS"},
    ]
    assert read_all(write(path, "\ufeff")) == []


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("crlf", ["bytes behind the end of the gzip data are ignored"]),
        ("zeros", []),
        ("members", []),
        ("empty-member", []),
    ],
)
def test_gzip_trailing_bytes_cost_nobody_and_are_said(name: str, sentences: list[str]) -> None:
    with open_people(DATA / "gzip-trailing-bytes" / f"{name}.jsonl.gz") as file:
        assert len(list(file)) == 60
        assert list(file.explain_reading()) == sentences
        assert file.position == file.size


@pytest.mark.parametrize("behind", [b"\r\n", b"\0\0x", b"\x1f", b"x" * 100_000])
def test_gzip_trailing_bytes_of_any_number(behind: bytes, tmp_path: Path) -> None:
    packed = gzip.compress(b'{"Id": "a"}\n') + b"\0" * 70_000 + behind
    with open_people(write(tmp_path / "p", packed)) as file:
        assert len(list(file)) == 1
        assert len(list(file.explain_reading())) == 1
    outcomes = write(tmp_path / "o.csv.gz", gzip.compress(b"Id,outcome\na,1\n") + behind)
    assert read_outcomes(outcomes).outcomes == {"a": 1}


def test_gzip_that_breaks_off_or_is_damaged_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"Id": "a"}\n' * 99)
    for damaged in (packed[:-9], packed[:-4], packed[:-8] + b"12345678", packed + packed[:20]):
        with pytest.raises(DataError, match="expected a whole, undamaged file"):
            read_all(write(tmp_path / "p", damaged))


def test_blank_lines_by_the_million_are_taken_a_buffer_at_a_time(tmp_path: Path) -> None:
    """As one readline each, they take minutes."""
    blank = b"\n" * 1_000_000 + b" \r\n" * 99
    content = b'{"Id": "a"}\n' + blank + b'  {"Id": "b"}\n' + blank + b'{"Id": "c"}\n'
    for path in (
        write(tmp_path / "p", content),
        write(tmp_path / "g", gzip.compress(content)),
        write(
            tmp_path / "c", content.replace(b'  {"Id": "b"}', b"b").replace(b'{"Id": "a"}', b"Id")
        ),
    ):
        with open_people(path) as file:
            reads = count_reads(file)
            assert [number for number, _ in file][-2:] == [1_000_101, 2_000_201]
            assert len(reads) < 100_000


def count_reads(file: PeopleFile) -> list[int]:
    """Count the lines that are read one by one."""
    reads: list[int] = []
    lines = file._lines

    class Counting:
        def readline(self, size: int) -> bytes:
            reads.append(size)
            return bytes(lines.readline(size))

        def __getattr__(self, name: str) -> Any:
            return getattr(lines, name)

    file._lines = Counting()
    return reads


def test_blank_lines_in_a_quoted_cell_stay(tmp_path: Path) -> None:
    blank = "\n" * 500
    path = write(tmp_path / "p.csv", f'Id,Address\na,"x{blank}y"\n{blank}b,z\n')
    assert read_all(path) == [{"Id": "a", "Address": f"x{blank}y"}, {"Id": "b", "Address": "z"}]
    with open_people(path) as file:
        assert [number for number, _ in file] == [2, 1_003]
        assert (file.joined.first, file.joined.last) == (2, 502)


def test_pipes_and_devices_are_refused_with_the_cure_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "p"
    os.mkfifo(pipe)
    cure = r"found a pipe, which cannot be read twice; save it to a file first$"
    with pytest.raises(DataError, match=rf"p: expected a file of people, {cure}"):
        open_people(pipe)
    with pytest.raises(DataError, match=rf"p: expected a file of outcomes, {cure}"):
        read_outcomes(pipe)
    with pytest.raises(DataError, match=r"p: expected a file of external attributes, found a pipe"):
        list(read_rows([pipe], "id", IGNORE))
    with pytest.raises(DataError, match=r"found a pipe"):
        find_segment_files([str(pipe)])
    with pytest.raises(DataError, match=r"^/dev/zero: expected a file of people, found a device$"):
        open_people(Path("/dev/zero"))


PRETTY = {"Id": "a", "Metrics": {"X": 1}, "Attributes": {"P": ["x"]}}
AN_ARRAY = "an array of objects; convert it with: jq -c '.[]' FILE > people.jsonl"
AN_OBJECT = "an object that spans lines; convert it with: jq -c '.' FILE > people.jsonl"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (json.dumps([PRETTY, PRETTY]), AN_ARRAY),
        (json.dumps([PRETTY]) + "\n", AN_ARRAY),
        (json.dumps([PRETTY, PRETTY], indent=2), AN_ARRAY),
        ("[" + json.dumps(PRETTY) + ",\n" + json.dumps(PRETTY) + "]\n", AN_ARRAY),
        ("[ " + json.dumps({**PRETTY, "Address": "x" * 6_000_000}) + "]", AN_ARRAY),
        (json.dumps(PRETTY, indent=2), AN_OBJECT),
        ("\n" + json.dumps(PRETTY, indent="\t") + "\n" + json.dumps(PRETTY, indent=0), AN_OBJECT),
        ('{ "Id": "a",\n  "Metrics": {} }\n', AN_OBJECT),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pretty_printed_json_and_arrays_say_how_to_convert_them(
    text: str, found: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = write(tmp_path / "p", pack(text.encode()))
    with pytest.raises(DataError) as caught:
        open_people(path)
    assert str(caught.value) == f"{path}: expected JSON lines, each one object, found {found}"


@pytest.mark.parametrize(
    "text", ['{"Id": "a"', '{"Id": "a"\n{"Id": "b"}\n', '[]\n{"Id": "b"}\n', '{{}\n{"Id": "b"}\n']
)
def test_json_lines_whose_first_object_is_broken_are_still_read(text: str, tmp_path: Path) -> None:
    people = read_all(write(tmp_path / "p", text))
    assert isinstance(people[0], str)
    assert people[1:] == [{"Id": "b"}] * (len(people) - 1)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_plain_csv_is_read_with_one_option(form: str, tmp_path: Path) -> None:
    path = tmp_path / "p"
    if form == "csv":
        write(path, "Id,Age,Plan,ChannelType,Metrics.X\na,34,gold,EMAIL,1\n")
    else:
        table = {"Id": "a", "Age": "34", "Plan": "gold", "ChannelType": "EMAIL", "Metrics.X": 1.0}
        parquet.write_table(pa.table({name: [value] for name, value in table.items()}), path)
    warnings: list[str] = []
    assert find_segment_files([str(path)], warnings.append, plain_columns=True)
    assert warnings == []
    with open_segment_file(str(path), plain_columns=True) as file:
        decode = make_decoder(file.header)
        assert [decode(raw).document for _, raw in file] == [
            {
                "Id": "a",
                "Attributes": {"Age": ["34"], "Plan": ["gold"]},
                "ChannelType": "EMAIL",
                "Metrics": {"X": 1.0},
            }
        ]


def test_a_plain_csv_whose_header_comes_again_has_no_such_person(tmp_path: Path) -> None:
    path = write(tmp_path / "p", "Id,Age\na,34\nId,Age\nb,35\n")
    with open_segment_file(str(path), plain_columns=True) as file:
        decode, rows = make_decoder(file.header), [raw for _, raw in file]
    with pytest.raises(RecordError, match="found the header again"):
        decode(rows[1])


def test_a_plain_csv_is_run_with_one_option(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "Id,Age,Plan\na,34,gold\nb,,free\n")
    options = RunOptions(segment=[path], out=tmp_path / "out", plain_columns=True, processes=1)
    assert run_segment(options, lambda *_: None).summary.received == 2
    with gzip.open(tmp_path / "out" / "segment.jsonl.gz", "rt", encoding="utf-8") as file:
        kept = [json.loads(line) for line in file]
    assert {"Age": ["34"], "Plan": ["gold"]}.items() <= kept[0]["Attributes"].items()
