"""The output folder: files grow under a hidden name and appear, all of them, when the run is complete; the summary appears last.

Takes bytes to append, file by file; gives nothing back. A folder with `summary.json` holds a complete run, any other holds none. What a
run that was stopped has done stays in the hidden folder, with its checkpoint, for `--resume`; there a run is complete as soon as its checkpoint
has a summary, and then only names are left to be given.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from model.atomic import replace_atomically, sync, write_atomically
from segment_scorer.runner.config import CHECKPOINT_SECONDS
from segment_scorer.runner.errors import OutputError, OutputTaken
from segment_scorer.runner.worker import DECISIONS, LOG, REJECTED, SCORES, SEGMENT
from segment_scorer.runner.writing.checkpoint import FILE as CHECKPOINT
from segment_scorer.runner.writing.checkpoint import Checkpoint, read_checkpoint, write_entry
from segment_scorer.runner.writing.formats import FORMATS

SUMMARY, REPORT = "summary.json", "report.html"
UNFINISHED = ".unfinished"
# Every name that a run may write: what an earlier run left under one of them does not survive a new one.
FILES = (
    SEGMENT,
    SCORES,
    DECISIONS,
    REJECTED,
    LOG,
    REPORT,
    *(name for name, _, _ in FORMATS.values()),
)
# What gives a complete run's files their names: the output folder, and those that the run wrote. Begun again, it comes to the same.
Publish: TypeAlias = Callable[[Path, Collection[str]], None]


class Outputs:
    """The open files of a run, in a hidden folder inside the output folder."""

    def __init__(
        self,
        folder: Path,
        staging: Path,
        files: Mapping[str, BinaryIO],
        every: float = CHECKPOINT_SECONDS,
    ) -> None:
        """Use `open_outputs`."""
        self._folder = folder
        self._staging = staging
        self._files = files
        self._every = every
        self._started = self._checked = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since this sitting began."""
        return time.monotonic() - self._started

    def append(self, parts: Mapping[str, bytes]) -> None:
        """Append to each file named. Raises OutputError when it cannot be written, a full disk for one."""
        with explained(self._folder):
            for name, data in parts.items():
                self._files[name].write(data)

    def checkpoint(self, checkpoint: Checkpoint, *, now: bool = False) -> None:
        """Make what was appended safe, and say so in the checkpoint; only every few seconds unless `now`."""
        if not self._files or (not now and time.monotonic() - self._checked < self._every):
            return
        with explained(self._folder):
            sizes = {}
            for name, file in self._files.items():
                file.flush()
                os.fsync(file.fileno())
                sizes[name] = file.tell()
            write_entry(self._staging, checkpoint.to_entry(sizes, self.seconds))
        self._checked = time.monotonic()

    def forget(self) -> None:
        """Let nothing be gone on with: the hidden folder is then cleared away when this run ends."""
        with explained(self._folder):
            (self._staging / CHECKPOINT).unlink(missing_ok=True)

    def make(self, name: str, write: Callable[[Path, Path], None]) -> None:
        """Let `write` make a further file: it is given the finished segment file, and the path to write to."""
        with explained(self._folder):
            for file in self._files.values():
                file.flush()
            with replace_atomically(self._staging / name) as path:
                write(self._staging / SEGMENT, path)

    def publish(self, checkpoint: Checkpoint, publish: Publish, *, alone: bool = False) -> None:
        """Give every file its name. From here on the folder holds this run, complete, and nothing of an earlier one.

        `alone`: there is nothing but a report, and whatever else is in the folder stays.
        """
        with explained(self._folder):
            if not alone:
                text = (
                    msgspec.json.format(msgspec.json.encode(checkpoint.summary), indent=2) + b"\n"
                )
                write_atomically(self._staging / SUMMARY, text)
                self.checkpoint(checkpoint, now=True)
            for file in self._files.values():
                file.close()
            publish(self._folder, checkpoint.files)


