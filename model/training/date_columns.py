"""The values of a path in; whether they are dates, and in which format, out.

Only looks at values, never at an outcome. What it says holds no value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

from model.dates import make_time_reader
from model.kinds import LEAST_OF_A_VALUE
from model.values import parse_number, parse_time

MOSTLY = 0.95  # share of the values that must be of a form
SHAPE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}", re.ASCII)
# The orders that are in use, for each separator; dd.mm.yy is left out, as versions look like it.
FORMATS = {
    "-": ("dd-mm-yyyy", "mm-dd-yyyy"),
    "/": ("dd/mm/yyyy", "mm/dd/yyyy", "yyyy/mm/dd", "dd/mm/yy", "mm/dd/yy"),
    ".": ("dd.mm.yyyy", "mm.dd.yyyy", "yyyy.mm.dd"),
}
# Whole numbers between these are seconds, or thousands of them, of the years 2000 to 2037.
EARLIEST, LATEST = 946_684_800, 2_145_916_800
NAMED_TIME = re.compile(
    r"(date|time|stamp|epoch|unix|since|last|first|creat|updat|modif|join|regist|sign|expir|seen"
    r"|login|visit|purchase|order|open|click|born|birth|start|end|until|_at$|[a-z]At$|_ts$)",
    re.IGNORECASE,
)


class DateForm(NamedTuple):
    """The format of dates, "" for ISO 8601; or, with None, why they cannot be read."""

    format: str | None
    reason: str = ""


def find_date_form(texts: Sequence[str]) -> DateForm | None:
    """How the texts of a path are dates; None if they are none."""
    enough = MOSTLY * max(1, len(texts))
    if sum(not isnan(parse_time(text)) for text in texts) >= enough:
        return DateForm("")
    shapes = [found[1] for text in texts if (found := SHAPE.match(text.strip())) is not None]
    if len(shapes) < enough:
        return None
    separator = max("-/.", key=shapes.count)
    counts = {form: count_readable(texts, form) for form in FORMATS[separator]}
    ranked = sorted(counts, key=lambda form: -counts[form])
    fitting = [form for form in ranked if counts[form] >= enough]
    if not fitting:
        return None
    # A few values that only one order can read tell it from the other.
    best, others = fitting[0], fitting[1:]
    close = [form for form in others if counts[best] - counts[form] < LEAST_OF_A_VALUE]
    if not close:
        return DateForm(best)
    return DateForm(
        None,
        f"dates that are {' or '.join([best, *close])}, the days do not tell; give a feature of "
        "kind age its format",
    )


def count_readable(texts: Sequence[str], form: str) -> int:
    """How many of the texts are dates by a format."""
    read = make_time_reader(form)
    return sum(not isnan(read(text)) for text in texts)


def find_unix_form(path: str, texts: Sequence[str]) -> str:
    """`unix` or `unix_ms` for whole numbers that are times by their size and the path's name.

    "" for any other numbers.
    """
    if NAMED_TIME.search(path.rpartition(".")[2]) is None:
        return ""
    return find_unix_size(texts)


def find_unix_size(texts: Sequence[str]) -> str:
    """`unix` or `unix_ms` for whole numbers of that size; "" for any other numbers."""
    numbers = [parse_number(text) or 0.0 for text in texts]
    for form, factor in (("unix", 1), ("unix_ms", 1000)):
        low, high = EARLIEST * factor, LATEST * factor
        if numbers and sum(low <= number < high for number in numbers) >= MOSTLY * len(numbers):
            return form
    return ""
