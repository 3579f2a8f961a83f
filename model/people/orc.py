"""Opens an ORC file, such as a segment of Customer Profiles. `arrow_rows` reads its rows.

Arrow reads ORC a batch of rows at a time. How much the rows unpack to is only in the statistics of
the file's footer, which are read here. Format: https://orc.apache.org/specification/ORCv1/
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

from model.people.columns import RecordError
from model.people.tables import BATCH_ROWS, MOST_BYTES, ColumnFile, check_limits

MAGIC = b"ORC"
WIDTH = 8  # bytes of a value that is not text, at most but for decimals
# Field numbers in ORC's protobuf messages.
FOOTER = 2  # of FileTail
STATISTICS = 7  # of Footer: ColumnStatistics of every column and of every part of a nested one
VALUES, STRINGS, BINARIES = 1, 4, 8  # of ColumnStatistics
SUM_OF_STRINGS, SUM_OF_BINARIES = 3, 1  # the bytes of all values


def is_orc(stream: IO[bytes], size: int) -> bool:
    """Whether a stream of `size` bytes holds an ORC file. Its position is changed.

    A CSV file, too, may begin with these letters (`ORCID,...`). So the end is looked at: the magic
    stands there again, before the last byte.
    """
    stream.seek(0)
    if stream.read(len(MAGIC)) != MAGIC or size < 2 * len(MAGIC) + 1:
        return False
    stream.seek(size - len(MAGIC) - 1)
    return stream.read(len(MAGIC)) == MAGIC


def open_orc(stream: IO[bytes]) -> ColumnFile:
    """Open an ORC file. Raises RecordError for one that unpacks to far too much."""
    from pyarrow import dataset, orc  # noqa: PLC0415  # an extra, and slow to import

    size = stream.seek(0, io.SEEK_END)
    file = orc.ORCFile(stream)
    unpacked = measure_unpacked(file.reader.serialized_file_tail())
    check_limits(size, rows=file.nrows, unpacked=unpacked)
    fitting = MOST_BYTES * file.nrows // max(1, unpacked)
    fragment = dataset.OrcFileFormat().make_fragment(stream)
    return ColumnFile(
        names=file.schema.names,
        types=file.schema.types,
        rows=file.nrows,
        batches=fragment.to_batches(
            batch_size=max(1, min(BATCH_ROWS, fitting)),
            batch_readahead=1,
            fragment_readahead=1,
            use_threads=False,
        ),
    )


def measure_unpacked(tail: bytes) -> int:
    """The bytes that all values take, by the statistics in a serialized FileTail."""
    total = 0
    for footer in find_messages(tail, FOOTER):
        for statistics in find_messages(footer, STATISTICS):
            for number, value in read_fields(statistics):
                if number == VALUES and isinstance(value, int):
                    total += WIDTH * value
                elif number in {STRINGS, BINARIES} and isinstance(value, bytes):
                    wanted = SUM_OF_STRINGS if number == STRINGS else SUM_OF_BINARIES
                    sums = (sum_ for field, sum_ in read_fields(value) if field == wanted)
                    # A zigzag number of protobuf: even ones are twice the value.
                    total += sum(each >> 1 for each in sums if isinstance(each, int))
    return total


def find_messages(message: bytes, wanted: int) -> Iterator[bytes]:
    """The fields of a protobuf message with this number that hold messages."""
    for number, value in read_fields(message):
        if number == wanted and isinstance(value, bytes):
            yield value


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number and value. Raises RecordError for damage."""
    position = 0
    while position < len(message):
        key, position = read_varint(message, position)
        kind = key & 7
        if kind == 0:
            number, position = read_varint(message, position)
            yield key >> 3, number
            continue
        if kind == 2:
            length, position = read_varint(message, position)
        elif kind in {1, 5}:
            length = 8 if kind == 1 else 4
        else:
            raise RecordError("expected a whole ORC footer")
        yield key >> 3, message[position : position + length]
        position += length


def read_varint(message: bytes, position: int) -> tuple[int, int]:
    """A number of protobuf, and the position behind it. Raises RecordError for damage."""
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        number |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return number, position
    raise RecordError("expected a whole ORC footer")
