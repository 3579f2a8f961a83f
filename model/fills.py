"""Fills the rows of a feature in the transposed matrix, a function for each kind of feature.

A row that stays NaN is missing. Never raises for content. `model.kinds` has the table of kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from model.dates import make_time_reader
from model.missing import is_null_marker
from model.values import read_count, read_flag, read_number, read_texts

if TYPE_CHECKING:
    import numpy.typing as npt

if TYPE_CHECKING:
    from model.kinds import Feature

# Rows of the transposed matrix, one per column of a feature: float64 [columns, n], NaN at first
Block: TypeAlias = "npt.NDArray[np.float64]"
# For each of a feature's paths, the value of each document; None where the path leads nowhere
Found: TypeAlias = Sequence[Sequence[Any]]
# The time that ages are measured against, in seconds since 1970 UTC: one for all, or one for each
Reference: TypeAlias = "float | npt.NDArray[np.float64] | None"

SECONDS_PER_DAY = 86_400.0
PLAIN_NUMBERS = frozenset({float, int, type(None)})


def fill_numbers(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """Plain numbers are filled all at once, anything else one by one."""
    read_numbers(block[0], found[0])


def read_numbers(row: Block, values: Sequence[Any]) -> None:
    """Fill one row with numbers."""
    if PLAIN_NUMBERS.issuperset(map(type, values)):
        try:
            row[:] = values  # numpy reads None as NaN
            return
        except OverflowError:  # an integer beyond float64
            pass
    row[:] = [read_number(value) for value in values]


def read_columns(found: Found, *, proven: bool) -> Block:
    """Several rows of numbers at once: float64 [k, n], of at least one row.

    proven  whether each value is known to be a number or None
    """
    if proven or PLAIN_NUMBERS.issuperset(map(type, chain.from_iterable(found))):
        try:
            return np.array(found, dtype=np.float64)
        except OverflowError:  # see `read_numbers`
            pass
    rows = np.empty((len(found), len(found[0])))
    for row, values in zip(rows, found, strict=True):
        read_numbers(row, values)
    return rows


def fill_ratios(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """The number at the first path divided by that at the second; missing if that is 0."""
    parts = np.empty((2, block.shape[1]))
    for row, values in zip(parts, found, strict=True):
        read_numbers(row, values)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        block[0] = np.where(parts[1] == 0, np.nan, parts[0] / parts[1])


def fill_differences(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """The number at the first path less that at the second."""
    parts = np.empty((2, block.shape[1]))
    for row, values in zip(parts, found, strict=True):
        read_numbers(row, values)
    with np.errstate(invalid="ignore", over="ignore"):
        block[0] = parts[0] - parts[1]


def read_times(values: Sequence[Any], feature: Feature) -> Block:
    """Seconds since 1970 UTC of the dates, by the feature's format."""
    read = make_time_reader(feature.options.get("format"))
    return np.array([read(value) for value in values], dtype=np.float64)


def fill_spans(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """Days from the date at the second path to that at the first."""
    later, earlier = (read_times(values, feature) for values in found)
    block[0] = (later - earlier) / SECONDS_PER_DAY


def fill_weekdays(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """1 for Monday to 7 for Sunday. 1970-01-01 was a Thursday."""
    days = np.floor(read_times(found[0], feature) / SECONDS_PER_DAY)
    block[0] = (days + 3) % 7 + 1


def fill_months(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """1 for January to 12 for December."""
    times = read_times(found[0], feature)
    known = ~np.isnan(times)
    months = np.floor(times[known]).astype("datetime64[s]").astype("datetime64[M]")
    block[0, known] = months.astype(np.int64) % 12 + 1


def fill_presence(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """1 where there is text that is not a null marker, else 0."""
    block[0] = [
        any(not is_null_marker(text) and not text.isspace() for text in read_texts(value))
        for value in found[0]
    ]


def fill_rates(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """The rate of the first text, or before the rates are learnt, its place among `values`.

    A text that is not among them has the last rate, or place.
    """
    values, rates = feature.options.get("values", ()), feature.options.get("rates")
    places = find_places(values)
    other = len(values)
    texts = [read_texts(value) for value in found[0]]
    known = [index for index, each in enumerate(texts) if each]
    codes = [places.get(texts[index][0], other) for index in known]
    block[0, known] = codes if rates is None else np.asarray(rates, dtype=np.float64)[codes]


@lru_cache(maxsize=64)
def find_places(values: tuple[str, ...]) -> dict[str, int]:
    """The place of each text. Kept, because a batch is small and a vocabulary may be large."""
    return {value: index for index, value in enumerate(values)}


def fill_counts(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """See `values.read_count`."""
    block[0] = [read_count(value) for value in found[0]]


def fill_flags(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """See `values.read_flag`."""
    block[0] = [read_flag(value) for value in found[0]]


def fill_ages(block: Block, found: Found, feature: Feature, reference: Reference) -> None:
    """Days from the date to the reference time; NaN without a reference time."""
    if reference is not None:
        block[0] = (reference - read_times(found[0], feature)) / SECONDS_PER_DAY


def fill_category(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """1 in the column of each value that a person has, 0 in the others; NaN for no value."""
    places = find_places(feature.options.get("values", ()))
    other = len(places)
    rows, columns = [], []
    for row, value in enumerate(found[0]):
        is_one_text = type(value) is list and len(value) == 1 and type(value[0]) is str and value[0]
        for text in value if is_one_text else read_texts(value):
            rows.append(row)
            columns.append(places.get(text, other))
    block[:, rows] = 0.0
    block[columns, rows] = 1.0


def fill_codes(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """The place of a person's first text among the values, from 0; `other` for any other text."""
    places = {value: index for index, value in enumerate(feature.options.get("values", ()))}
    other = feature.options.get("other", np.nan)
    for row, value in enumerate(found[0]):
        texts = read_texts(value)
        if texts:
            block[0, row] = places.get(texts[0], other)
