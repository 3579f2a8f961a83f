"""Outcomes of two groups in, differences with 95 % intervals out. Knows no file and no sentence."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import stats

Amounts = npt.NDArray[np.float64]

CONFIDENCE = 0.95
POWER = 0.8
# With fewer responses, or fewer people without one, the normal approximation is poor.
FEW = 10
MOST_SKEW = 0.1


class Interval(msgspec.Struct, frozen=True):
    """An estimate and its confidence interval."""

    value: float
    low: float
    high: float

    def scale(self, factor: float, offset: float = 0.0) -> Interval:
        """The interval of `factor` (0 or more) times the quantity plus `offset`."""
        return Interval(
            self.value * factor + offset, self.low * factor + offset, self.high * factor + offset
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the message changed in a group of people.

    messaged, control    users
    messaged_rate, control_rate   share that responded, or mean amount a user
    difference           messaged_rate - control_rate
    relative             difference / control_rate; None where that cannot be estimated
    detectable           the difference that this many people would show in 80 % of campaigns
    approximate          whether there were too few responses, and Newcombe's method was used
    skew                 see `measure_skew`; 0 for 0/1
    """

    messaged: int
    control: int
    messaged_rate: float
    control_rate: float
    difference: Interval
    relative: Interval | None
    detectable: float
    approximate: bool = False
    skew: float = 0.0


def estimate_effect(
    messaged: Amounts, control: Amounts, *, binary: bool, confidence: float = CONFIDENCE
) -> Effect:
    """Compare two groups, each of two users or more.

    The difference of means or shares has Welch's interval ("The generalization of Student's
    problem when several different population variances are involved", Biometrika 34, 1947), by
    scipy. With fewer than 10 responses, or 10 people without one, in either group, it has
    Newcombe's (see `compare_few`). The numbers agree with tea-tasting's `Mean`.
    """
    few = binary and min(_count_rarer(messaged), _count_rarer(control)) < FEW
    compare = compare_few if few else compare_means
    return Effect(
        messaged=len(messaged),
        control=len(control),
        messaged_rate=float(messaged.mean()),
        control_rate=float(control.mean()),
        difference=compare(messaged, control, confidence),
        relative=compare_ratio(messaged, control, confidence),
        detectable=find_detectable(messaged, control, binary=binary),
        approximate=few,
        skew=0.0 if binary else measure_skew(messaged, control),
    )


def compare_means(messaged: Amounts, control: Amounts, confidence: float) -> Interval:
    """Difference of means with Welch's interval."""
    with warnings.catch_warnings():
        # Nearly equal values lose digits; the figures come out the same.
        warnings.simplefilter("ignore", RuntimeWarning)
        bounds = stats.ttest_ind(messaged, control, equal_var=False).confidence_interval(confidence)
    value = float(messaged.mean() - control.mean())
    low, high = float(bounds.low), float(bounds.high)
    return Interval(value, low, high) if math.isfinite(low) else Interval(value, value, value)


def compare_few(messaged: Amounts, control: Amounts, confidence: float) -> Interval:
    """Difference of two shares with Newcombe's interval, for few responses.

    Method 10 of R. G. Newcombe, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17, 1998, from Wilson's intervals by scipy.
    """
    one, two = _find_wilson(messaged, confidence), _find_wilson(control, confidence)
    value = one.value - two.value
    return Interval(
        value,
        value - math.hypot(one.value - one.low, two.high - two.value),
        value + math.hypot(one.high - one.value, two.value - two.low),
    )


def compare_ratio(messaged: Amounts, control: Amounts, confidence: float) -> Interval | None:
    """Ratio of means minus 1, with an interval by the delta method on its logarithm.

    D. Katz et al., "Obtaining confidence intervals for the risk ratio in cohort studies",
    Biometrics 34, 1978, with Welch's degrees of freedom. None where a mean is not above 0.
    """
    means = float(messaged.mean()), float(control.mean())
    if min(means) <= 0.0:
        return None
    variances = [
        float(group.var(ddof=1)) / len(group) / mean**2
        for group, mean in zip((messaged, control), means, strict=True)
    ]
    total = sum(variances)
    if total == 0.0:
        return Interval(*(means[0] / means[1] - 1.0,) * 3)
    shares = zip(variances, (len(messaged), len(control)), strict=True)
    freedom = total**2 / sum(variance**2 / (count - 1) for variance, count in shares)
    half = float(stats.t.ppf((1.0 + confidence) / 2.0, freedom)) * math.sqrt(total)
    ratio = means[0] / means[1]
    return Interval(ratio - 1.0, ratio * math.exp(-half) - 1.0, ratio * math.exp(half) - 1.0)


def find_detectable(messaged: Amounts, control: Amounts, *, binary: bool) -> float:
    """The smallest difference that groups of this size and spread show with 80 % power.

    Two-sided at 5 %: (z of 0.975 + z of 0.8) standard errors (J. Cohen, "Statistical power
    analysis for the behavioral sciences", 1988).
    """
    groups = (messaged, control)
    if binary:  # half a response is added, so that a group without any has a spread too
        shares = [(float(group.sum()) + 0.5) / (len(group) + 1) for group in groups]
        spreads = [share * (1.0 - share) for share in shares]
    else:
        spreads = [float(group.var(ddof=1)) for group in groups]
    error = math.sqrt(sum(s / len(group) for s, group in zip(spreads, groups, strict=True)))
    return sum_quantiles() * error


def measure_skew(messaged: Amounts, control: Amounts) -> float:
    """Skewness of the difference, were nothing changed: 0 = symmetric, as Welch's interval has it.

    The first term of its Edgeworth expansion (P. Hall, "The bootstrap and Edgeworth expansion",
    1992). Above 0.1 a nominal 5 % of false alarms was 5.5 to 7 % (docs/lift-simulations.json).
    """
    both = np.concatenate([messaged, control])  # a small group alone would hide its long tail
    if both.min() == both.max():
        return 0.0
    one, two = 1.0 / len(messaged), 1.0 / len(control)
    share = abs(one**2 - two**2) / (one + two) ** 1.5
    return float(abs(float(stats.skew(both))) * share)


def sum_quantiles(alpha: float = 1.0 - CONFIDENCE, power: float = POWER) -> float:
    """How many standard errors an effect must be, to be seen with that power."""
    return float(stats.norm.ppf(1.0 - alpha / 2.0) + stats.norm.ppf(power))


def _count_rarer(group: Amounts) -> int:
    """Responses, or people without one, whichever is fewer."""
    responses = int(group.sum())
    return min(responses, len(group) - responses)


def _find_wilson(group: Amounts, confidence: float) -> Interval:
    """A share with Wilson's interval."""
    test: Callable[..., Any] = stats.binomtest
    found = test(int(group.sum()), len(group))
    bounds = found.proportion_ci(confidence, method="wilson")
    return Interval(float(group.mean()), float(bounds.low), float(bounds.high))
