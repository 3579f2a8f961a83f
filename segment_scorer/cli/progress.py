"""Progress on stderr: a bar per stage on a terminal, otherwise a line per stage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


@contextmanager
def show_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that takes a stage, how much of it is done, and how much it is in all."""
    console = Console(stderr=True)
    if not console.is_terminal:
        printed: set[str] = set()

        def print_stage(stage: str, done: int, total: int) -> None:  # noqa: ARG001  # no bar
            if stage not in printed:
                printed.add(stage)
                print(f"{stage} ...", file=sys.stderr, flush=True)

        yield print_stage
        return
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def show_stage(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage)
            progress.update(tasks[stage], completed=done, total=total)

        yield show_stage
