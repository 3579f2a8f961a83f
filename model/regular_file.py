"""Reads whole files that somebody else wrote: only regular files, never more than a bound."""

from __future__ import annotations

import os
import stat
from pathlib import Path

NOT_REGULAR = "expected a file"
KINDS = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


class NotAFileError(Exception):
    """What is at the path is no regular file, or too large. The text does not name the path."""


def read_regular_file(path: Path, most: int) -> bytes:
    """Read a file of at most `most` bytes. Raises NotAFileError and OSError. Never waits."""
    # Without O_NONBLOCK, opening a pipe would wait for somebody who writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_regular(os.fstat(descriptor).st_mode)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(content) > most:
        raise NotAFileError(f"expected at most {most:,} bytes, found more")
    return content


def check_regular(mode: int) -> None:
    """Raise NotAFileError unless a file's mode (`st_mode`) is that of a regular file."""
    if not stat.S_ISREG(mode):
        found = next((name for is_kind, name in KINDS if is_kind(mode)), "a device")
        raise NotAFileError(f"{NOT_REGULAR}, found {found}")
