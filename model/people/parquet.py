"""Opens a Parquet file. `model.people.arrow_rows` reads its rows."""

from __future__ import annotations

import io
from typing import IO, Any

from model.people.tables import BATCH_ROWS, ColumnFile, check_limits


def open_parquet(stream: IO[bytes]) -> ColumnFile:
    """Open a Parquet file. Raises RecordError for one that unpacks to far too much."""
    from pyarrow import parquet  # noqa: PLC0415  # an extra, and slow to import

    size = stream.seek(0, io.SEEK_END)
    metadata = parquet.read_metadata(stream)
    check_limits(size, rows=metadata.num_rows, unpacked=measure_unpacked(metadata))
    # Text is read as codes of a dictionary: a value that repeats is held once. Spark's older
    # times reach beyond what 64 bits of nanoseconds hold.
    file = parquet.ParquetFile(
        stream,
        metadata=metadata,
        read_dictionary=find_texts(metadata),
        coerce_int96_timestamp_unit="us",
    )
    return ColumnFile(
        names=file.schema_arrow.names,
        types=file.schema_arrow.types,
        rows=metadata.num_rows,
        batches=file.iter_batches(batch_size=BATCH_ROWS, use_threads=False),
    )


def measure_unpacked(metadata: Any) -> int:
    """The bytes of the largest column of a row group, unpacked."""
    return max(
        (
            group.column(index).total_uncompressed_size
            for group in map(metadata.row_group, range(metadata.num_row_groups))
            for index in range(group.num_columns)
        ),
        default=0,
    )


def find_texts(metadata: Any) -> list[str]:
    """The paths of the columns of text or bytes of any length, nested ones included."""
    columns = (metadata.schema.column(index) for index in range(len(metadata.schema)))
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
