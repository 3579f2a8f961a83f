"""Progress of long work on stderr: stages and how much of each is done in, bars or lines out. Knows nothing of the work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


@contextmanager
def show_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr for each stage; where stderr is no terminal, a line for each stage."""
    console = Console(stderr=True)
    if not console.is_terminal:
        told: set[str] = set()

        def tell(stage: str, done: int, total: int) -> None:  # noqa: ARG001  # a log gets no bar
            if stage not in told:
                told.add(stage)
                print(f"{stage} ...", file=sys.stderr, flush=True)

        yield tell
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage)
            progress.update(tasks[stage], completed=done, total=total)

        yield show
