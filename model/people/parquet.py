"""Reads the rows of a Parquet file of people, each as the bytes of a JSON object.

Types that JSON lacks are converted or refused, so that no value changes its meaning unnoticed.
Holds a batch of rows, never a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from model.errors import DataError
from model.people.columns import PEOPLE, Layout, RecordError, build_row

BATCH_ROWS = 1_000


def read_parquet(
    name: str, stream: IO[bytes], layout: Layout = PEOPLE
) -> Iterator[tuple[int, float, bytes]]:
    """Number of a row from 1, the share of all rows that it ends, and the row.

    `name` is what errors call the file. Raises DataError.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra, and slow to import
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            f"{name}: expected the package pyarrow, which reads Parquet; "
            "the extras run and train have it"
        ) from error
    encoder = msgspec.json.Encoder(decimal_format="number")
    numbers = itertools.count(1)
    try:
        file = parquet.ParquetFile(stream)
        names = tuple(file.schema_arrow.names)
        if len(set(names)) != len(names):
            raise DataError(f"{name}: expected every column once")
        if not layout.is_header(names):
            raise DataError(f"{name}: {layout.explain(names)}")
        columns, rows = layout.plan(names), max(1, file.metadata.num_rows)
        types = [make_plain(kind) for kind in file.schema_arrow.types]
        is_plain = types == file.schema_arrow.types
        schema = None if is_plain else pa.schema(zip(names, types, strict=True))
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            readable = batch if schema is None else batch.cast(schema, safe=False)
            for row in readable.to_pylist(maps_as_pydicts="strict"):
                number = next(numbers)
                yield number, number / rows, encoder.encode(build_row(columns, row.values()))
    except RecordError as error:
        raise DataError(f"{name}: {error}") from error
    except KeyError as error:
        raise DataError(f"{name}: expected every name in a map once") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: expected bytes that are text in UTF-8") from error
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"{name}: expected a whole Parquet file of text, numbers, times, lists, structs and "
            f"maps; reading failed with {type(error).__name__}"
        ) from error


def make_plain(kind: Any) -> Any:
    """The type that an Arrow type is read as.

    Bytes become text: some writers do not mark text as such. Times are cut to microseconds.
    """
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import types  # noqa: PLC0415

    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.string()
    if types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if types.is_time64(kind) or types.is_duration(kind):
        return pa.time64("us") if types.is_time64(kind) else pa.duration("us")
    return make_nested_plain(kind)


def make_nested_plain(kind: Any) -> Any:
    """The type that a list, struct or map is read as. Other types stay as they are."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import types  # noqa: PLC0415

    if types.is_list(kind) or types.is_large_list(kind):
        return pa.list_(make_plain(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([(field.name, make_plain(field.type)) for field in kind])
    if types.is_map(kind):
        return pa.map_(make_plain(kind.key_type), make_plain(kind.item_type))
    return kind