def give_names(folder: Path, files: Collection[str]) -> None:
    """Move finished files into place, the summary last; begun again after a stop halfway it comes to the same."""
    staging = folder / UNFINISHED
    with explained(folder):
        if (staging / SUMMARY).exists():
            (folder / SUMMARY).unlink(missing_ok=True)
            sync(folder)
            for name in FILES:
                if name not in files:
                    (folder / name).unlink(missing_ok=True)
        for name in files:
            if (staging / name).exists():
                (staging / name).replace(folder / name)
        sync(folder)
        if (staging / SUMMARY).exists():
            (staging / SUMMARY).replace(folder / SUMMARY)
            sync(folder)
    drop(staging)


def drop(staging: Path) -> None:
    """Take the hidden folder away, its checkpoint first: what a stop leaves of the rest cannot be gone on with."""
    with contextlib.suppress(OSError):
        (staging / CHECKPOINT).unlink(missing_ok=True)
    shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the output folder, made if absent, for one run. Raises OutputError: not writable, or (OutputTaken) another run at work."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with explained(folder):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = os.path.samestat(
                    os.fstat(descriptor), folder.stat()
                )  # unless a run that ended took the folder away meanwhile
            except (BlockingIOError, FileNotFoundError):
                held = False
        if not held:
            raise OutputTaken(f"--out {folder}: another run is writing there")
        yield
    finally:
        os.close(descriptor)


def find_unfinished(folder: Path, *, resume: bool, force: bool) -> Checkpoint | None:
    """The checkpoint of the run to go on with; None to begin anew. Raises OutputTaken where what is there must not be touched."""
    checkpoint = None if force else read_checkpoint(folder / UNFINISHED)
    if checkpoint is not None and not resume:
        raise OutputTaken(
            f"--out {folder}: expected no unfinished run there; go on with it by --resume, or drop it by --force"
        )
    outputs = {SUMMARY, *FILES} - {REPORT}  # which alone is a rehearsal's, and may be replaced
    if checkpoint is None and not force and any((folder / name).exists() for name in outputs):
        raise OutputTaken(
            f"--out {folder}: expected no earlier run's outputs there; choose another folder, or replace them with --force"
        )
    return checkpoint


@contextlib.contextmanager
def open_outputs(
    folder: Path,
    beginnings: Mapping[str, bytes],
    *,
    sizes: Mapping[str, int] | None = None,
    every: float = CHECKPOINT_SECONDS,
) -> Iterator[Outputs]:
    """Open the output files: with their first bytes, or cut back to the `sizes` of a checkpoint. The folder has to be locked.

    Whatever ends the chunk before `publish`, none of them is left, unless a checkpoint says how to go on.
    Raises OutputError when they cannot be written.
    """
    staging = folder / UNFINISHED
    with contextlib.ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        with explained(folder):
            if not sizes:
                drop(staging)
                staging.mkdir(parents=True)
                sync(folder)
            stack.callback(_clear_up, staging)
            for name in beginnings:
                files[name] = (staging / name).open("r+b" if sizes else "wb")
                stack.callback(_close_quietly, files[name])
                if sizes:
                    cut_back(files[name], sizes[name], staging / name)
        outputs = Outputs(folder, staging, files, every)
        if not sizes:
            outputs.append(beginnings)
        yield outputs


def cut_back(file: BinaryIO, size: int, path: Path) -> None:
    """Take away what was written after the checkpoint. Raises OutputTaken when there is less than the checkpoint says."""
    if file.seek(0, os.SEEK_END) < size:
        raise OutputTaken(
            f"{path}: expected {size:,} bytes or more, as the checkpoint beside it says; begin anew with --force"
        )
    file.truncate(size)
    file.seek(size)


def _clear_up(staging: Path) -> None:
    """Leave nothing of a run that cannot be gone on with."""
    if not (staging / CHECKPOINT).exists():
        shutil.rmtree(staging, ignore_errors=True)


def _close_quietly(file: BinaryIO) -> None:
    """Close a file that `publish` has closed already, or else one that is about to be removed: what it cannot write does not matter."""
    with contextlib.suppress(OSError):
        file.close()


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Translate the system's errors."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"--out {folder}: expected a folder that can be written ({error.strerror})"
        ) from error
