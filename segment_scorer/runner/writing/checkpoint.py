"""The checkpoint of a run: how far it has come, kept beside the growing outputs, so that a killed run goes on where it was.

Takes pages in order, gives sums; written whole at checkpoints and read back. Holds no person: sizes, counts and the run's config.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from model.atomic import write_atomically
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.errors import OutputTaken
from segment_scorer.runner.reading.segments import SegmentFile
from segment_scorer.runner.reporting.statistics import Statistics
from segment_scorer.runner.summary import Summary
from segment_scorer.runner.worker import MOST_COMPLAINTS, ChunkResult

FILE = "checkpoint.json"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What `checkpoint.json` holds.

    asked     what decides the outputs: a run that is continued has to have asked for the same
    force     whether it may replace the outputs of an earlier run
    files     names of all the files that the run writes
    chunks    how many chunks, from the first on, are in the outputs, and no byte of any other
    sizes     bytes of each output file at that moment
    seconds   spent until then, over all sittings
    summary   set when everything is in the outputs and only names are left to be given
    """

    format: Literal[2] = 2
    asked: dict[str, str]
    force: bool
    files: list[str]
    segment_files: list[SegmentFile]
    config: RunConfig
    chunks: int
    sizes: dict[str, int]
    counts: dict[str, int]
    problems: dict[str, int]
    complaints: list[str]
    statistics: dict[str, Any]
    seconds: float
    summary: Summary | None = None


class Checkpoint:
    """The sums of the pages so far. `sizes`: bytes of each output file at the last checkpoint of an earlier sitting."""

    def __init__(
        self,
        asked: Mapping[str, str],
        files: Sequence[str],
        segment_files: list[SegmentFile],
        config: RunConfig,
        *,
        force: bool = False,
    ) -> None:
        """A run that begins."""
        self.asked = dict(asked)
        self.force = force
        self.files = list(files)
        self.segment_files = segment_files
        self.config = config
        self.chunks = 0
        self.sizes: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.statistics = Statistics()
        self.seconds = 0.0
        self.summary: Summary | None = None

    def add(self, page: ChunkResult) -> None:
        """Add the next chunk's page."""
        self.chunks += 1
        self.counts.update(page.counts)
        self.problems.update(page.problems)
        self.complaints += page.complaints[: MOST_COMPLAINTS - len(self.complaints)]
        self.statistics.add(page.statistics)

    def to_entry(self, sizes: Mapping[str, int], seconds: float) -> Entry:
        """The checkpoint as it is written; `seconds` are of this sitting."""
        return Entry(
            asked=self.asked,
            force=self.force,
            files=self.files,
            segment_files=self.segment_files,
            config=self.config,
            chunks=self.chunks,
            sizes=dict(sizes),
            counts=dict(self.counts),
            problems=dict(self.problems),
            complaints=self.complaints,
            statistics=self.statistics.to_data(),
            seconds=self.seconds + seconds,
            summary=self.summary,
        )

    @classmethod
    def from_entry(cls, entry: Entry) -> Checkpoint:
        """The checkpoint of a run that goes on."""
        checkpoint = cls(
            entry.asked, entry.files, entry.segment_files, entry.config, force=entry.force
        )
        checkpoint.chunks, checkpoint.complaints, checkpoint.seconds, checkpoint.summary = (
            entry.chunks,
            entry.complaints,
            entry.seconds,
            entry.summary,
        )
        checkpoint.sizes = entry.sizes
        checkpoint.counts.update(entry.counts)
        checkpoint.problems.update(entry.problems)
        checkpoint.statistics = Statistics.from_data(entry.statistics)
        return checkpoint


def write_entry(folder: Path, entry: Entry) -> None:
    """Replace the checkpoint in `folder`, so that whenever the machine stops there is the old one or the new one."""
    write_atomically(folder / FILE, msgspec.json.encode(entry))


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint in `folder`; None when there is none. Raises OutputTaken for one of another release, or one that is damaged."""
    try:
        return Checkpoint.from_entry(msgspec.json.decode((folder / FILE).read_bytes(), type=Entry))
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
        raise OutputTaken(
            f"{folder / FILE}: expected the checkpoint that this release writes; begin anew with --force"
        ) from error
