"""How many cores this process may use: the machine's, less what the scheduler or a quota denies."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def count_cores(root: Path = Path("/")) -> int:
    """Number of cores that this process may use, at least 1. Part of a core counts as one.

    root  where /proc and /sys are
    """
    cores = len(os.sched_getaffinity(0))
    return max(1, min([cores, *(math.ceil(quota) for quota in find_quotas(root))]))


def find_quotas(root: Path) -> Iterator[float]:
    """CPU quotas of this process's control groups and of those above them, in cores.

    Source: Linux, "Control Group v2" (cpu.max) and "CFS Bandwidth Control" (version 1).
    """
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                for folder in find_folders(root / "sys/fs/cgroup", path):
                    yield from read_quota(folder / "cpu.max")
            elif "cpu" in controllers.split(","):
                for folder in find_folders(root / "sys/fs/cgroup" / controllers, path):
                    yield from read_quota(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us")


def find_folders(base: Path, path: str) -> Iterator[Path]:
    """The folder of a control group, and those above it. A container may see only some of them."""
    group = PurePosixPath(path.lstrip("/"))
    yield from (base / step for step in (group, *group.parents))


def read_quota(*files: Path) -> Iterator[float]:
    """Read a quota and its period, both in microseconds. Nothing without a quota (max, -1)."""
    with suppress(OSError, ValueError):
        quota, period = map(int, " ".join(file.read_text() for file in files).split())
        if quota > 0 and period > 0:
            yield quota / period
