"""The chunks of a run, read again after the last of them.

Input: the files of the hidden folder. Output: for each chunk its sizes, and its people as records.
One chunk is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from segment_scorer.runner.chunks import ChunkSize
from segment_scorer.runner.progress import Watch, ignore_people
from segment_scorer.runner.writing.people import RECORD, STAYS, Records

Codes = npt.NDArray[np.uint8]


class Part(NamedTuple):
    """One chunk of the first pass: its sizes, records and verdicts."""

    size: ChunkSize
    records: Records
    verdicts: Codes


def read_parts(
    people: Path, chunks: Path, verdicts: Path | None = None, watch: Watch = ignore_people
) -> Iterator[Part]:
    """The chunks of the first pass, in order. Without `verdicts`, everybody stays.

    `watch` is told of the people of each chunk when the next one is asked for.
    """
    first = 0
    with people.open("rb") as records, chunks.open("rb") as lines:
        for line in lines:
            size = msgspec.json.decode(line, type=ChunkSize)
            found = np.frombuffer(records.read(size.people * RECORD.itemsize), RECORD)
            codes = np.full(size.people, STAYS, np.uint8)
            if verdicts is not None:
                codes = np.fromfile(verdicts, np.uint8, size.people, offset=first)
            yield Part(size, found, codes)
            watch(size.people)
            first += size.people
