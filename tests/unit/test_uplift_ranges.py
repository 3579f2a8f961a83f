"""Ranges of campaigns without an effect make one result only if together they are all of it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tools.uplift_ranges import (
    Range,
    RangeError,
    merge_ranges,
    parse_seeds,
    read_range,
    write_range,
)

FIRST = Range(revision="a", people=2_000, start=0, stop=50, claimed=(7, 33))
SECOND = Range(revision="a", people=2_000, start=50, stop=200, claimed=(150,))


def test_ranges_that_have_all_seeds_are_one_result(tmp_path: Path) -> None:
    write_range(FIRST, tmp_path / "first.json")
    merged = merge_ranges([SECOND, read_range(tmp_path / "first.json")], 200, 17)
    assert merged["claimed_by_seeds"] == [7, 33, 150]
    assert merged["claimed"] == 3
    assert merged["revision"] == "a"
    assert merged["holds"]
    assert not merge_ranges([FIRST, SECOND], 200, 2)["holds"]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([FIRST], "expected seeds up to 199, found them up to 49"),
        ([SECOND], "begins with seed 0, found 50"),
        ([FIRST, FIRST, SECOND], "begins with seed 50, found 0"),
        (
            [FIRST, Range(revision="b", people=2_000, start=50, stop=200, claimed=())],
            "one commit",
        ),
        (
            [FIRST, Range(revision="a", people=500, start=50, stop=200, claimed=())],
            "as many people",
        ),
    ],
)
def test_ranges_that_do_not_fit_together_are_refused(parts: list[Range], said: str) -> None:
    with pytest.raises(RangeError, match=said):
        merge_ranges(parts, 200, 17)


def test_a_file_that_is_no_range_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"people": 3}', "utf-8")
    with pytest.raises(RangeError, match="expected a range of seeds"):
        read_range(tmp_path / "other.json")


@pytest.mark.parametrize("text", ["5", "5:5", "9:3", "-1:3", "a:b", ""])
def test_seeds_that_are_no_range_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="such as 0:50"):
        parse_seeds(text)
    assert parse_seeds("0:50") == (0, 50)
