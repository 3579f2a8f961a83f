"""Reads columns of Arrow tables as JSON's values: bytes as text, dates and times as ISO 8601.

A date or time that has no such text is missing, and so are bytes that are no text in UTF-8. Both
are counted. Never raises for one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple, TypeAlias

# Makes JSON's value of one that Arrow gives. None: the value is used as it is.
Reader: TypeAlias = Callable[[Any], Any] | None
MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH = EPOCH_UTC.replace(tzinfo=None)


class Lost(Exception):
    """A date or time that has no text in ISO 8601."""


class Losses(NamedTuple):
    """What to call for each value that is missing because it has no text.

    time  for a date or time
    text  for bytes that are no text in UTF-8
    """

    time: Callable[[], None]
    text: Callable[[], None]


def read_as_numbers(kind: Any) -> Any:
    """The type to convert an Arrow type to, so that reading it never fails: times are numbers."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import types  # noqa: PLC0415

    if types.is_date32(kind) or types.is_time32(kind):
        return pa.int32()
    if types.is_temporal(kind):
        return pa.int64()
    if is_list(kind):
        below = read_as_numbers(kind.value_type)
        return kind if below == kind.value_type else pa.list_(below)
    if types.is_struct(kind):
        read = pa.struct([(field.name, read_as_numbers(field.type)) for field in kind])
        same = all(read.field(field.name).type == field.type for field in kind)
        return kind if same else read
    if types.is_map(kind):
        below = read_as_numbers(kind.item_type)
        return kind if below == kind.item_type else pa.map_(kind.key_type, below)
    return kind


def read_as_bytes(kind: Any) -> Any:
    """The type to convert an Arrow type to, so that reading it never fails: texts are bytes."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(kind):
        return read_as_bytes(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return pa.large_binary()
    if is_list(kind):
        return pa.list_(read_as_bytes(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([(field.name, read_as_bytes(field.type)) for field in kind])
    if types.is_map(kind):
        return pa.map_(read_as_bytes(kind.key_type), read_as_bytes(kind.item_type))
    return kind


def make_reader(kind: Any, lose: Losses) -> Reader:
    """Make the reader of values of an Arrow type, read as `read_as_numbers` says."""
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(kind):
        return make_reader(kind.value_type, lose)
    if types.is_temporal(kind):
        return functools.partial(read_or_lose, make_time_reader(kind), lose.time)
    if is_list(kind):
        below = make_reader(kind.value_type, lose)
        return below and functools.partial(read_list, below)
    if types.is_struct(kind):
        readers = {field.name: make_reader(field.type, lose) for field in kind}
        needed = {name: reader for name, reader in readers.items() if reader is not None}
        return functools.partial(read_fields, needed) if needed else None
    if types.is_map(kind):
        key, item = make_reader(kind.key_type, lose), make_reader(kind.item_type, lose)
        return functools.partial(read_map, key, item) if key or item else None
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_primitive(kind)
    return None if is_text else functools.partial(read_bytes, lose.text)


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is one of its kinds of list."""
    from pyarrow import types  # noqa: PLC0415

    return any(
        check(kind)
        for check in (
            types.is_list,
            types.is_large_list,
            types.is_fixed_size_list,
            types.is_list_view,
            types.is_large_list_view,
        )
    )


def read_bytes(lose: Callable[[], None], value: Any) -> Any:
    """Bytes as text; None if they are no text in UTF-8."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        lose()
        return None


def read_list(below: Callable[[Any], Any], value: Any) -> Any:
    """A list, item by item."""
    return value and [below(item) for item in value]


def read_fields(readers: dict[str, Callable[[Any], Any]], value: Any) -> Any:
    """A struct, field by field."""
    return value and {
        name: readers[name](field) if name in readers else field for name, field in value.items()
    }


def read_map(key: Reader, item: Reader, value: Any) -> Any:
    """A map, entry by entry, without those whose name is no text."""
    if not value:
        return value
    entries = (((key(name) if key else name), field) for name, field in value.items())
    return {name: item(field) if item else field for name, field in entries if name is not None}


def read_or_lose(read: Callable[[int], Any], lose: Callable[[], None], value: Any) -> Any:
    """A date or time; None if it has no text."""
    if value is None:
        return None
    try:
        return read(value)
    except (Lost, OverflowError, ValueError):
        lose()
        return None


def make_time_reader(kind: Any) -> Callable[[int], Any]:
    """Make the reader of the numbers that a temporal Arrow type is read as.

    Gives dates, times of day and moments. Moments with a zone are UTC, and end at the microsecond.
    The reader raises Lost, OverflowError or ValueError for a date beyond the years 1 to 9999, a
    time beyond a day, and a duration.
    """
    from pyarrow import types  # noqa: PLC0415

    if types.is_date(kind):
        unit = {"days": 1} if types.is_date32(kind) else {"milliseconds": 1}
        return lambda number: (EPOCH + number * timedelta(**unit)).date()
    if types.is_timestamp(kind):
        epoch = EPOCH_UTC if kind.tz else EPOCH
        return lambda number: epoch + make_span(number, kind.unit)
    if types.is_time(kind):
        return lambda number: read_time_of_day(make_span(number, kind.unit))
    return refuse_number


def make_span(number: int, unit: str) -> timedelta:
    """So many of an Arrow unit, cut to the microsecond."""
    if unit == "ns":
        return timedelta(microseconds=number // 1_000)
    return timedelta(microseconds=number * MICROSECONDS[unit])


def read_time_of_day(span: timedelta) -> time:
    """The time of day that is so long after midnight. Raises Lost if there is none."""
    if not timedelta() <= span < timedelta(days=1):
        raise Lost
    return (EPOCH + span).time()


def refuse_number(_: int) -> Any:
    """A duration has no text that a feature or a rule could read."""
    raise Lost
