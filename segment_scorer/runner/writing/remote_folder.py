"""An output folder in S3. The files grow in a local folder and are copied when the run is complete.

Input: an s3:// address. The local folder is always the same for an address, and only its user can
open it. The summary is copied last.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from segment_scorer.runner.errors import DataError, OutputError, OutputTaken, RunComplete
from segment_scorer.runner.s3 import READ_AHEAD, S3, ask_s3, read_object, split_bucket
from segment_scorer.runner.writing.checkpoint import check_complete
from segment_scorer.runner.writing.names import FILES, REPORT, SUMMARY, UNFINISHED
from segment_scorer.runner.writing.outputs import delete_unfinished, translate_errors


def find_folder(out: str | Path) -> Path:
    """Find the local folder of a run's outputs: `out`, or a fixed one for an s3:// address.

    It is not a temporary folder, because a restart of the machine may delete those.
    Source: XDG base directory specification, state. Raises OutputError without a home folder.
    """
    if not str(out).startswith(S3):
        return Path(out)
    name = hashlib.sha256(str(out).rstrip("/").encode("utf-8", "surrogateescape")).hexdigest()[:16]
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        state = state if state.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise OutputError(
            f"--out {out}: expected a home folder, or XDG_STATE_HOME, "
            "to keep the run in until it is copied"
        ) from error
    return state / "segment-scorer" / name


def make_private(folder: Path) -> None:
    """Create the parent of `folder`, for this user alone.

    Raises OutputError if it belongs to another user, or others can open it.
    """
    parent = folder.parent
    with translate_errors(folder):
        parent.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            parent.mkdir(mode=0o700)
        found = parent.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_own or stat.S_IMODE(found.st_mode) & 0o077:
        raise OutputError(
            f"{parent}: expected a folder that only this user owns and can open (chmod 700)"
        )


def check_remote(out: str, *, force: bool, asked: Mapping[str, str], resume: bool = False) -> None:
    """Check the address before the run. `asked` is of `digest_options`.

    Raises OutputError if the bucket cannot be read, OutputTaken if an earlier run's outputs are
    there (unless `force`), RunComplete if `resume` finds its own, OptionError if those were made
    with other options.
    """
    prefix = out.removeprefix(S3).rstrip("/")
    names = {SUMMARY, *FILES} - {REPORT}
    paths = [split_bucket(out)[0], *(f"{prefix}/{name}" for name in names)]
    try:
        bucket, *infos = ask_s3(out, lambda s3: s3.get_file_info(paths))
    except DataError as error:
        raise OutputError(f"--out {error}") from error
    if not bucket.type.value:
        raise OutputError(f"--out {out}: expected a bucket that can be written, found no bucket")
    found = {path for path, info in zip(paths[1:], infos, strict=True) if info.is_file}
    if resume and not force and f"{prefix}/{SUMMARY}" in found:
        summary = ask_s3(out, lambda s3: read_object(s3, f"{prefix}/{SUMMARY}"))
        check_complete(out, summary, asked)
        raise RunComplete(f"--out {out}: the run is complete; there is nothing to resume")
    if not force and any(info.is_file for info in infos):
        raise OutputTaken(
            f"--out {out}: found the outputs of an earlier run; choose another prefix, "
            "or replace them with --force"
        )


def copy_files(folder: Path, files: Collection[str], *, out: str, force: bool) -> None:
    """Copy a complete run, the summary last; delete what an earlier run left, and the local folder.

    Can be repeated after an interruption. Unless `force`, the outputs of a run that another machine
    completed meanwhile stay. Raises OutputError if the files cannot be copied, OutputTaken if
    another run's are there.
    """
    staging, prefix = folder / UNFINISHED, out.removeprefix(S3).rstrip("/")
    is_complete = (staging / SUMMARY).exists()
    kept = f"; the complete run is kept in {staging}" if is_complete else ""

    def copy(s3: Any) -> None:
        if is_complete:
            there = read_object(s3, f"{prefix}/{SUMMARY}")
            if there is not None and not force:
                if there == (staging / SUMMARY).read_bytes():
                    return  # copied before an interruption: the summary was the last file
                raise OutputTaken(f"--out {out}: found the outputs of another run{kept}")
            for info in s3.get_file_info([f"{prefix}/{name}" for name in (SUMMARY, *FILES)]):
                if info.is_file:
                    s3.delete_file(info.path)
        for name in [*files, SUMMARY] if is_complete else files:
            if not (staging / name).exists():
                continue  # a format's further file that this run did not need
            put_object(s3, staging / name, f"{prefix}/{name}")

    try:
        ask_s3(out, copy)
    except DataError as error:
        raise OutputError(f"--out {error}{kept}") from error
    delete_unfinished(staging)
    with contextlib.suppress(OSError):
        folder.rmdir()


def put_object(s3: Any, source: Path, path: str) -> None:
    """Copy a file and check its size: Arrow's `copy_files` (26.0) ignores failed uploads.

    Raises OSError.
    """
    with source.open("rb") as file, s3.open_output_stream(path, compression=None) as stream:
        shutil.copyfileobj(file, stream, READ_AHEAD)
    if s3.get_file_info(path).size != source.stat().st_size:
        raise OSError(errno.EIO, "the uploaded object has not the size of the file")
