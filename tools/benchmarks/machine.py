"""The machine of a run: processor, system, versions and load. Reads /proc; measures nothing."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
NAMED = ("numpy", "onnxruntime", "msgspec", "awslambdaric", "grpcio")


def name_processor() -> str:
    """The processor as the system names it."""
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def read_memory() -> float:
    """Gigabytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def read_packages() -> dict[str, str]:
    """Versions of the packages that a figure depends on."""
    return {name: importlib.metadata.version(name) for name in NAMED}


def read_load() -> float:
    """The load average of one minute."""
    return os.getloadavg()[0]


def read_processor_seconds(pids: Iterable[int]) -> float:
    """Processor seconds that the living threads of processes have used.

    From Linux's scheduler, in nanoseconds: /proc/PID/stat counts hundredths of a second.
    """
    threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(each.read_text("ascii").split()[0]) for each in threads) / 1e9


def read_seconds(pid: int) -> float:
    """Processor seconds of a process, ended threads included; 0 if it has ended."""
    with contextlib.suppress(OSError):
        # pid (name) state ...; utime and stime are the 14th and 15th field.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0
