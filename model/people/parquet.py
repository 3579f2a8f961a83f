"""Reads the rows of a Parquet file of people, each as the bytes of a JSON object.

Types that JSON lacks are converted or refused, so that no value changes its meaning unnoticed.
Holds a batch of rows, never a file.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import IO

import msgspec

from model.errors import DataError
from model.people.arrow import make_reader, read_as_numbers
from model.people.columns import PEOPLE, Layout, RecordError, build_row

BATCH_ROWS = 1_000


class ParquetRows:
    """The rows of a Parquet file. Iterate over them once.

    lost  column -> dates and times that are missing because they have no text, counted so far
    """

    def __init__(self, name: str, stream: IO[bytes], layout: Layout = PEOPLE) -> None:
        """`name` is what errors call the file."""
        self._name = name
        self._stream = stream
        self._layout = layout
        self.lost: Counter[str] = Counter()

    def __iter__(self) -> Iterator[tuple[int, float, bytes]]:
        """Number of a row from 1, the share of all rows that it ends, and the row.

        Raises DataError.
        """
        try:
            import pyarrow as pa  # noqa: PLC0415  # an extra, and slow to import
        except ImportError as error:
            raise DataError(
                f"{self._name}: expected the package pyarrow, which reads Parquet; "
                "the extras run and train have it"
            ) from error
        try:
            yield from self._read_rows()
        except RecordError as error:
            raise DataError(f"{self._name}: {error}") from error
        except KeyError as error:
            raise DataError(f"{self._name}: expected every name in a map once") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{self._name}: expected bytes that are text in UTF-8") from error
        except (
            pa.ArrowException,
            OSError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ) as error:
            raise DataError(
                f"{self._name}: expected a whole Parquet file of text, numbers, times, lists, "
                f"structs and maps; reading failed with {type(error).__name__}"
            ) from error

    def _read_rows(self) -> Iterator[tuple[int, float, bytes]]:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415

        # Spark's older times reach beyond what 64 bits of nanoseconds hold.
        file = parquet.ParquetFile(self._stream, coerce_int96_timestamp_unit="us")
        names, types = tuple(file.schema_arrow.names), file.schema_arrow.types
        if len(set(names)) != len(names):
            raise RecordError("expected every column once")
        if not self._layout.is_header(names):
            raise RecordError(self._layout.explain(names))
        columns, rows = self._layout.plan(names), max(1, file.metadata.num_rows)
        readers = [
            make_reader(kind, functools.partial(self._lose, name))
            for name, kind in zip(names, types, strict=True)
        ]
        read_as = [read_as_numbers(kind) for kind in types]
        schema = None if read_as == types else pa.schema(zip(names, read_as, strict=True))
        encode, numbers = msgspec.json.Encoder(decimal_format="number").encode, itertools.count(1)
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            readable = batch if schema is None else batch.cast(schema)
            for row in readable.to_pylist(maps_as_pydicts="strict"):
                number = next(numbers)
                cells = [
                    reader(cell) if reader else cell
                    for reader, cell in zip(readers, row.values(), strict=True)
                ]
                yield number, number / rows, encode(build_row(columns, cells))

    def _lose(self, column: str) -> None:
        self.lost[column] += 1
