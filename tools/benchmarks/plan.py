"""How much a run of the benchmark measures. Takes what somebody asked for; gives numbers of repetitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`effort` is a share of the usual repetitions, `largest` the most endpoints of a segment; `say` hears what is being done."""

    effort: float
    largest: int
    say: Callable[[str], None]

    def count(self, usual: int, least: int = 3) -> int:
        """How often, where a whole run does it `usual` times."""
        return max(least, round(usual * self.effort))
