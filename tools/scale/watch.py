"""A run under watch: time, processor time, memory and disk of a command and its descendants.

Reads /proc while the command runs, so Linux only. Descendants that the command does not wait for,
as those of Ray, are counted too.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools.benchmarks.example import ROOT, clean_environ
from tools.benchmarks.machine import read_seconds
from tools.benchmarks.rows.runner import RunError
from tools.benchmarks.runner import find_family, read_shared

EVERY_SECONDS = 0.1
MEMORY_EVERY = 10  # looks: summing up shared pages takes a while


class Watched(NamedTuple):
    """What a command took. Memory in bytes, time in seconds; `first` is the command's own process.

    memory  peak of all processes, pages that they share once; first_memory, other_memory: peaks of
            the first one and of all others together, which need not be at the same time
    disk    most bytes in the watched folder
    A look every tenth of a second, for memory every second, can miss a short peak.
    """

    seconds: float
    processor_seconds: float
    first_seconds: float
    memory: int
    first_memory: int
    other_memory: int
    disk: int


def watch(command: Sequence[str], folder: Path) -> Watched:
    """Run a command to its end. Raises RunError unless its exit status is 0."""
    taken: dict[int, float] = {}
    memory = first_memory = other_memory = disk = looks = 0
    started = time.monotonic()
    with subprocess.Popen(
        list(command),
        cwd=ROOT,
        env=clean_environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None:
            family = list(find_family(process.pid))
            for pid in family:
                taken[pid] = max(taken.get(pid, 0.0), read_seconds(pid))
            disk = max(disk, measure_folder(folder))
            if looks % MEMORY_EVERY == 1:  # not at once: the program may not be loaded yet
                first, others = read_shared(process.pid), sum(map(read_shared, family[1:]))
                memory = max(memory, first + others)
                first_memory, other_memory = max(first_memory, first), max(other_memory, others)
            looks += 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(EVERY_SECONDS)
        seconds = time.monotonic() - started
    if process.returncode:
        raise RunError(f"expected a clean run, found exit status {process.returncode}")
    return Watched(
        seconds,
        sum(taken.values()),
        taken.get(process.pid, 0.0),
        memory,
        first_memory,
        other_memory,
        disk,
    )


def measure_folder(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # moved since
            total += file.stat().st_size if file.is_file() else 0
    return total
