"""Reads the rows of a Parquet or ORC file of people, each as the bytes of a JSON object.

Types that JSON lacks are converted or refused, so that no value changes its meaning unnoticed.
Holds a batch of rows, never a file.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import msgspec

from model.errors import DataError
from model.people.arrow import Losses, is_list, make_reader, read_as_bytes, read_as_numbers
from model.people.columns import PEOPLE, Layout, RecordError, build_row
from model.people.orc import open_orc
from model.people.parquet import open_parquet
from model.people.records import LONGEST_RECORD, TOO_LONG
from model.people.tables import MOST_BYTES, ColumnFile

# How errors call the format -> what opens a file of it.
OPENERS: dict[str, Callable[[IO[bytes]], ColumnFile]] = {"Parquet": open_parquet, "ORC": open_orc}


class ArrowRows:
    """The rows of a file of a format in OPENERS. Iterate over them once.

    lost      column -> dates and times that are missing because they have no text, so far
    not_text  column -> bytes that are missing because they are no text in UTF-8, so far
    """

    def __init__(
        self, name: str, stream: IO[bytes], format_name: str, layout: Layout = PEOPLE
    ) -> None:
        """`name` is what errors call the file; `format_name` is a key of OPENERS."""
        self._name = name
        self._format = format_name
        self._stream = stream
        self._layout = layout
        self.lost: Counter[str] = Counter()
        self.not_text: Counter[str] = Counter()

    def __iter__(self) -> Iterator[tuple[int, float, bytes]]:
        """Number of a row from 1, the share of all rows that it ends, and the row.

        Raises DataError.
        """
        try:
            import pyarrow as pa  # noqa: PLC0415  # an extra, and slow to import
        except ImportError as error:
            raise DataError(
                f"{self._name}: expected the package pyarrow, which reads {self._format}; "
                "the extras run and train have it"
            ) from error
        try:
            yield from self._read_rows()
        except RecordError as error:
            raise DataError(f"{self._name}: {error}") from error
        except KeyError as error:
            raise DataError(f"{self._name}: expected every name in a map once") from error
        except (
            pa.ArrowException,
            OSError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ) as error:
            # Arrow refuses an ORC time that it cannot hold in 64 bits of nanoseconds.
            years = (
                " of the years 1678 to 2261" if "out of range for nanosecond" in str(error) else ""
            )
            raise DataError(
                f"{self._name}: expected a whole {self._format} file of text, numbers, times"
                f"{years}, lists, structs and maps; reading failed with {type(error).__name__}"
            ) from error

    def _read_rows(self) -> Iterator[tuple[int, float, bytes]]:
        import pyarrow as pa  # noqa: PLC0415

        table = OPENERS[self._format](self._stream)
        names, types = tuple(map(self._layout.rename, table.names)), table.types
        if len(set(names)) != len(names):
            raise RecordError("expected every column once")
        if not self._layout.is_header(names):
            raise RecordError(self._layout.explain(names))
        columns, rows = self._layout.plan(names), max(1, table.rows)
        losses = [Losses(count(self.lost, name), count(self.not_text, name)) for name in names]
        readers = list(map(make_reader, types, losses))
        # Of a row with a text that is not UTF-8, all texts are read as bytes.
        byte_readers = list(map(make_reader, map(read_as_bytes, types), losses))
        read_as = [read_as_numbers(kind) for kind in types]
        schema = None if read_as == types else pa.schema(zip(names, read_as, strict=True))
        encode, numbers = msgspec.json.Encoder(decimal_format="number").encode, itertools.count(1)
        for batch in table.batches:
            readable = batch if schema is None else batch.cast(schema)
            for row, is_text in list_rows(readable):
                number = next(numbers)
                if row is None:
                    yield number, number / rows, TOO_LONG
                    continue
                cells = [
                    reader(cell) if reader else cell
                    for reader, cell in zip(
                        readers if is_text else byte_readers, row.values(), strict=True
                    )
                ]
                yield number, number / rows, encode(build_row(columns, cells))


def count(counts: Counter[str], column: str) -> Callable[[], None]:
    """A function that counts one more value of a column."""
    return lambda: counts.update((column,))


def list_rows(batch: Any) -> Iterator[tuple[dict[str, Any] | None, bool]]:
    """The rows of a batch, and whether their texts are texts; else all of them are bytes.

    None for a row whose texts exceed the longest record.
    """
    if measure_texts(batch.columns) <= MOST_BYTES:
        yield from list_texts(batch)
        return
    for index in range(batch.num_rows):
        row = batch.slice(index, 1)
        if measure_texts(row.columns) < LONGEST_RECORD:
            yield from list_texts(row)
        else:
            yield None, True


def list_texts(batch: Any) -> list[tuple[dict[str, Any] | None, bool]]:
    """The same, of a batch that can be unpacked at once."""
    import pyarrow as pa  # noqa: PLC0415

    try:
        return [(row, True) for row in batch.to_pylist(maps_as_pydicts="strict")]
    except UnicodeDecodeError:
        kinds = map(read_as_bytes, batch.schema.types)
        readable = batch.cast(pa.schema(zip(batch.schema.names, kinds, strict=True)))
        return [(row, False) for row in readable.to_pylist(maps_as_pydicts="strict")]


def measure_texts(arrays: Iterable[Any]) -> int:
    """The bytes that the texts of Arrow arrays take once a value that repeats is copied."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import compute  # noqa: PLC0415

    size = 0
    for array in arrays:
        if isinstance(array, pa.DictionaryArray):
            lengths = compute.binary_length(array.dictionary).take(array.indices)
            size += compute.sum(lengths.cast(pa.int64())).as_py() or 0
        elif pa.types.is_struct(array.type):
            size += measure_texts(array.flatten())
        elif pa.types.is_map(array.type):
            first, last = array.offsets[0].as_py(), array.offsets[len(array)].as_py()
            size += measure_texts(
                part.slice(first, last - first) for part in (array.keys, array.items)
            )
        elif is_list(array.type):
            size += measure_texts([array.flatten()])
    return size
