"""Files that tests of several files read. One worker makes them; the others wait and read them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` has filled, once in a test run. Only read what is in it."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all workers
    shared = folder / f"shared-{name}"
    done = folder / f"shared-{name}.done"
    with (folder / f"shared-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shared.mkdir(exist_ok=True)
            make(shared)
            done.touch()
    return shared
