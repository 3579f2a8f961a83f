"""An output folder in S3: files grow in a folder of this machine, always the same for one address, and are copied when all is done.

Takes an s3:// address; gives the folder to write into, and copies it there. The summary goes last, as it does on a disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from campaign.errors import DataError, OutputError
from campaign.outputs import FILES, REPORT, SUMMARY
from campaign.segments import S3, ask_s3


def find_local(out: str) -> Path:
    """The folder of this machine that an s3:// address is written in. A run that was stopped finds its own there again."""
    name = hashlib.sha256(out.rstrip("/").encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"segment-scorer-{os.getuid()}-{name}"


def check_remote(out: str, *, force: bool) -> None:
    """Raises OutputError where an earlier run's outputs are (unless `force`), or where there is no bucket that can be asked."""
    place = out.removeprefix(S3).rstrip("/")
    try:
        bucket, *infos = ask_s3(
            out, lambda s3: s3.get_file_info([place.partition("/")[0], *(f"{place}/{name}" for name in {SUMMARY, *FILES} - {REPORT})])
        )
    except DataError as error:
        raise OutputError(f"--out {out}: expected a bucket that these AWS credentials can read and write") from error
    if not bucket.type.value:
        raise OutputError(f"--out {out}: expected a bucket that these AWS credentials can read and write")
    if not force and any(info.is_file for info in infos):
        raise OutputError(f"--out {out}: expected no earlier run's outputs there; choose another prefix, or replace them with --force")


def copy_out(folder: Path, out: str) -> None:
    """Copy a complete run's files, the summary last, take away what an earlier run left, and clear the folder. Raises OutputError."""
    from pyarrow import fs  # noqa: PLC0415  # slow to import

    place = out.removeprefix(S3).rstrip("/")
    local = fs.LocalFileSystem()
    names = [name for name in (*FILES, SUMMARY) if (folder / name).exists()]
    try:
        for name in () if names == [REPORT] else (SUMMARY, *FILES):
            if ask_s3(out, lambda s3, name=name: s3.get_file_info(f"{place}/{name}")).is_file:  # type: ignore[misc]
                ask_s3(out, lambda s3, name=name: s3.delete_file(f"{place}/{name}"))  # type: ignore[misc]
        for name in names:
            source = str(folder / name)
            ask_s3(out, lambda s3, name=name, source=source: fs.copy_files(source, f"{place}/{name}", local, s3))  # type: ignore[misc]
    except DataError as error:
        raise OutputError(
            f"--out {out}: expected a bucket that these AWS credentials can write; the complete run is in {folder}"
        ) from error
    shutil.rmtree(folder, ignore_errors=True)
