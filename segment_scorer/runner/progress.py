"""How far a run has come, for a progress bar: numbers, told to whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# Receives what is done so far, and all that there is to do.
Progress: TypeAlias = Callable[[int, int], None]
# Receives the number of people that one more step has passed over.
Watch: TypeAlias = Callable[[int], None]


class Steps:
    """Adds up the people that each step after the last chunk passes over."""

    def __init__(self, progress: Progress, total: int) -> None:
        """`total` is the number of people, times the number of steps."""
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, people: int) -> None:
        """A step has passed over so many more people."""
        self._done += people
        self._progress(min(self._done, self._total), self._total)


def ignore_progress(_: int, __: int) -> None:
    """Show nothing."""


def ignore_people(_: int) -> None:
    """Count nothing."""
