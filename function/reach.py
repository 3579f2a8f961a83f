"""Reach: the threshold that keeps a share of people, and the share that a threshold keeps.

Takes a bundle's score quantiles, or the decisions on a batch. Decides nothing.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from itertools import pairwise

from function.records import Decision


def threshold_for_reach(reach: float, quantiles: Sequence[float], keep: str) -> float:
    """The threshold that keeps the share `reach` (0 to 1) of the people the model was evaluated on.

    Interpolated linearly between the bundle's score quantiles.
    """
    share = 1.0 - reach if keep == "at_least" else reach
    position = share * (len(quantiles) - 1)
    for index, (low, high) in enumerate(pairwise(quantiles)):
        if position <= index + 1:
            return low + (position - index) * (high - low)
    return quantiles[-1]


def find_reached(threshold: float, quantiles: Sequence[float], keep: str, decimals: int) -> float:
    """The share of the people whom the model was evaluated on that a threshold keeps.

    Differs from the wanted reach if many of them have the same score.
    """
    scores = [round(score, decimals) for score in quantiles]
    first = bisect.bisect_left(scores, threshold)
    position = float(first)
    if 0 < first < len(scores):
        low, high = scores[first - 1], scores[first]
        position -= (high - threshold) / (high - low)
    below = min(1.0, position / (len(scores) - 1))
    return 1.0 - below if keep == "at_least" else below


def measure_reach(decisions: Sequence[Decision]) -> float | None:
    """The share of the people with a score that the rules select; None if nobody has one."""
    selected = [decision.selected for decision in decisions if decision.score is not None]
    return round(sum(map(bool, selected)) / len(selected), 4) if selected else None
