"""Files that are there whole or not at all, even after a power cut: written beside, forced to the disk, and only then given their name.

Takes a path and what writes there. Raises what the system raises: a caller knows what the file was for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def save_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then put it there. Whenever the machine stops, `path` is what it was or what it became."""
    fresh = path.with_name(f"{path.name}.new")
    write(fresh)
    sync(fresh)
    fresh.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
