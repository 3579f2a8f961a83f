"""model/values.py and model/missing.py: one value of a document as a number, texts or a time."""

from __future__ import annotations

import math
from typing import Any

import pytest

from model.missing import LONGEST_MARKER, NULL_MARKERS, is_null_marker
from model.values import LONGEST_NUMBER, parse_number, read_number

MARKERS = ["\\N", "NULL", "NaN", "NA", "None", "#N/A", "", "n/a", " null ", "<NA>", "(null)"]


@pytest.mark.parametrize("text", MARKERS)
def test_known_null_markers_are_missing_where_a_number_is_read(text: str) -> None:
    assert is_null_marker(text)
    assert math.isnan(read_number(text))


@pytest.mark.parametrize("text", ["0", "lots", "Nona", "N", "\\n\\n", "NULL" + " " * 20])
def test_other_text_is_no_null_marker(text: str) -> None:
    assert not is_null_marker(text)


def test_every_null_marker_is_in_lower_case_and_short_enough_to_be_looked_up() -> None:
    assert all(marker == marker.strip().lower() for marker in NULL_MARKERS)
    assert max(map(len, NULL_MARKERS)) <= LONGEST_MARKER


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12.0),
        (" -1.50e3 ", -1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0" * 63 + "7", 7.0),
        ("0" * 64 + "7", None),
        ("1e99999", None),
        ("1_000", None),
        ("١٢", None),
        ("1²", None),
        ("1.2.3", None),
        (".", None),
        ("", None),
        ("infinity", None),
    ],
)
def test_a_number_is_ascii_decimals_of_at_most_64_characters(
    text: str, number: float | None
) -> None:
    assert parse_number(text) == number


def test_text_of_over_64_characters_never_reaches_the_expression_of_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached: list[int] = []

    class Expression:
        def fullmatch(self, text: str) -> Any:
            reached.append(len(text))

    monkeypatch.setattr("model.values._NUMBER", Expression())
    for length in (1, 63, 64, 65, 400, 14_000):
        parse_number("e" * length)  # plain digits need no expression
    assert reached == [1, 63, LONGEST_NUMBER]
