"""ORC, as Customer Profiles exports segments, is read as Parquet is, and as bounded."""

from __future__ import annotations

import io
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import orc

from model.errors import DataError
from model.people.columns import RecordError
from model.people.files import PeopleFile, open_people
from model.people.orc import is_orc, measure_unpacked, read_fields
from model.people.records import make_decoder
from model.people.tables import BATCH_ROWS
from segment_scorer.runner.reading.segments import find_segment_files, open_segment_file

PROFILE = {
    "ProfileId": ["p1", "p2"],
    "AccountNumber": ["u1", None],
    "Attributes": pa.array(
        [[("Plan", "free"), ("Metrics_Visits", "7")], None], pa.map_(pa.string(), pa.string())
    ),
    "Address": pa.array([{"City": "Paris"}, None], pa.struct([("City", pa.string())])),
    "BirthDate": [date(1980, 2, 3), None],
}


def write_orc(path: Path, columns: Any, **options: Any) -> Path:
    orc.write_table(pa.table(columns), path, **options)
    return path


def read_documents(path: Path) -> list[dict[str, Any]]:
    with open_people(path) as file:
        decode = make_decoder(file.header)
        return [decode(raw).document for _, raw in file]


def test_reads_profiles_with_maps_structs_and_dates(tmp_path: Path) -> None:
    first, second = read_documents(write_orc(tmp_path / "p", PROFILE))
    assert first["Id"] == "p1"
    assert first["User"]["UserId"] == "u1"
    assert first["Metrics"] == {"Visits": 7.0}
    assert first["Attributes"]["Plan"] == ["free"]
    assert first["Location"] == {"City": "Paris"}
    assert second["Id"] == "p2"


def test_reads_endpoints_with_dotted_columns_and_every_type_as_what_it_says(
    tmp_path: Path,
) -> None:
    when = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)
    path = write_orc(
        tmp_path / "p",
        {
            "Id": pa.array([1, 2], pa.int64()),
            "CreationDate": pa.array([when, None], pa.timestamp("us", "UTC")),
            "Attributes.Plan": [["free", "trial"], None],
            "Metrics.Visits": [7.0, float("nan")],
            "Metrics.Spend": [Decimal("1.50"), None],
            "Attributes.Odd": pa.array([b"pro", b"\xff"], pa.binary()),
        },
    )
    assert read_documents(path) == [
        {
            "Id": "1",
            "CreationDate": "2026-01-31T12:00:00.000005Z",
            "Attributes": {"Plan": ["free", "trial"], "Odd": ["pro"]},
            "Metrics": {"Visits": 7.0, "Spend": 1.5},
        },
        {"Id": "2"},
    ]
    with open_people(path) as file:
        assert len(list(file)) == 2
        assert list(file.explain_reading()) == [
            "1 value is missing, being no text in UTF-8: Attributes.Odd (1)"
        ]
        assert file.position == file.size


@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "snappy", "lz4", "zstd"])
def test_reads_many_stripes_of_each_compression_in_order(compression: str, tmp_path: Path) -> None:
    count = 3 * BATCH_ROWS + 1
    path = tmp_path / "p"
    with orc.ORCWriter(path, compression=compression, stripe_size=1 << 10) as writer:
        for start in range(0, count, 500):
            ids = [f"e{n}" for n in range(start, min(count, start + 500))]
            writer.write(pa.table({"Id": ids, "Metrics.X": [1.0] * len(ids)}))
    assert [each["Id"] for each in read_documents(path)] == [f"e{n}" for n in range(count)]


def test_a_segment_may_hold_parts_in_orc(tmp_path: Path) -> None:
    write_orc(tmp_path / "part-0.orc", PROFILE)
    warnings: list[str] = []
    (found,) = find_segment_files([str(tmp_path / "*.orc")], warnings.append)
    assert warnings == []
    with open_segment_file(found.name) as file:
        assert len(list(file)) == 2


def test_a_csv_may_begin_with_the_letters_of_orc(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_text("ORCID,Id,Metrics.X\n7,a,1\n")
    assert read_documents(path) == [{"ORCID": "7", "Id": "a", "Metrics": {"X": 1.0}}]
    path.write_text("ORCID,Age\n7,1\n")
    with pytest.raises(DataError, match="expected the header to name Id"):
        open_people(path)


def test_an_orc_without_its_end_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    whole = write_orc(tmp_path / "p", PROFILE).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-20])
    with pytest.raises(DataError, match="ORC whose end is missing; copy the whole file"):
        open_people(tmp_path / "cut")
    (tmp_path / "damaged").write_bytes(whole[:10] + b"\xff" * (len(whole) - 14) + whole[-4:])
    with pytest.raises(DataError, match="expected a whole ORC file of text, numbers"):
        read_documents(tmp_path / "damaged")
    assert not is_orc(io.BytesIO(b"ORC"), 3)


def test_times_that_nanoseconds_cannot_hold_are_refused_and_not_changed(tmp_path: Path) -> None:
    early = pa.array([datetime(1600, 1, 1)], pa.timestamp("us"))  # ORC has no zone
    path = write_orc(tmp_path / "p", {"Id": ["a"], "CreationDate": early})
    with pytest.raises(DataError, match="times of the years 1678 to 2261"):
        read_documents(path)


def test_an_orc_bomb_of_one_text_of_lists_or_of_rows_is_refused(tmp_path: Path) -> None:
    columns: dict[str, dict[str, Any]] = {
        "text": {"Id": [str(n) for n in range(70)], "Address": ["x" * 1_000_000] * 70},
        "list": {
            "Id": ["a"],
            "Attributes.P": pa.ListArray.from_arrays([0, 8_000_000], np.zeros(8_000_000)),
        },
        "rows": {"Id": pa.DictionaryArray.from_arrays(np.zeros(300_000, np.int8), ["a"])},
    }
    for name, table in columns.items():
        kinds = pa.table(table)
        kinds = kinds.set_column(0, "Id", kinds["Id"].cast(pa.string()))
        path = write_orc(
            tmp_path / name, kinds, compression="zstd", dictionary_key_size_threshold=1
        )
        assert path.stat().st_size < 30_000
        bound = "100 rows for each byte" if name == "rows" else "1,000 times the file's size"
        with pytest.raises(DataError, match=bound):
            read_documents(path)


def test_the_statistics_say_what_the_values_take() -> None:
    sink = io.BytesIO()
    orc.write_table(pa.table({"Id": ["a" * 100, "b" * 50], "Metrics.X": [1.0, None]}), sink)
    tail = orc.ORCFile(io.BytesIO(sink.getvalue())).reader.serialized_file_tail()
    # 8 bytes for each of: 2 rows, 2 texts, 1 number
    assert measure_unpacked(tail) == 150 + 8 * 5


@pytest.mark.parametrize("damaged", [b"\xff", b"\x0b", b"\x08", b"\xff" * 11])
def test_a_damaged_footer_is_refused(damaged: bytes) -> None:
    with pytest.raises(RecordError, match="expected a whole ORC footer"):
        list(read_fields(damaged))


def test_pyarrow_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_orc(tmp_path / "p", PROFILE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with (
        PeopleFile("people.orc", path.open("rb")) as file,
        pytest.raises(DataError, match="package pyarrow, which reads ORC"),
    ):
        list(file)
