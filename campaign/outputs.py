"""The output folder: files grow under a hidden name and appear, all of them, when the run is complete; the summary appears last.

Takes bytes to append, file by file; gives nothing back. A folder with `summary.json` holds a complete run, any other holds none.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from campaign.books import Summary
from campaign.errors import OutputError
from campaign.walking import DECISIONS, LOG, REJECTED, SCORES, SEGMENT

SUMMARY = "summary.json"
UNFINISHED = ".unfinished"
# Every name that a run may write: what an earlier run left under one of them does not survive a new one.
FILES = (SEGMENT, SCORES, DECISIONS, REJECTED, LOG, "report.html")


class Outputs:
    """The open files of a run, in a hidden folder inside the output folder."""

    def __init__(self, folder: Path, staging: Path, files: Mapping[str, BinaryIO]) -> None:
        """Use `open_outputs`."""
        self._folder = folder
        self._staging = staging
        self._files = files

    def append(self, parts: Mapping[str, bytes]) -> None:
        """Append to each file named. Raises OutputError when it cannot be written, a full disk for one."""
        with _explained(self._folder):
            for name, data in parts.items():
                self._files[name].write(data)

    def publish(self, summary: Summary) -> None:
        """Give every file its name. From here on the folder holds this run, complete, and nothing of an earlier one."""
        with _explained(self._folder):
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
                file.close()
            text = msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
            (self._staging / SUMMARY).write_bytes(text)
            (self._folder / SUMMARY).unlink(missing_ok=True)
            for name in FILES:
                if name in self._files:
                    (self._staging / name).replace(self._folder / name)
                else:
                    (self._folder / name).unlink(missing_ok=True)
            (self._staging / SUMMARY).replace(self._folder / SUMMARY)


@contextlib.contextmanager
def open_outputs(folder: Path, beginnings: Mapping[str, bytes], *, force: bool) -> Iterator[Outputs]:
    """Open the output files with their first bytes; whatever ends the block before `publish`, none of them is left.

    Raises OutputError: not writable, another run at work, or (unless `force`) a run's outputs already there.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"--out {folder}: another run is writing there") from error
        if not force and any((folder / name).exists() for name in (SUMMARY, *FILES)):
            raise OutputError(
                f"--out {folder}: expected no earlier run's outputs there; choose another folder, or replace them with --force"
            )
        staging = folder / UNFINISHED
        with contextlib.ExitStack() as stack:
            with _explained(folder):
                shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
                staging.mkdir()
                stack.callback(shutil.rmtree, staging, ignore_errors=True)
                files: dict[str, BinaryIO] = {}
                for name in beginnings:
                    files[name] = (staging / name).open("wb")
                    stack.callback(_close_quietly, files[name])
            outputs = Outputs(folder, staging, files)
            outputs.append(beginnings)
            yield outputs
    finally:
        os.close(descriptor)


def _close_quietly(file: BinaryIO) -> None:
    """Close a file that `publish` has closed already, or else one that is about to be removed: what it cannot write does not matter."""
    with contextlib.suppress(OSError):
        file.close()


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"--out {folder}: expected a folder that can be written ({error.strerror})") from error
