"""How many connections each worker has, and whether one should let its own come again.

Input: process ids and ports. Output: counts, and the index of a worker. Reads Linux's /proc;
elsewhere all counts are 0. Changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

ESTABLISHED = "01"  # proc(5), /proc/net/tcp: the kernel's TCP_ESTABLISHED
FEWEST_EACH = 8  # connections a worker, on average, from which they are evened out
# A worker with fewer connections than this part of the average gets more. Of 16 connections, two
# workers then have at least 5 each.
SMALLEST_PART = 0.625
EVERY = 2.0  # seconds between two looks
LONGEST_PAUSE = 300.0  # seconds between two attempts, if they keep failing


def count_connections(
    pids: Sequence[int], ports: Collection[int], root: Path = Path("/proc")
) -> list[int]:
    """Count the established connections of each process at these local ports."""
    inodes = set(_find_inodes(ports, root))
    return [sum(name in inodes for name in _list_sockets(pid, root)) for pid in pids]


def _find_inodes(ports: Collection[int], root: Path) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), (root / "net" / name).open() as lines:
            next(lines, None)
            for line in lines:
                # number local_address rem_address st ... inode; an address is HEX:PORT.
                fields = line.split()
                if fields[3] == ESTABLISHED and int(fields[1].rpartition(":")[2], 16) in ports:
                    yield fields[9]


def _list_sockets(pid: int, root: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):  # the process has just ended
        for link in (root / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(link.readlink())
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]


def find_overfull(counts: Sequence[int]) -> int | None:
    """The worker that has most connections, if another has too few; None if they are even.

    Few connections cannot be evened out, and are left alone.
    """
    average = sum(counts) / len(counts)
    if average < FEWEST_EACH or min(counts) >= SMALLEST_PART * average:
        return None
    return counts.index(max(counts))


class Evener:
    """Says when a worker should let its connections come again. It waits longer after each time.

    count  gives the connections of each worker
    """

    def __init__(self, count: Callable[[], Sequence[int]], clock: Callable[[], float]) -> None:
        self._count = count
        self._clock = clock
        self._pause = EVERY
        self._due = clock() + EVERY

    @property
    def seconds_left(self) -> float:
        """Seconds until the next look."""
        return max(0.0, self._due - self._clock())

    def look(self) -> tuple[int, Sequence[int]] | None:
        """The worker to renew, with everybody's connections; None if it is too early or even."""
        if self._clock() < self._due:
            return None
        counts = self._count()
        index = find_overfull(counts)
        self._pause = EVERY if index is None else min(2 * self._pause, LONGEST_PAUSE)
        self._due = self._clock() + self._pause
        return None if index is None else (index, counts)
