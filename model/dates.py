"""Reads a date that is not in ISO 8601, by the format that a feature spec gives.

A format is three of dd, mm, and yyyy or yy, with one separator or none: `dd-mm-yyyy`. A time of day
may follow. `unix` and `unix_ms` are seconds and milliseconds since 1970. Never raises for content.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from math import nan
from typing import Any, TypeAlias

from model.values import read_number, read_texts, read_time

# A value in; seconds since 1970 UTC out, NaN for what is no date
TimeReader: TypeAlias = Callable[[Any], float]

UNIX = {"unix": 1.0, "unix_ms": 1000.0}
LATEST = 253_402_300_799.0  # the last second of the year 9999, as ISO 8601 ends there
PART = "dd|mm|yyyy|yy"
FORMAT = f"({PART})([-/. ]?)({PART})\\2({PART})"
DIGITS = {"dd": r"\d{1,2}", "mm": r"\d{1,2}", "yyyy": r"\d{4}", "yy": r"\d{2}"}
TIME_OF_DAY = (
    r"(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?: ?([AaPp])[Mm])?)?(?: ?Z| UTC)?"
)
LONGEST_DATE = 48  # characters; a longer text is no date
EXPECTED = "dd, mm and yyyy in any order, such as dd-mm-yyyy or mm/dd/yy; or unix, or unix_ms"


def read_format(value: object) -> str:
    """The option `format`, in lower case. Raises ValueError saying what was expected."""
    text = value.lower() if isinstance(value, str) else ""
    if text in UNIX:
        return text
    found = re.fullmatch(FORMAT, text)
    parts = [] if found is None else [found[1], found[3], found[4]]
    if sorted(part[:2] for part in parts) != ["dd", "mm", "yy"] or (
        found is not None and not found[2] and "yy" in parts
    ):
        raise ValueError(EXPECTED)
    return text


@lru_cache(maxsize=64)
def make_time_reader(form: str | None) -> TimeReader:
    """The function that reads a value by a format; without one, by ISO 8601."""
    if form is None:
        return read_time
    if form in UNIX:
        per_second = UNIX[form]
        return lambda value: read_unix(value, per_second)
    found = re.fullmatch(FORMAT, form)
    if found is None:
        raise ValueError(EXPECTED)
    parts = [found[1], found[3], found[4]]
    # Without a separator, only the widths tell the parts apart.
    widths = DIGITS if found[2] else {"dd": r"\d{2}", "mm": r"\d{2}", "yyyy": r"\d{4}"}
    dated = re.escape(found[2]).join(f"({widths[part]})" for part in parts)
    match = re.compile(rf"\s*{dated}{TIME_OF_DAY}\s*", re.ASCII).fullmatch
    year, month, day = (
        1 + next(index for index, part in enumerate(parts) if part[0] == letter) for letter in "ymd"
    )

    def read(value: Any) -> float:
        texts = [value] if type(value) is str else read_texts(value)
        if not texts or len(texts[0]) > LONGEST_DATE or (groups := match(texts[0])) is None:
            return nan
        days = (widen(groups[year]), int(groups[month]), int(groups[day]))
        return combine(*days, groups.group(4, 5, 6, 7))

    return read


def widen(year: str) -> int:
    """A year. Two digits are 1969 to 2068, as in POSIX."""
    number = int(year)
    return number if len(year) > 2 else number + (1900 if number >= 69 else 2000)


def combine(year: int, month: int, day: int, clock: tuple[str | None, ...]) -> float:
    """Seconds since 1970 UTC; NaN for a date or time of day that does not exist."""
    hour, minute, second = (int(text or 0) for text in clock[:3])
    half = (clock[3] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return nan
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return nan


def read_unix(value: Any, per_second: float) -> float:
    """Seconds since 1970 UTC of a count since 1970; NaN beyond the year 9999."""
    seconds = read_number(value) / per_second
    return seconds if abs(seconds) <= LATEST else nan
