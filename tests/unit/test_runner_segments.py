"""Which files an argument names, and that each is looked at before a run begins."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from segment_scorer.runner.errors import DataError
from segment_scorer.runner.reading.segments import add_sizes, find_segment_files, open_segment_file

LINE = b'{"Id":"a"}\n'


def test_a_glob_is_its_files_in_order_of_name_and_each_only_once(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.txt"):
        (tmp_path / name).write_bytes(LINE)
    (tmp_path / "d.jsonl").mkdir()
    sources = find_segment_files([str(tmp_path / "b.jsonl"), str(tmp_path / "*.jsonl")])
    assert [Path(source.name).name for source in sources] == ["b.jsonl", "a.jsonl"]
    assert add_sizes(sources) == 2 * len(LINE)


def test_two_stars_look_into_folders(tmp_path: Path) -> None:
    (tmp_path / "part=1").mkdir()
    (tmp_path / "part=1" / "a.jsonl.gz").write_bytes(gzip.compress(LINE))
    assert len(find_segment_files([str(tmp_path / "**" / "*.gz")])) == 1


def test_a_file_that_has_a_star_in_its_name_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a*.jsonl").write_bytes(LINE)
    (tmp_path / "ab.jsonl").write_bytes(LINE)
    assert [
        Path(source.name).name for source in find_segment_files([str(tmp_path / "a*.jsonl")])
    ] == ["a*.jsonl"]


def test_a_file_changed_at_either_end_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    probes = set()
    for text in (
        b"{1" + b"0" * 200_000 + b"1",
        b"{2" + b"0" * 200_000 + b"1",
        b"{1" + b"0" * 200_000 + b"2",
    ):
        path.write_bytes(text)
        probes.add(find_segment_files([str(path)])[0].probe)
    assert len(probes) == 3


def test_a_file_changed_in_its_middle_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE * 50_000)
    before = find_segment_files([str(path)])
    assert find_segment_files([str(path)]) == before
    with path.open("r+b") as file:
        file.seek(len(LINE) * 25_000)
        file.write(b'{"Id":"b"}')
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))  # a clock may be coarse
    after = find_segment_files([str(path)])
    assert (after[0].size, after[0].probe) == (before[0].size, before[0].probe)
    assert after != before


def test_leaves_out_empty_files_and_says_so_unless_all_are(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "b.jsonl").write_bytes(LINE)
    (tmp_path / "c.jsonl").touch()
    told: list[str] = []
    assert [
        source.name for source in find_segment_files([str(tmp_path / "*.jsonl")], told.append)
    ] == [str(tmp_path / "b.jsonl")]
    assert told == [
        f"{tmp_path / name}: left out, an empty file" for name in ("a.jsonl", "c.jsonl")
    ]
    with pytest.raises(
        DataError, match=r"a.jsonl: expected people, one a line, found an empty file$"
    ):
        find_segment_files([str(tmp_path / "[ac].jsonl")])


UNREAD = {
    "Id,Channeltype,Metric.Purchases,Foo,Attributes.Any,Demographic.Modle,User.UserAttributes.x,User.Name,External.x\na,,,,,,,,\n": (
        "Channeltype (meant: ChannelType?), Metric.Purchases (meant: Metrics.Purchases?), Foo, "
        "Demographic.Modle (meant: Demographic.Model?), User.Name"
    ),
    '{"Id":"a","metrics":{"X":1},"User":{"UserId":"u","UserAttributes":{"x":["y"]}},"Location":{"country":"DE"}}\n': (
        "metrics (meant: Metrics?), Location.country (meant: Location.Country?)"
    ),
    "ProfileId,FirstName,Atributes.X,Address.City\np,,,\n": "Atributes.X (meant: Attributes.X?)",
    '{"ProfileId":"p","FirstName":"x","Attribute":{"X":"1"},"Address":{"City":"Rome"}}\n': "Attribute (meant: Attributes?)",
    '{"Id":"a","Metrics":{"X":1}}\n': "",
    "Id,"
    + ",".join(f"x{n}" for n in range(12))
    + "\n": "x0, x1, x2, x3, x4, x5, x6, x7, x8, x9 and 2 more",
}


@pytest.mark.parametrize(("content", "named"), UNREAD.items())
def test_names_the_columns_and_fields_that_nobody_reads_once(
    content: str, named: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(content)
    told: list[str] = []
    find_segment_files([str(tmp_path / "?")], told.append)
    assert told == ([f"{tmp_path / 'a'}: no model and no policy reads {named}"] if named else [])


def test_refuses_missing_empty_and_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match=r"absent: expected a file of people, found none$"):
        find_segment_files([str(tmp_path / "absent")])
    with pytest.raises(
        DataError, match=r"empty: expected people, one a line, found an empty file$"
    ):
        find_segment_files([str(tmp_path / "empty")])
    with pytest.raises(DataError, match=r"expected a file of people, found a folder$"):
        find_segment_files([str(tmp_path)])
    with pytest.raises(DataError, match=r"found none of such a name$"):
        find_segment_files([str(tmp_path / "*.parquet")])


def test_refuses_a_table_whose_people_no_answer_could_name(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("ChannelType,User.UserId\nEMAIL,u\n")
    with (
        pytest.raises(DataError, match=r"people.csv: expected the header to name Id or ProfileId"),
        open_segment_file(str(tmp_path / "people.csv")),
    ):
        pass
