"""One log line a minute: the same numbers as the metrics, of the minute that has passed."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from segment_scorer.service.log import write_log
from segment_scorer.service.meter import BUCKETS, MeterSums

SECONDS = 60.0


class Minutes:
    """Writes what was counted since the line before.

    counts  what all processes have counted
    pids    the processes that serve
    """

    def __init__(
        self,
        counts: Callable[[], MeterSums],
        pids: Callable[[], Sequence[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counts = counts
        self._pids = pids
        self._clock = clock
        self._began = clock()
        self._earlier = counts()

    @property
    def seconds_left(self) -> float:
        """Seconds until the next line is due; never below 0."""
        return max(0.0, self._began + SECONDS - self._clock())

    def write_if_due(self, facts: Mapping[str, Any]) -> None:
        """Write a line if a minute is over."""
        if not self.seconds_left:
            self.write(facts)

    def write(self, facts: Mapping[str, Any]) -> None:
        """Write a line now, of the time since the last one. `facts` name the model."""
        now, counts = self._clock(), self._counts()
        fields = describe(counts.since(self._earlier))
        taken = round(now - self._began, 3)
        process = measure_processes(self._pids())
        write_log(logging.INFO, "minute", seconds=taken, **fields, **process, **facts)
        self._began, self._earlier = now, counts


def describe(counts: MeterSums) -> dict[str, Any]:
    """The numbers of a line. Durations in milliseconds; quantiles are limits of buckets."""
    calls: dict[str, dict[str, int]] = {}
    for (method, status), count in counts.calls.items():
        calls.setdefault(method, {})[status] = count
    return {
        "calls": calls,
        "rows": counts.rows,
        "queue": counts.queue,
        "refusals": {reason: count for reason, count in counts.refusals.items() if count},
        "milliseconds": describe_durations(counts.durations, counts.seconds),
    }


def describe_durations(durations: Sequence[int], seconds: float) -> dict[str, float | None]:
    """Mean, and the limits of the buckets that hold the median and the 99th percentile.

    Empty without inferences; a quantile in the last bucket, which has no limit, is None.
    """
    count = sum(durations)
    if not count:
        return {}
    limits: list[float | None] = [*(limit * 1000 for limit in BUCKETS), None]
    sums = list(accumulate(durations))

    def find(share: float) -> float | None:
        return next(
            limit for limit, sum_ in zip(limits, sums, strict=True) if sum_ >= share * count
        )

    return {
        "mean": round(seconds / count * 1000, 3),
        "median_below": find(0.5),
        "p99_below": find(0.99),
    }


def measure_processes(pids: Sequence[int]) -> dict[str, Any]:
    """Processor seconds and resident memory in MB of processes; nothing where /proc is missing.

    Source: proc(5), /proc/pid/stat: fields 14, 15 and 24.
    """
    ticks, pages = 0, 0
    try:
        for pid in pids:
            text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
            fields = text.rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            pages += int(fields[21])
        page = os.sysconf("SC_PAGE_SIZE")
        cpu = round(ticks / os.sysconf("SC_CLK_TCK"), 2)
    except (OSError, ValueError, IndexError):
        return {}
    return {"cpu_seconds": cpu, "resident_mb": round(pages * page / 1e6, 1)}
