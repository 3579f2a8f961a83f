"""The ledger of a run: how far it has come, kept beside the growing outputs, so that a killed run goes on where it was.

Takes pages in order, gives sums; written whole at checkpoints and read back. Holds no person: sizes, counts and the run's terms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from model.atomic import write_atomically
from segment_scorer.runner.errors import OutputTaken
from segment_scorer.runner.reading.segments import Source
from segment_scorer.runner.reporting.statistics import Tally
from segment_scorer.runner.summary import Summary, Terms
from segment_scorer.runner.worker import MOST_COMPLAINTS, Page

FILE = "ledger.json"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What `ledger.json` holds.

    asked     what decides the outputs: a run that is continued has to have asked for the same
    force     whether it may replace the outputs of an earlier run
    files     names of all the files that the run writes
    blocks    how many blocks, from the first on, are in the outputs, and no byte of any other
    sizes     bytes of each output file at that moment
    seconds   spent until then, over all sittings
    summary   set when everything is in the outputs and only names are left to be given
    """

    format: Literal[2] = 2
    asked: dict[str, str]
    force: bool
    files: list[str]
    sources: list[Source]
    terms: Terms
    blocks: int
    sizes: dict[str, int]
    counts: dict[str, int]
    problems: dict[str, int]
    complaints: list[str]
    tally: dict[str, Any]
    seconds: float
    summary: Summary | None = None


class Ledger:
    """The sums of the pages so far. `sizes`: bytes of each output file at the last checkpoint of an earlier sitting."""

    def __init__(
        self,
        asked: Mapping[str, str],
        files: Sequence[str],
        sources: list[Source],
        terms: Terms,
        *,
        force: bool = False,
    ) -> None:
        """A run that begins."""
        self.asked = dict(asked)
        self.force = force
        self.files = list(files)
        self.sources = sources
        self.terms = terms
        self.blocks = 0
        self.sizes: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.tally = Tally()
        self.seconds = 0.0
        self.summary: Summary | None = None

    def add(self, page: Page) -> None:
        """Add the next block's page."""
        self.blocks += 1
        self.counts.update(page.counts)
        self.problems.update(page.problems)
        self.complaints += page.complaints[: MOST_COMPLAINTS - len(self.complaints)]
        self.tally.add(page.tally)

    def to_entry(self, sizes: Mapping[str, int], seconds: float) -> Entry:
        """The ledger as it is written; `seconds` are of this sitting."""
        return Entry(
            asked=self.asked,
            force=self.force,
            files=self.files,
            sources=self.sources,
            terms=self.terms,
            blocks=self.blocks,
            sizes=dict(sizes),
            counts=dict(self.counts),
            problems=dict(self.problems),
            complaints=self.complaints,
            tally=self.tally.to_data(),
            seconds=self.seconds + seconds,
            summary=self.summary,
        )

    @classmethod
    def from_entry(cls, entry: Entry) -> Ledger:
        """The ledger of a run that goes on."""
        ledger = cls(entry.asked, entry.files, entry.sources, entry.terms, force=entry.force)
        ledger.blocks, ledger.complaints, ledger.seconds, ledger.summary = (
            entry.blocks,
            entry.complaints,
            entry.seconds,
            entry.summary,
        )
        ledger.sizes = entry.sizes
        ledger.counts.update(entry.counts)
        ledger.problems.update(entry.problems)
        ledger.tally = Tally.from_data(entry.tally)
        return ledger


def write_entry(folder: Path, entry: Entry) -> None:
    """Replace the ledger in `folder`, so that whenever the machine stops there is the old one or the new one."""
    write_atomically(folder / FILE, msgspec.json.encode(entry))


def read_ledger(folder: Path) -> Ledger | None:
    """The ledger in `folder`; None when there is none. Raises OutputTaken for one of another release, or one that is damaged."""
    try:
        return Ledger.from_entry(msgspec.json.decode((folder / FILE).read_bytes(), type=Entry))
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
        raise OutputTaken(
            f"{folder / FILE}: expected the ledger that this release writes; begin anew with --force"
        ) from error
