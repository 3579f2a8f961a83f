"""Progress on stderr: a bar per stage on a terminal, otherwise lines, with the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LEAST_SECONDS = 2.0  # between two lines
STEP = 10  # percent between two lines of a stage


@contextmanager
def show_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that takes a stage, how much of it is done, and how much it is in all."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield StageLines().tell
        return
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def show_stage(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage)
            progress.update(tasks[stage], completed=done, total=total)

        yield show_stage


@dataclass(slots=True)
class _Stage:
    """When a stage began, and the percent that was told last."""

    began: float
    told: int = 0


@dataclass(slots=True)
class StageLines:
    """Lines for a log: the start of each stage, then each tenth of it, with about the time left.

    A line comes at most every two seconds, so a quick stage has only its first one.
    """

    clock: Callable[[], float] = time.monotonic
    stages: dict[str, _Stage] = field(default_factory=dict)
    last: float = 0.0

    def tell(self, stage: str, done: int, total: int) -> None:
        """Print a line if it is time for one."""
        now = self.clock()
        known = self.stages.get(stage)
        if known is None:
            self.stages[stage] = _Stage(now)
            self._print(f"{stage} ...", now)
            return
        percent = 100 * done // total if total else 0
        if percent < known.told + STEP or percent >= 100 or now - self.last < LEAST_SECONDS:
            return
        known.told = percent - percent % STEP
        left = (now - known.began) * (total - done) / done
        self._print(f"{stage} {percent} %, {describe_seconds(left)} left", now)

    def _print(self, line: str, now: float) -> None:
        self.last = now
        print(line, file=sys.stderr, flush=True)


def describe_seconds(seconds: float) -> str:
    """About 40 s, about 3 min: no more digits than an estimate has."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min"
