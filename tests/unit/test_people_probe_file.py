"""The test file beside an exported segment is skipped and named; a part with people never is."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from model.people.probe_file import MOST_BYTES, is_test_file
from model.training.datasets import read_lines
from segment_scorer.runner.errors import DataError
from segment_scorer.runner.reading.segments import find_segment_files

PART = b'{"ProfileId":"a"}\n'
PEOPLE = "ProfileId,Attributes.Plan\na,free\n"

NAMED = {
    "one word": (b"test", True),
    "a sentence": (b"This is a test file, written to check access.\n", True),
    "JSON without a person": (b'{"test": true}', True),
    "a header alone": (b"ProfileId,Attributes.Plan\n", True),
    "a person in JSON": (PART, False),
    "a person in a table": (PEOPLE.encode(), False),
    "a user without an endpoint": (b'{"User":{"UserId":"u"}}\n', False),
    "one person among damage": (b"{broken\n" + PART, False),
    "packed text": (gzip.compress(b"test"), False),
    "damage": (gzip.compress(PART)[:-6], False),
    "Parquet that is cut": (b"PAR1xxxx", False),
    "nothing": (b"", False),
    "a large file": (b"x" * (MOST_BYTES + 1), False),
}
FOUND = {
    "one word": (b"test\n", True),
    "a sentence": (b"Access to the bucket was checked", True),
    "JSON": (b'{"ok": true}', False),
    "a table": (b"a;b;c", False),
    "two lines": (b"a\nb\n", False),
    "UTF-16": ("people".encode("utf-16-le"), False),
    "packed": (gzip.compress(b"x"), False),
    "ORC that is cut": (b"ORCx", False),
}


@pytest.mark.parametrize(("content", "expected"), NAMED.values(), ids=NAMED)
def test_a_file_that_is_called_a_test_is_one_if_nobody_is_in_it(
    content: bytes, expected: bool
) -> None:
    for name in ("s3://b/export/test", "export/S3-Test-file.csv"):
        assert is_test_file(name, content, found=False) is expected


@pytest.mark.parametrize(("content", "expected"), FOUND.values(), ids=FOUND)
def test_a_file_of_another_name_is_one_only_if_found_and_without_any_structure(
    content: bytes, expected: bool
) -> None:
    assert is_test_file("tests/part-0", content, found=True) is expected
    assert not is_test_file("tests/part-0", content, found=False)


def test_a_run_skips_it_beside_its_parts_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "part-0.jsonl").write_bytes(PART)
    (tmp_path / "write_test").write_bytes(b"test")
    (tmp_path / "x-check").write_bytes(b"ok")
    warnings: list[str] = []
    (kept,) = find_segment_files([str(tmp_path / "*")], warnings.append)
    assert Path(kept.name).name == "part-0.jsonl"
    assert [warning.partition(": ")[2].partition(":")[0] for warning in warnings] == [
        "skipped, 4 bytes without a person",
        "skipped, 2 bytes without a person",
    ]
    assert all("beside an exported segment" in warning for warning in warnings)
    # A shell that replaces the pattern itself gives names: only a name with `test` is then known.
    names = [str(tmp_path / "part-0.jsonl"), str(tmp_path / "write_test")]
    assert len(find_segment_files(names)) == 1
    with pytest.raises(DataError, match="x-check: expected the header to name Id"):
        find_segment_files([names[0], str(tmp_path / "x-check")])


def test_alone_it_is_an_error_and_so_are_test_files_alone(tmp_path: Path) -> None:
    (tmp_path / "test-1").write_bytes(b"test")
    with pytest.raises(DataError, match="test-1: expected the header to name Id"):
        find_segment_files([str(tmp_path / "*")])
    (tmp_path / "test-2").write_bytes(b"test")
    with pytest.raises(DataError, match=r"test-1: .*, found the test file of an export"):
        find_segment_files([str(tmp_path / "*")])


def test_a_pipe_beside_a_part_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(PART)
    os.mkfifo(tmp_path / "test-pipe")
    with pytest.raises(DataError, match="pipe"):
        find_segment_files([str(tmp_path / "part"), str(tmp_path / "test-pipe")])


def test_training_skips_it_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(PART)
    (tmp_path / "access_test.txt").write_bytes(b"test")
    paths = [tmp_path / "access_test.txt", tmp_path / "part"]
    readings: list[str] = []
    people = list(read_lines(paths, lambda *_: None, readings=readings))
    assert [line.document is not None for line in people] == [True]
    (reading,) = readings
    assert reading.startswith(f"{paths[0]}: skipped, 4 bytes without a person")
    with pytest.raises(DataError, match="access_test"):
        list(read_lines(paths[:1], lambda *_: None))
