"""Medians and ratios of measurements, and the order in which contenders take turns.

Reads no clock.
"""

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
    """The `percent` percentile, by nearest rank."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def divide(part: float | None, whole: float | None) -> float | None:
    """`part` divided by `whole`; None if one of them is missing or `whole` is 0."""
    return None if part is None or not whole else part / whole


def take_turns(
    contenders: Mapping[str, Callable[[int], T]], rounds: int, seldom: Mapping[str, int] = {}
) -> dict[str, list[T]]:
    """Ask every contender once in each round, so that other load on the machine affects all alike.

    Each round has another order, the same in every run. In a fixed order, one contender would
    always find the caches that the heaviest left cold.

    seldom  contender -> N: asked only in each Nth round, the first included. For one that takes far
            longer than the others, and whose ratio is far from its bound
    """
    order = random.Random(0)  # noqa: S311  # nothing secret
    taken: dict[str, list[T]] = {name: [] for name in contenders}
    for number in range(rounds):
        asked = [name for name in contenders if number % seldom.get(name, 1) == 0]
        for name in order.sample(asked, len(asked)):
            taken[name].append(contenders[name](number))
    return taken


def take_no_number(call: Callable[[], T]) -> Callable[[int], T]:
    """A contender that ignores the number of the round."""
    return lambda _: call()
