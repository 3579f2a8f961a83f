"""The output folder. Files grow in a hidden folder and appear together when the run is complete.

The summary appears last: a folder with `summary.json` holds a complete run, any other folder none.
A stopped run stays in the hidden folder, with its checkpoint, for `--resume`. A run is complete as
soon as its checkpoint has a summary; then only the files have to be moved.
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

from model.atomic import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    SHARED_FILE,
    SHARED_FOLDER,
    replace_atomically,
    sync,
    write_atomically,
)
from segment_scorer.runner.config import CHECKPOINT_SECONDS
from segment_scorer.runner.errors import OutputError, OutputTaken, RunComplete
from segment_scorer.runner.writing.checkpoint import (
    Checkpoint,
    check_complete,
    read_checkpoint,
    write_entry,
)
from segment_scorer.runner.writing.names import (
    CHECKPOINT,
    FILES,
    REPORT,
    SEGMENT,
    SUMMARY,
    UNFINISHED,
)

# Moves the files of a complete run: output folder, names of the files. It can be repeated after an
# interruption, with the same result.
Publish: TypeAlias = Callable[[Path, Collection[str]], None]


class Outputs:
    """The open files of a run, in a hidden folder inside the output folder."""

    def __init__(
        self,
        folder: Path,
        staging: Path,
        files: Mapping[str, BinaryIO],
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        *,
        shared: bool = False,
    ) -> None:
        """Use `open_outputs`."""
        self._mode = SHARED_FILE if shared else PRIVATE_FILE
        self._folder = folder
        self._staging = staging
        self._files = files
        self._checkpoint_seconds = checkpoint_seconds
        self._started = self._checked = time.monotonic()

    @property
    def seconds(self) -> float:
        """Duration of this session."""
        return time.monotonic() - self._started

    def append(self, parts: Mapping[str, bytes]) -> None:
        """Append to files by name. Raises OutputError, for instance if the disk is full."""
        with translate_errors(self._folder):
            for name, data in parts.items():
                self._files[name].write(data)

    def find(self, name: str) -> Path:
        """Find an open file. Everything appended so far is in it."""
        with translate_errors(self._folder):
            self._files[name].flush()
        return self._staging / name

    def save(self, checkpoint: Checkpoint, *, now: bool = False) -> None:
        """Sync the files and write the checkpoint; unless `now`, only every few seconds."""
        waited = time.monotonic() - self._checked
        if not self._files or (not now and waited < self._checkpoint_seconds):
            return
        with translate_errors(self._folder):
            sizes = {}
            for name, file in self._files.items():
                file.flush()
                os.fsync(file.fileno())
                sizes[name] = file.tell()
            write_entry(self._staging, checkpoint.to_entry(sizes, self.seconds))
        self._checked = time.monotonic()

    def forget(self) -> None:
        """Delete the checkpoint. The hidden folder is then deleted at the end of the session."""
        with translate_errors(self._folder):
            (self._staging / CHECKPOINT).unlink(missing_ok=True)

    def make(self, name: str, write: Callable[[Path, Path], None]) -> None:
        """Make another file. `write` receives the finished segment file and a path to write to."""
        with translate_errors(self._folder):
            for file in self._files.values():
                file.flush()
            with replace_atomically(self._staging / name, self._mode) as path:
                write(self._staging / SEGMENT, path)

    def publish(
        self, checkpoint: Checkpoint, publish: Publish, *, report_only: bool = False
    ) -> None:
        """Move all files to their places. The folder then holds this run and nothing of another.

        A run that makes only a report leaves everything else in the folder.
        """
        with translate_errors(self._folder):
            if not report_only:
                summary = msgspec.json.encode(checkpoint.summary)
                text = msgspec.json.format(summary, indent=2) + b"\n"
                write_atomically(self._staging / SUMMARY, text, self._mode)
                self.save(checkpoint, now=True)
            for file in self._files.values():
                file.close()
            publish(self._folder, checkpoint.files)


def move_files(folder: Path, files: Collection[str]) -> None:
    """Move finished files to their places, the summary last. Can be repeated if interrupted."""
    staging = folder / UNFINISHED
    is_complete = (staging / SUMMARY).exists()
    with translate_errors(folder):
        if is_complete:
            (folder / SUMMARY).unlink(missing_ok=True)
            sync(folder)
            for name in FILES:
                if name not in files:
                    (folder / name).unlink(missing_ok=True)
        for name in files:
            if (staging / name).exists():
                (staging / name).replace(folder / name)
        sync(folder)
        if is_complete:
            (staging / SUMMARY).replace(folder / SUMMARY)
            sync(folder)
    delete_unfinished(staging)


def delete_unfinished(staging: Path) -> None:
    """Delete the hidden folder, its checkpoint first, so that an interruption leaves no run."""
    with contextlib.suppress(OSError):
        (staging / CHECKPOINT).unlink(missing_ok=True)
    shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def lock_folder(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Lock the output folder for one run; create it if it is missing.

    A new folder is for this user alone, unless `shared`. A folder that exists keeps its
    permissions.

    Raises OutputError if it cannot be written, OutputTaken if another run is writing to it.
    """
    with translate_errors(folder):
        # The mode is of the folder itself. Parents are made as the umask allows.
        folder.mkdir(SHARED_FOLDER if shared else PRIVATE_FOLDER, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with translate_errors(folder):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A run that ended may have deleted the folder before it was locked here.
                is_locked = os.path.samestat(os.fstat(descriptor), folder.stat())
            except (BlockingIOError, FileNotFoundError):
                is_locked = False
        if not is_locked:
            raise OutputTaken(f"--out {folder}: another run is writing there")
        yield
    finally:
        os.close(descriptor)


def find_unfinished(
    folder: Path, *, resume: bool, force: bool, asked: Mapping[str, str]
) -> Checkpoint | None:
    """Find the run to continue; None to start a new one. `asked` is of `digest_options`.

    Raises RunComplete if there is nothing to resume, OptionError if the complete run was made with
    other options, OutputTaken if the folder holds another run, unless the options say what to do
    with it.
    """
    checkpoint = None if force else read_checkpoint(folder / UNFINISHED)
    if checkpoint is not None and not resume:
        raise OutputTaken(
            f"--out {folder}: found an unfinished run; continue it with --resume, "
            "or replace it with --force"
        )
    if checkpoint is None and resume and (folder / SUMMARY).exists():
        check_complete(str(folder), (folder / SUMMARY).read_bytes(), asked)
        raise RunComplete(f"--out {folder}: the run is complete; there is nothing to resume")
    outputs = {SUMMARY, *FILES} - {REPORT}  # a report alone is of a rehearsal, and is replaced
    if checkpoint is None and not force and any((folder / name).exists() for name in outputs):
        raise OutputTaken(
            f"--out {folder}: found the outputs of an earlier run; choose another folder, "
            "or replace them with --force"
        )
    return checkpoint


@contextlib.contextmanager
def open_outputs(
    folder: Path,
    beginnings: Mapping[str, bytes],
    *,
    sizes: Mapping[str, int] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    shared: bool = False,
) -> Iterator[Outputs]:
    """Open the output files of a locked folder: new with their first bytes, or cut back to `sizes`.

    The files hold ids, so only this user can read them, unless `shared`: then as the umask allows.
    If the block ends before `publish`, the files are deleted, unless there is a checkpoint.
    Raises OutputError if they cannot be written.
    """
    staging = folder / UNFINISHED
    with contextlib.ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        with translate_errors(folder):
            if not sizes:
                delete_unfinished(staging)
                staging.mkdir(PRIVATE_FOLDER)
                sync(folder)
            stack.callback(_delete_without_checkpoint, staging)
            for name in beginnings:
                files[name] = open_file(staging / name, new=not sizes, shared=shared)
                stack.callback(_close_quietly, files[name])
                if sizes:
                    cut_back(files[name], sizes[name], staging / name)
        outputs = Outputs(folder, staging, files, checkpoint_seconds, shared=shared)
        if not sizes:
            outputs.append(beginnings)
        yield outputs


def open_file(path: Path, *, new: bool, shared: bool) -> BinaryIO:
    """Open an output file: a new one, or one that an earlier session began."""
    flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if new else 0)
    descriptor = os.open(path, flags, SHARED_FILE if shared else PRIVATE_FILE)
    return os.fdopen(descriptor, "r+b")


def cut_back(file: BinaryIO, size: int, path: Path) -> None:
    """Cut off what was written after the checkpoint. Raises OutputTaken if it is too short."""
    found = file.seek(0, os.SEEK_END)
    if found < size:
        raise OutputTaken(
            f"{path}: expected at least {size:,} bytes, as in the checkpoint, found {found:,}; "
            "start over with --force"
        )
    file.truncate(size)
    file.seek(size)


def _delete_without_checkpoint(staging: Path) -> None:
    """Delete the hidden folder of a run that cannot be continued."""
    if not (staging / CHECKPOINT).exists():
        shutil.rmtree(staging, ignore_errors=True)


def _close_quietly(file: BinaryIO) -> None:
    """Close a file whose last bytes do not matter: it is closed already, or will be deleted."""
    with contextlib.suppress(OSError):
        file.close()


@contextlib.contextmanager
def translate_errors(folder: Path) -> Iterator[None]:
    """Translate the system's errors into OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"--out {folder}: expected a folder that can be written ({error.strerror})"
        ) from error
