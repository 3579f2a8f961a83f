"""The checkpoint of a run: how far it has come, so that a stopped run can continue.

Input: chunk results in order. Output: sums, written at intervals and read back. No person is in it,
only sizes, counts and the run's configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from model.atomic import PRIVATE_FILE, write_atomically
from segment_scorer.runner.chunks import MOST_REJECTIONS, ChunkResult
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.errors import OptionError, OutputTaken
from segment_scorer.runner.reading.segments import SegmentFile
from segment_scorer.runner.reporting.statistics import Statistics
from segment_scorer.runner.summary import Summary
from segment_scorer.runner.writing.names import CHECKPOINT

FORMER_CHECKPOINT = "ledger.json"  # its name in earlier releases


class CheckpointEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `checkpoint.json`.

    fingerprint  what decides the outputs; a resumed run must have the same
    force        whether the run may replace the outputs of an earlier run
    files        names of all files that the run writes
    chunks       number of chunks in the outputs, which hold no byte of a later chunk
    sizes        output file -> bytes at this checkpoint
    seconds      duration so far, over all sessions
    summary      set when the outputs are complete and only have to be renamed
    """

    format: Literal[5] = 5
    fingerprint: dict[str, str]
    force: bool
    files: list[str]
    segment_files: list[SegmentFile]
    config: RunConfig
    chunks: int
    sizes: dict[str, int]
    counts: dict[str, int]
    problems: dict[str, int]
    rejections: list[str]
    statistics: dict[str, Any]
    seconds: float
    summary: Summary | None = None


class Checkpoint:
    """The sums over the chunks so far. Attributes as in `CheckpointEntry`."""

    def __init__(
        self,
        fingerprint: Mapping[str, str],
        files: Sequence[str],
        segment_files: list[SegmentFile],
        config: RunConfig,
        *,
        force: bool = False,
    ) -> None:
        """Start a run."""
        self.fingerprint = dict(fingerprint)
        self.force = force
        self.files = list(files)
        self.segment_files = segment_files
        self.config = config
        self.chunks = 0
        self.sizes: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.rejections: list[str] = []
        self.statistics = Statistics()
        self.seconds = 0.0
        self.summary: Summary | None = None

    def add(self, result: ChunkResult) -> None:
        """Add the result of the next chunk."""
        self.chunks += 1
        self.counts.update(result.counts)
        self.problems.update(result.problems)
        self.rejections += result.rejections[: MOST_REJECTIONS - len(self.rejections)]
        self.statistics.add(result.statistics)

    def to_entry(self, sizes: Mapping[str, int], seconds: float) -> CheckpointEntry:
        """Convert to the form that is written. `seconds` is the duration of this session."""
        return CheckpointEntry(
            fingerprint=self.fingerprint,
            force=self.force,
            files=self.files,
            segment_files=self.segment_files,
            config=self.config,
            chunks=self.chunks,
            sizes=dict(sizes),
            counts=dict(self.counts),
            problems=dict(self.problems),
            rejections=self.rejections,
            statistics=self.statistics.to_data(),
            seconds=self.seconds + seconds,
            summary=self.summary,
        )

    @classmethod
    def from_entry(cls, entry: CheckpointEntry) -> Checkpoint:
        """Continue a run."""
        checkpoint = cls(
            entry.fingerprint, entry.files, entry.segment_files, entry.config, force=entry.force
        )
        checkpoint.chunks = entry.chunks
        checkpoint.sizes = entry.sizes
        checkpoint.counts.update(entry.counts)
        checkpoint.problems.update(entry.problems)
        checkpoint.rejections = entry.rejections
        checkpoint.statistics = Statistics.from_data(entry.statistics)
        checkpoint.seconds = entry.seconds
        checkpoint.summary = entry.summary
        return checkpoint


def write_entry(folder: Path, entry: CheckpointEntry) -> None:
    """Replace the checkpoint in `folder` atomically."""
    try:
        content = msgspec.json.encode(entry)
    except UnicodeEncodeError:  # the name of a file is not UTF-8
        content = json.dumps(msgspec.to_builtins(entry)).encode()
    write_atomically(folder / CHECKPOINT, content, PRIVATE_FILE)


def decode_entry(content: bytes) -> CheckpointEntry:
    """Decode a checkpoint. Raises ValueError or TypeError, which msgspec's errors are, too."""
    try:
        return msgspec.json.decode(content, type=CheckpointEntry)
    except msgspec.DecodeError:  # perhaps an escaped byte of a file name, as in `write_entry`
        return msgspec.convert(json.loads(content), CheckpointEntry)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the checkpoint in `folder`; None if there is none.

    Raises OutputTaken if the checkpoint is damaged or from another release.
    """
    path = folder / CHECKPOINT
    try:
        return Checkpoint.from_entry(decode_entry(path.read_bytes()))
    except FileNotFoundError:
        former = folder / FORMER_CHECKPOINT
        if former.exists():
            raise OutputTaken(
                f"{former}: the unfinished run is from an earlier release and cannot be continued; "
                "start over with --force"
            ) from None
        return None
    except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise OutputTaken(
            f"{path}: expected a checkpoint of this release, found one that it cannot read; "
            "start over with --force"
        ) from error


def check_same(
    checkpoint: Checkpoint, fingerprint: Mapping[str, str], segment_files: Sequence[SegmentFile]
) -> None:
    """Check that a resumed run has the options and files that it was started with.

    Raises OptionError: half of its outputs would be different from the other half.
    """
    different = list_different(fingerprint, checkpoint.fingerprint)
    cure = "Use the same, or --force to start over"
    if different:
        raise OptionError(
            f"--resume: the unfinished run was started with a different {', '.join(different)}. "
            f"{cure}"
        )
    if list(segment_files) != checkpoint.segment_files:
        raise OptionError(
            "--resume: the unfinished run was started with different segment files, "
            f"or they have changed. {cure}"
        )


def list_different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names whose values differ, in order."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def digest_options(
    fingerprint: Mapping[str, str], segment_files: Sequence[SegmentFile]
) -> dict[str, str]:
    """Digests of what decides the outputs, for the summary: they name no file and no address."""
    # Not msgspec's: the name of a file need not be UTF-8.
    files = json.dumps([msgspec.to_builtins(each) for each in segment_files], sort_keys=True)
    values = {name: value.encode("utf-8", "surrogateescape") for name, value in fingerprint.items()}
    values["segment files"] = files.encode()
    return {name: hashlib.sha256(value).hexdigest()[:16] for name, value in sorted(values.items())}


def check_complete(out: str, summary: bytes | None, asked: Mapping[str, str]) -> None:
    """Compare a complete run with the options asked for. Raises OptionError if they differ.

    summary  content of its summary.json; one of an earlier release does not name the options
    asked    of `digest_options`
    """
    try:
        found = msgspec.json.decode(summary or b"{}").get("options")
    except (msgspec.DecodeError, AttributeError):
        found = None
    if isinstance(found, dict) and (different := list_different(asked, found)):
        raise OptionError(
            f"--out {out}: the run is complete, but was made with a different "
            f"{', '.join(different)}. Use the same, or --force to start over"
        )
