"""The machine of a run: processor, system, versions and load. Reads /proc; measures nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

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
    """Processor seconds that living processes have used, of all their threads."""
    # proc(5): fields 14 and 15 are user and system time. Field 2 may hold spaces.
    fields = [
        Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        for pid in pids
    ]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")
