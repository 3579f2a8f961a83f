"""Finding and checking the files of a segment."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from segment_scorer.runner.errors import DataError
from segment_scorer.runner.reading.segments import add_sizes, find_segment_files, open_segment_file

LINE = b'{"Id":"a"}\n'


def test_finds_the_files_of_a_glob_by_name_and_each_once(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.txt"):
        (tmp_path / name).write_bytes(LINE)
    (tmp_path / "d.jsonl").mkdir()
    files = find_segment_files([str(tmp_path / "b.jsonl"), str(tmp_path / "*.jsonl")])
    assert [Path(file.name).name for file in files] == ["b.jsonl", "a.jsonl"]
    assert add_sizes(files) == 2 * len(LINE)


def test_two_stars_search_folders(tmp_path: Path) -> None:
    (tmp_path / "part=1").mkdir()
    (tmp_path / "part=1" / "a.jsonl.gz").write_bytes(gzip.compress(LINE))
    assert len(find_segment_files([str(tmp_path / "**" / "*.gz")])) == 1


def test_a_path_that_exists_is_not_a_glob(tmp_path: Path) -> None:
    (tmp_path / "a*.jsonl").write_bytes(LINE)
    (tmp_path / "ab.jsonl").write_bytes(LINE)
    assert [Path(file.name).name for file in find_segment_files([str(tmp_path / "a*.jsonl")])] == [
        "a*.jsonl"
    ]


def test_a_file_changed_at_either_end_is_a_different_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    checksums = set()
    for text in (
        b"{1" + b"0" * 200_000 + b"1",
        b"{2" + b"0" * 200_000 + b"1",
        b"{1" + b"0" * 200_000 + b"2",
    ):
        path.write_bytes(text)
        checksums.add(find_segment_files([str(path)])[0].checksum)
    assert len(checksums) == 3


def test_a_file_changed_in_its_middle_is_a_different_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE * 50_000)
    before = find_segment_files([str(path)])
    assert find_segment_files([str(path)]) == before
    with path.open("r+b") as file:
        file.seek(len(LINE) * 25_000)
        file.write(b'{"Id":"b"}')
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))  # a clock may be coarse
    after = find_segment_files([str(path)])
    assert (after[0].size, after[0].checksum) == (before[0].size, before[0].checksum)
    assert after != before


def test_skips_empty_files_with_a_warning_unless_all_are_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "b.jsonl").write_bytes(LINE)
    (tmp_path / "c.jsonl").touch()
    warnings: list[str] = []
    assert [
        file.name for file in find_segment_files([str(tmp_path / "*.jsonl")], warnings.append)
    ] == [str(tmp_path / "b.jsonl")]
    assert warnings == [
        f"{tmp_path / name}: skipped, an empty file" for name in ("a.jsonl", "c.jsonl")
    ]
    with pytest.raises(
        DataError, match=r"a.jsonl: expected people, one per line, found an empty file$"
    ):
        find_segment_files([str(tmp_path / "[ac].jsonl")])


PLAIN = "; --plain-columns reads them as attributes (Attributes.X)"
UNREAD = {
    "Id,Channeltype,Metric.Purchases,Foo,Attributes.Any,Demographic.Modle,User.UserAttributes.x,"
    "User.Name,External.x\na,,,,,,,,\n": (
        "Channeltype (meant: ChannelType?), Metric.Purchases (meant: Metrics.Purchases?), Foo, "
        f"Demographic.Modle (meant: Demographic.Model?), User.Name{PLAIN}"
    ),
    '{"Id":"a","metrics":{"X":1},"User":{"UserId":"u","UserAttributes":{"x":["y"]}},'
    '"Location":{"country":"DE"}}\n': (
        "metrics (meant: Metrics?), Location.country (meant: Location.Country?)"
    ),
    "ProfileId,FirstName,Atributes.X,Address.City\np,,,\n": "Atributes.X (meant: Attributes.X?)",
    '{"ProfileId":"p","FirstName":"x","Attribute":{"X":"1"},"Address":{"City":"Rome"}}\n': (
        "Attribute (meant: Attributes?)"
    ),
    '{"Id":"a","Metrics":{"X":1}}\n': "",
    "Id,"
    + ",".join(f"x{n}" for n in range(12))
    + "\n": f"x0, x1, x2, x3, x4, x5, x6, x7, x8, x9 and 2 more{PLAIN}",
    "Id,Demographic.Modle\na,\n": "Demographic.Modle (meant: Demographic.Model?)",
}


@pytest.mark.parametrize(("content", "named"), UNREAD.items())
def test_warns_once_of_columns_and_fields_that_are_not_read(
    content: str, named: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(content)
    warnings: list[str] = []
    find_segment_files([str(tmp_path / "?")], warnings.append)
    assert warnings == (
        [f"{tmp_path / 'a'}: no model and no policy reads {named}"] if named else []
    )


def test_a_plain_table_that_is_read_as_one_has_no_such_warning(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Id,Age\na,3\n")
    warnings: list[str] = []
    find_segment_files([str(tmp_path / "a")], warnings.append)
    assert warnings == [f"{tmp_path / 'a'}: no model and no policy reads Age{PLAIN}"]
    find_segment_files([str(tmp_path / "a")], warnings.append, plain_columns=True)
    assert len(warnings) == 1


def test_refuses_missing_files_empty_files_and_directories(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match=r"absent: expected a file of people, found none$"):
        find_segment_files([str(tmp_path / "absent")])
    with pytest.raises(
        DataError, match=r"empty: expected people, one per line, found an empty file$"
    ):
        find_segment_files([str(tmp_path / "empty")])
    with pytest.raises(DataError, match=r"expected a file of people, found a directory$"):
        find_segment_files([str(tmp_path)])
    with pytest.raises(DataError, match=r"found no file that matches$"):
        find_segment_files([str(tmp_path / "*.parquet")])


def test_refuses_a_table_without_a_column_of_ids(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("ChannelType,User.UserId\nEMAIL,u\n")
    with (
        pytest.raises(
            DataError, match=r"people.csv: expected a column Id or ProfileId in the header"
        ),
        open_segment_file(str(tmp_path / "people.csv")),
    ):
        pass
