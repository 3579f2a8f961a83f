"""What chance alone does to the population stability index (PSI), and what drift can be seen.

Takes shares of bins and numbers of people. Draws samples with a fixed seed: the same input gives
the same figures.
"""

from __future__ import annotations

import functools
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from model.bins import SMALLEST_SHARE, measure_drifts

# How often people like those in training may be called different, over all columns together.
FALSE_ALARM = 0.01
# How often a drift of size `visible` is found.
POWER = 0.8
DRAWS = 5_000
LARGEST_INDEX = 20.0  # 2 ln(1 / SMALLEST_SHARE), rounded up: no index is larger
MOST_PEOPLE = 2**40


class Chance(NamedTuple):
    """What chance does to the index of one column.

    noise    the index that people like those in training exceed with a probability of
             FALSE_ALARM / columns (Bonferroni's correction)
    visible  the smallest true index that `noise` lets pass with a probability of POWER
    """

    noise: float
    visible: float


@functools.lru_cache(maxsize=4_096)
def estimate_chance(expected: tuple[float, ...], people: int, columns: int) -> Chance:
    """Estimate what chance does to the index of `people`, one of `columns` compared at once.

    Yurdakul and Naranjo, "Statistical properties of the population stability index" (2020): the
    index is chi squared, times a scale. Where bins are expected to hold few people, their scale and
    degrees of freedom are far off, since an empty bin adds much. So both are fitted to the mean and
    the variance of samples that are drawn from `expected`.
    """
    shares = np.maximum(np.asarray(expected, dtype=np.float64), SMALLEST_SHARE)
    random = np.random.default_rng(0)
    draws = random.multinomial(people, shares / shares.sum(), DRAWS)
    indices = measure_drifts(expected, draws)
    mean, variance = float(indices.mean()), float(indices.var())
    if variance <= 0.0:  # a single bin: nothing can differ
        return Chance(0.0, 0.0)
    scale, freedom = variance / (2.0 * mean), 2.0 * mean * mean / variance
    probability = 1.0 - FALSE_ALARM / max(1, columns)
    # Of few people the index takes few values, and the fit may lie between two of them.
    drawn = float(np.quantile(indices, probability, method="higher"))
    limit = max(find_quantile(freedom, probability), drawn / scale)
    low, high = 0.0, LARGEST_INDEX / scale
    for _ in range(60):
        middle = (low + high) / 2.0
        if find_share_above(limit, freedom, middle) < POWER:
            low = middle
        else:
            high = middle
    return Chance(scale * limit, scale * high)


def count_people_needed(expected: tuple[float, ...], columns: int, index: float) -> int:
    """About how many people it takes to see a true index of `index` with a probability of POWER."""
    people = 1
    while people < MOST_PEOPLE and estimate_chance(expected, people, columns).visible > index:
        people *= 2
    low, high = people // 2, people
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        seen = estimate_chance(expected, middle, columns).visible <= index
        low, high = (low, middle) if seen else (middle, high)
    return high


def find_quantile(freedom: float, probability: float) -> float:
    """A quantile of chi squared. Wilson and Hilferty (1931): its cube root is nearly normal."""
    part = 2.0 / (9.0 * freedom)
    root = 1.0 - part + NormalDist().inv_cdf(probability) * part**0.5
    quantile: float = freedom * max(0.0, root) ** 3
    return quantile


def find_share_above(limit: float, freedom: float, shift: float) -> float:
    """The probability that noncentral chi squared exceeds `limit`; `shift` is its noncentrality.

    Abdel-Aty, "Approximate formulae for the percentage points and the probability integral of the
    non-central chi squared distribution" (1954), first approximation.
    """
    total = freedom + shift
    part = 2.0 * (freedom + 2.0 * shift) / (9.0 * total * total)
    root: float = (limit / total) ** (1.0 / 3.0)
    return 1.0 - NormalDist(1.0 - part, part**0.5).cdf(root)
