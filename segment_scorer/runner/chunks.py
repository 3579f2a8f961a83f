"""The unit of work: a chunk of a segment, and the result of processing it.

Input: the files of a segment. Output: chunks, read as they are needed.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import Slice, cut_slices, make_finder
from segment_scorer.runner.reading.segments import (
    SegmentFile,
    ignore_warning,
    open_segment_file,
)

MOST_REJECTIONS = 5  # rejected lines that are described on the command line


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Slices of one file that are processed together.

    header    the columns of a CSV file; None if records are JSON objects
    position  bytes of the whole segment that were read up to the end of this chunk
    """

    file: str
    header: tuple[str, ...] | None
    slices: list[Slice]
    position: int


class ChunkSize(msgspec.Struct, frozen=True, kw_only=True):
    """What one chunk appended to the files that are read again when people are counted and chosen.

    people              records; segment, decisions: bytes
    groups              the groups of its people, by the numbers in the records
    """

    people: int
    segment: int
    decisions: int
    groups: list[list[Any]]


class ChunkResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one chunk.

    parts       output file -> bytes to append
    problems    problem of a failed attempt -> attempts
    rejections  the first rejected lines: a sentence each, with file and line
    statistics  a Statistics
    """

    parts: dict[str, bytes]
    counts: Counter[str]
    problems: Counter[str]
    rejections: list[str]
    statistics: Any  # msgspec knows only plain types


def read_chunks(
    segment_files: Iterable[SegmentFile],
    config: RunConfig,
    slices: int,
    warn: Callable[[str], None] = ignore_warning,
) -> Iterator[Chunk]:
    """Cut files into chunks of `slices` slices, in order. The end of a file ends its last batch.

    `warn` receives sentences on what was not read as written.
    """
    before = 0
    most_bytes = HOST_ADAPTERS[config.host].most_bytes
    for segment_file in segment_files:
        name = segment_file.name
        with open_segment_file(name, plain_columns=config.plain_columns) as file:
            finder = make_finder(file.header, include_opted_out=config.include_opted_out)
            pieces = cut_slices(file, finder, most_bytes=most_bytes)
            while held := list(itertools.islice(pieces, slices)):
                position = before + file.position
                yield Chunk(file=name, header=file.header, slices=held, position=position)
            for sentence in file.explain_reading():
                warn(f"{name}: {sentence}")
        before += segment_file.size
