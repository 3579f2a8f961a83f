"""The unit of work: a chunk of a segment, and the result of processing it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from segment_scorer.runner.reading.batches import Slice

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
