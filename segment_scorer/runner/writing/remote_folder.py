"""An output folder in S3: files grow in a folder of this machine, always the same for one address, and are copied when all is done.

Takes an s3:// address; gives the folder to write into, which nobody else may look into, and copies it there, the summary last.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

from segment_scorer.runner.errors import DataError, OutputError, OutputTaken
from segment_scorer.runner.reading.segments import READ_AHEAD, S3, ask_s3
from segment_scorer.runner.writing.outputs import (
    FILES,
    REPORT,
    SUMMARY,
    UNFINISHED,
    drop,
    explained,
)


def find_folder(out: str | Path) -> Path:
    """The folder of this machine that a run's outputs grow in: `out`, or for an s3:// address one where a stopped run finds its own again.

    Not among temporary files, which a restart of the machine may take away. Source: XDG base directory specification, state.
    Raises OutputError where there is no such place.
    """
    if not str(out).startswith(S3):
        return Path(out)
    name = hashlib.sha256(str(out).rstrip("/").encode("utf-8", "surrogateescape")).hexdigest()[:16]
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        return (
            (Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state")
            / "segment-scorer"
            / name
        )
    except RuntimeError as error:
        raise OutputError(
            f"--out {out}: expected a home folder to keep the run in until it is copied, or XDG_STATE_HOME"
        ) from error


def keep_apart(folder: Path) -> None:
    """Make the folder that holds `folder`, for this user alone. Raises OutputError when somebody else owns it or may look into it."""
    parent = folder.parent
    with explained(folder):
        parent.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            parent.mkdir(mode=0o700)
        found = parent.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.getuid()
        or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise OutputError(
            f"{parent}: expected a folder of this user, closed to all others (chmod 700)"
        )


def check_remote(out: str, *, force: bool) -> None:
    """Raises OutputError where there is no bucket that can be asked, OutputTaken where an earlier run's outputs are (unless `force`)."""
    place = out.removeprefix(S3).rstrip("/")
    names = {SUMMARY, *FILES} - {REPORT}
    try:
        bucket, *infos = ask_s3(
            out,
            lambda s3: s3.get_file_info(
                [place.partition("/")[0], *(f"{place}/{name}" for name in names)]
            ),
        )
    except DataError as error:
        raise OutputError(
            f"--out {out}: expected a bucket that these AWS credentials can read and write"
        ) from error
    if not bucket.type.value:
        raise OutputError(
            f"--out {out}: expected a bucket that these AWS credentials can read and write"
        )
    if not force and any(info.is_file for info in infos):
        raise OutputTaken(
            f"--out {out}: expected no earlier run's outputs there; choose another prefix, or replace them with --force"
        )


def copy_out(folder: Path, files: Collection[str], *, out: str, force: bool) -> None:
    """Copy a complete run's files, the summary last, take away what an earlier run left, and clear the folder of this machine.

    Begun again after a stop halfway it comes to the same. Unless `force`, the outputs of another run that ended meanwhile stay.
    Raises OutputError when they cannot be copied, OutputTaken when another run's are there.
    """
    staging, place = folder / UNFINISHED, out.removeprefix(S3).rstrip("/")
    whole = (staging / SUMMARY).exists()

    def copy(s3: Any) -> None:
        if whole:
            there = read_object(s3, f"{place}/{SUMMARY}")
            if there is not None and not force:
                if there == (staging / SUMMARY).read_bytes():
                    return  # which went last
                raise OutputTaken(
                    f"--out {out}: expected no other run's outputs there; the complete run is kept in {staging}"
                )
            for info in s3.get_file_info([f"{place}/{name}" for name in (SUMMARY, *FILES)]):
                if info.is_file:
                    s3.delete_file(info.path)
        for name in [*files, SUMMARY] if whole else files:
            put_object(s3, staging / name, f"{place}/{name}")

    try:
        ask_s3(out, copy)
    except DataError as error:
        kept = f"; the complete run is kept in {staging}" if whole else ""
        raise OutputError(
            f"--out {out}: expected a bucket that these AWS credentials can write{kept}"
        ) from error
    drop(staging)
    with contextlib.suppress(OSError):
        folder.rmdir()


def read_object(s3: Any, path: str) -> bytes | None:
    """An object's bytes; None where there is no such object."""
    if not s3.get_file_info(path).is_file:
        return None
    with s3.open_input_stream(path, compression=None) as file:
        return bytes(file.read())


def put_object(s3: Any, source: Path, path: str) -> None:
    """Copy a file, and look whether it has arrived: Arrow's own `copy_files` (26.0) passes over an upload that failed. Raises OSError."""
    with source.open("rb") as file, s3.open_output_stream(path, compression=None) as stream:
        shutil.copyfileobj(file, stream, READ_AHEAD)
    if s3.get_file_info(path).size != source.stat().st_size:
        raise OSError("expected the object to be as long as the file")
