"""How much a run of the benchmark measures: effort and size in, repetitions out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure.

    effort   share of the usual repetitions
    largest  most endpoints of a segment
    say      is called with the name of each step
    """

    effort: float
    largest: int
    say: Callable[[str], None]

    def count(self, usual: int, least: int = 3) -> int:
        """Repetitions of a step that a full run repeats `usual` times."""
        return max(least, round(usual * self.effort))
