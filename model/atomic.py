"""Replaces files atomically: a reader sees the old file or the new one, even after a power cut.

The new file is written beside the old one, synced to disk, and renamed. Raises OSError.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to `path` at the end of the block.

    If the block raises, `path` stays as it was and the temporary file is deleted. The temporary
    name contains the process id, so that several processes can replace the same file.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        fresh.unlink(missing_ok=True)
        yield fresh
        sync(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the content of a file, or create it."""
    with replace_atomically(path) as fresh:
        fresh.write_bytes(content)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
