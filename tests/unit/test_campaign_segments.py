"""Lines out of segment files, and what makes a line no endpoint."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from campaign.errors import DataError
from campaign.segments import LONGEST_LINE, LineError, SegmentFile, decode_line, measure_files

LINES = [b'{"Id":"a"}\n', b"\n", b'{"Id":"b"}']


@pytest.mark.parametrize("name", ["segment.jsonl", "segment.jsonl.gz", "no-ending-at-all"])
def test_reads_lines_gzipped_or_not_whatever_the_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"".join(LINES)) if name.endswith("gz") else b"".join(LINES))
    with SegmentFile(path) as file:
        assert list(file) == LINES
        assert file.position == path.stat().st_size


def test_leaves_out_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"\xef\xbb\xbf" + LINES[0])
    with SegmentFile(path) as file:
        assert list(file) == LINES[:1]


def test_gives_a_line_that_is_too_long_as_one_line_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"x" * (2 * LONGEST_LINE + 7) + b"\n" + LINES[0])
    with SegmentFile(path) as file:
        long, after = file
    assert after == LINES[0]
    with pytest.raises(LineError, match=r"^expected at most 5,000,000 bytes, which is what a hook can be sent$"):
        decode_line(long)


def test_a_line_just_as_long_as_can_be_read_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"x" * (LONGEST_LINE - 1) + b"\n" + LINES[0])
    with SegmentFile(path) as file:
        assert [len(line) for line in file] == [LONGEST_LINE, len(LINES[0])]


def test_names_the_line_after_which_a_gzip_file_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "segment.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"Id":"a"}\n' * 3)[:-8])
    with SegmentFile(path) as file, pytest.raises(DataError, match=r"segment.jsonl.gz: expected whole, undamaged data; it breaks off"):
        list(file)


def test_separates_the_id_from_the_definition() -> None:
    assert decode_line(b'{"Id":"a/b","Metrics":{"m":1}}\r\n') == ("a/b", {"Metrics": {"m": 1}})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"nonsense", "expected one JSON object: JSON is malformed"),
        (b'{"Id":"secret"} more', "expected one JSON object: JSON is malformed"),
        (b'{"Id":"secret","Metrics":{"m":1e400}}', "expected one JSON object: Number out of range"),
        (b'{"Id":"secret","Metrics":{"m":NaN}}', "expected one JSON object: JSON is malformed"),
        (b'{"Id":"secret\xff"}', "expected UTF-8"),
        (b'{"Id":"secret\\ud800 alone"}', "expected one JSON object"),
        (b'{"Id":"secret","x":' + b"[" * 100_000, "expected JSON of moderate depth"),
        (b'["secret"]', "expected one JSON object, an endpoint as exported"),
        (b"{}", "$.Id: expected text of one character or more"),
        (b'{"Id":""}', "$.Id: expected text of one character or more"),
        (b'{"Id":7}', "$.Id: expected text of one character or more"),
        (b'{"Id":null}', "$.Id: expected text of one character or more"),
    ],
)
def test_says_why_a_line_is_no_endpoint_without_quoting_it(line: bytes, sentence: str) -> None:
    with pytest.raises(LineError) as caught:
        decode_line(line)
    assert str(caught.value).startswith(sentence)
    assert "secret" not in str(caught.value)


def test_measures_all_files_and_refuses_missing_empty_and_folders(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.write_bytes(b"12345")
    assert measure_files([one, one]) == 10
    with pytest.raises(DataError, match=r"absent: expected a readable file of JSON lines \(No such file or directory\)$"):
        measure_files([one, tmp_path / "absent"])
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match=r"empty: expected one endpoint a line, found an empty file$"):
        measure_files([one, tmp_path / "empty"])
    with pytest.raises(DataError, match=r"expected a file of JSON lines, found a folder$"):
        measure_files([tmp_path])
