"""Measurements in, medians and ratios out; and the order in which contenders take turns. Never reads a clock."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def find_median(values: Sequence[float]) -> float:
    """The median; the mean of the two in the middle of an even number."""
    return statistics.median(values)


def find_percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` percent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def divide(part: float | None, whole: float | None) -> float | None:
    """How many times `whole` goes into `part`; None when one of them is missing or the whole is 0."""
    return None if part is None or not whole else part / whole


def take_turns(contenders: Mapping[str, Callable[[int], T]], rounds: int) -> dict[str, list[T]]:
    """Ask every contender once a round, so that what else the machine does meets all of them alike.

    The order is drawn anew each round (the same in every run): whoever always came after the heaviest would find the caches cold.
    """
    order = random.Random(0)  # noqa: S311  # nothing secret
    taken: dict[str, list[T]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in order.sample(list(contenders), len(contenders)):
            taken[name].append(contenders[name](number))
    return taken


def take_no_number(call: Callable[[], T]) -> Callable[[int], T]:
    """A contender to whom the round's number means nothing."""
    return lambda _: call()
