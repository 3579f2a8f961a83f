"""Reads one value of an endpoint document as a number, texts, yes or no, or a time.

Missing is NaN. Never raises for a value's type or content.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import nan
from typing import Any

import numpy as np

LARGEST_WHOLE = 1 << 64
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
YES = frozenset({"true", "yes", "y", "on", "1"})
NO = frozenset({"false", "no", "n", "off", "0"})
# Decimal numbers only. float() would also take "nan", "infinity" and "1_000".
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\s*", re.ASCII)
# No float needs more characters. The expression tries again from each digit of a longer text.
LONGEST_NUMBER = 64


def read_number(value: Any) -> float:
    """A number, text that reads as a number, or the first item of a list of them."""
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return float(value) if -LARGEST_FLOAT32 <= value <= LARGEST_FLOAT32 else nan
    if kind is list and value:
        return read_number(value[0]) if type(value[0]) is not list else nan
    if kind is str:
        number = parse_number(value)
        return nan if number is None else number
    return nan


def parse_number(text: str) -> float | None:
    """The number that a text of at most 64 characters reads as; None if it reads as no number."""
    if len(text) > LONGEST_NUMBER:
        return None
    digits = text.replace(".", "", 1)
    is_plain = digits.isdigit() and digits.isascii()  # most numbers: in a third of the time
    return float(text) if is_plain or _NUMBER.fullmatch(text) else None


def read_count(value: Any) -> float:
    """The length of a list; 1 for a scalar."""
    if isinstance(value, list | tuple):
        return float(len(value))
    return nan if value is None or isinstance(value, dict) else 1.0


def read_flag(value: Any) -> float:
    """1 for a boolean or text that means yes, 0 for one that means no."""
    texts = read_texts(value)
    text = texts[0].strip().lower() if texts else ""
    return 1.0 if text in YES else 0.0 if text in NO else nan


def read_time(value: Any) -> float:
    """Seconds since 1970 UTC of the first ISO 8601 text."""
    if type(value) is str:
        return parse_time(value)
    texts = read_texts(value)
    return parse_time(texts[0]) if texts else nan


def is_whole(number: float) -> bool:
    """Whether a number is a whole one that is read as text where text is meant: at most 2^64."""
    return abs(number) <= LARGEST_WHOLE and number == int(number)


def parse_time(text: str) -> float:
    """Seconds since 1970 UTC of an ISO 8601 text. A time without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return nan


def read_texts(value: object) -> list[str]:
    """The texts of a value. A scalar counts as a list of one.

    The whole number 101 is the same text as 101.0 and "101".

    Null, empty text, objects and lists within lists are left out.
    """
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, int | float):
        if is_whole(value):
            return [str(int(value))]
        return [f"{value:.15g}"] if -LARGEST_FLOAT32 <= value <= LARGEST_FLOAT32 else []
    if isinstance(value, list | tuple):
        return [
            text
            for item in value
            if not isinstance(item, list | tuple)
            for text in read_texts(item)
        ]
    return []
