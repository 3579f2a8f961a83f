"""The output folder: files grow under a hidden name and appear, all of them, when the run is complete; the summary appears last.

Takes bytes to append, file by file; gives nothing back. A folder with `summary.json` holds a complete run, any other holds none. What a
run that was stopped has done stays in the hidden folder, with its ledger, for `--resume`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from campaign.books import Summary
from campaign.errors import OutputError
from campaign.forms import FORMS
from campaign.ledger import FILE as LEDGER
from campaign.ledger import Entry, Ledger, read_entry, write_entry
from campaign.walking import DECISIONS, LOG, REJECTED, SCORES, SEGMENT

SUMMARY, REPORT = "summary.json", "report.html"
UNFINISHED = ".unfinished"
# Every name that a run may write: what an earlier run left under one of them does not survive a new one.
FILES = (SEGMENT, SCORES, DECISIONS, REJECTED, LOG, REPORT, *(name for name, _, _ in FORMS.values()))
CHECKPOINT_SECONDS = 5.0


class Outputs:
    """The open files of a run, in a hidden folder inside the output folder."""

    def __init__(self, folder: Path, staging: Path, files: Mapping[str, BinaryIO], every: float = CHECKPOINT_SECONDS) -> None:
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

    def checkpoint(self, ledger: Ledger, *, now: bool = False) -> None:
        """Make what was appended safe, and say so in the ledger; only every few seconds unless `now`."""
        if not self._files or (not now and time.monotonic() - self._checked < self._every):
            return
        with explained(self._folder):
            sizes = {}
            for name, file in self._files.items():
                file.flush()
                os.fsync(file.fileno())
                sizes[name] = file.tell()
            write_entry(self._staging, ledger.to_entry(sizes, self.seconds))
        self._checked = time.monotonic()

    def forget(self) -> None:
        """Let nothing be gone on with: the hidden folder is then cleared away when this run ends."""
        with explained(self._folder):
            (self._staging / LEDGER).unlink(missing_ok=True)

    def make(self, name: str, write: Callable[[Path, Path], None]) -> None:
        """Let `write` make a further file: it is given the finished segment file, and the path to write to."""
        with explained(self._folder):
            for file in self._files.values():
                file.flush()
            write(self._staging / SEGMENT, self._staging / name)

    def publish(self, ledger: Ledger, *, alone: bool = False) -> None:
        """Give every file its name. From here on the folder holds this run, complete, and nothing of an earlier one.

        `alone`: there is nothing but a report, and whatever else is in the folder stays.
        """
        with explained(self._folder):
            if not alone:
                text = msgspec.json.format(msgspec.json.encode(ledger.summary), indent=2) + b"\n"
                (self._staging / SUMMARY).write_bytes(text)
                self.checkpoint(ledger, now=True)
            for file in self._files.values():
                file.close()
            give_names(self._folder, ledger.files)


def give_names(folder: Path, files: Collection[str]) -> None:
    """Move finished files into place, the summary last; begun again after a stop halfway it comes to the same."""
    staging = folder / UNFINISHED
    if (staging / SUMMARY).exists():
        (folder / SUMMARY).unlink(missing_ok=True)
        for name in FILES:
            if name not in files:
                (folder / name).unlink(missing_ok=True)
    for name in files:
        if (staging / name).exists():
            (staging / name).replace(folder / name)
    if (staging / SUMMARY).exists():
        (staging / SUMMARY).replace(folder / SUMMARY)
    shutil.rmtree(staging, ignore_errors=True)


def read_summary(folder: Path) -> Summary:
    """The books of a complete run. Raises OutputError when they are no summary."""
    try:
        return msgspec.json.decode((folder / SUMMARY).read_bytes(), type=Summary)
    except (OSError, msgspec.DecodeError) as error:
        raise OutputError(f"{folder / SUMMARY}: expected a run's summary") from error


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the output folder, made if absent, for one run. Raises OutputError: not writable, or another run at work."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"--out {folder}: another run is writing there") from error
        yield
    finally:
        os.close(descriptor)


def find_unfinished(folder: Path, *, resume: bool, force: bool) -> Entry | None:
    """The ledger of the run to go on with; None to begin anew. Raises OutputError where what is there must not be touched."""
    entry = None if force else read_entry(folder / UNFINISHED)
    if entry is not None and not resume:
        raise OutputError(f"--out {folder}: expected no unfinished run there; go on with it by --resume, or drop it by --force")
    outputs = {SUMMARY, *FILES} - {REPORT}  # which alone is a rehearsal's, and may be replaced
    if entry is None and not force and any((folder / name).exists() for name in outputs):
        raise OutputError(f"--out {folder}: expected no earlier run's outputs there; choose another folder, or replace them with --force")
    return entry


@contextlib.contextmanager
def open_outputs(
    folder: Path, beginnings: Mapping[str, bytes], *, entry: Entry | None = None, every: float = CHECKPOINT_SECONDS
) -> Iterator[Outputs]:
    """Open the output files: with their first bytes, or as the ledger's `entry` says that they were. The folder has to be locked.

    Whatever ends the block before `publish`, none of them is left, unless a checkpoint says how to go on.
    Raises OutputError when they cannot be written.
    """
    staging = folder / UNFINISHED
    with contextlib.ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        with explained(folder):
            if entry is None:
                shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed before its first checkpoint
                staging.mkdir(parents=True)
            stack.callback(_clear_up, staging)
            for name in beginnings:
                files[name] = (staging / name).open("wb" if entry is None else "r+b")
                stack.callback(_close_quietly, files[name])
                if entry is not None:
                    files[name].truncate(entry.sizes[name])
                    files[name].seek(0, os.SEEK_END)
        outputs = Outputs(folder, staging, files, every)
        if entry is None:
            outputs.append(beginnings)
        yield outputs


def _clear_up(staging: Path) -> None:
    """Leave nothing of a run that cannot be gone on with."""
    if not (staging / LEDGER).exists():
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
        raise OutputError(f"--out {folder}: expected a folder that can be written ({error.strerror})") from error
