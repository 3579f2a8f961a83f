"""Rows of a Parquet file of people in, each as one JSON object out, as `people_files` gives lines. Holds a batch of rows, never a file.

What JSON cannot have is made plain or refused: nobody is read as something else without a word.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from model.errors import DataError
from model.people.records import RecordError, build_row, check_header, plan_columns
from model.people.tables import explain_names

ROWS = 1_000  # held at a time


def read_parquet(name: str, stream: IO[bytes]) -> Iterator[tuple[int, float, bytes]]:
    """Number of the row from 1, share of the rows that it ends, and the row. Raises DataError; `name` is what it calls the file."""
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra, and slow to import
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            f"{name}: expected the package pyarrow, to read Parquet with; the extras run and train have it"
        ) from error
    encoder = msgspec.json.Encoder(decimal_format="number")
    numbers = itertools.count(1)
    try:
        file = parquet.ParquetFile(stream)
        names = tuple(file.schema_arrow.names)
        if len(set(names)) != len(names):
            raise DataError(f"{name}: expected every column once")
        if not check_header(names):
            raise DataError(f"{name}: {explain_names(names)}")
        columns, rows = plan_columns(names), max(1, file.metadata.num_rows)
        kinds = [make_plain(kind) for kind in file.schema_arrow.types]
        plain = (
            pa.schema(zip(names, kinds, strict=True)) if kinds != file.schema_arrow.types else None
        )
        for batch in file.iter_batches(batch_size=ROWS, use_threads=False):
            readable = batch if plain is None else batch.cast(plain, safe=False)
            for row in readable.to_pylist(maps_as_pydicts="strict"):
                number = next(numbers)
                yield number, number / rows, encoder.encode(build_row(columns, row.values()))
    except RecordError as error:
        raise DataError(f"{name}: {error}") from error
    except KeyError as error:
        raise DataError(f"{name}: expected every name in a map once") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: expected text in UTF-8 where there are bytes") from error
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"{name}: expected a whole Parquet file of text, numbers, times, lists, structs and maps"
        ) from error


def make_plain(kind: Any) -> Any:
    """The type that a type is read as: bytes as text, which some writers do not say that it is; times to the microsecond."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import types  # noqa: PLC0415

    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.string()
    if types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if types.is_time64(kind) or types.is_duration(kind):
        return pa.time64("us") if types.is_time64(kind) else pa.duration("us")
    if types.is_list(kind) or types.is_large_list(kind):
        return pa.list_(make_plain(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([(field.name, make_plain(field.type)) for field in kind])
    return (
        pa.map_(make_plain(kind.key_type), make_plain(kind.item_type))
        if types.is_map(kind)
        else kind
    )
