"""Figures in, sentences out."""

from __future__ import annotations

import math

from segment_scorer.lift.estimate import Effect, Interval


def say_people(count: int) -> str:
    """`1 person is`, `2 people are`."""
    return "1 person is" if count == 1 else f"{count:,} people are"


def say_share(share: float) -> str:
    """A share in percent, with a digit more where it is small."""
    return f"{100 * share:.{1 if share >= 0.01 or share == 0.0 else 2}f} %"


def say_level(confidence: float) -> str:
    """A confidence level: `95 %`, `98.33 %`."""
    return f"{100 * confidence:.2f}".rstrip("0").rstrip(".") + " %"


def say_rate(rate: float, *, binary: bool) -> str:
    """What a group did: `16.7 %`, or a mean amount."""
    return say_share(rate) if binary else f"{rate:,.{find_decimals(rate / 100)}f}"


def say_threshold(difference: float, *, binary: bool = True) -> str:
    """A difference as people say it: `21 per 1,000 people (2.1 points)`."""
    text = f"{say_number(1000 * difference, 100 * difference)} per 1,000 people"
    return text + (f" ({100 * difference:.1f} points)" if binary else "")


def say_effect(difference: Interval, name: str) -> str:
    """The effect in one sentence, for 1,000 people messaged."""
    scaled = difference.scale(1000.0)
    value, low, high = say_bounds(scaled)
    if scaled.low > 0.0:
        return f"{value} more {name} per 1,000 people messaged, between {low} and {high} (95 %)."
    if scaled.high < 0.0:
        return f"{value} fewer {name} per 1,000 people messaged, between {high} and {low} (95 %)."
    return (
        "Cannot tell whether the message changed anything: between "
        f"{low} fewer and {high} more {name} per 1,000 people messaged (95 %)."
    )


def say_relative(relative: Interval) -> str:
    """The effect in percent of what the control group did."""
    value, low, high = (abs(100.0 * x) for x in (relative.value, relative.low, relative.high))
    if relative.low > 0.0:
        return f"{value:.0f} % more than without the message, between {low:.0f} % and {high:.0f} %."
    if relative.high < 0.0:
        return (
            f"{value:.0f} % fewer than without the message, between {high:.0f} % and {low:.0f} %."
        )
    return (
        f"Compared with no message: between {low:.0f} % fewer and {high:.0f} % more "
        f"(estimate {100.0 * relative.value:+.0f} %)."
    )


def say_extra(extra: Interval, messaged: int, name: str) -> str:
    """How many responses the messages added in all."""
    value, low, high = say_bounds(extra)
    if extra.low > 0.0:
        return f"{value} extra {name} from {messaged:,} people messaged, between {low} and {high}."
    if extra.high < 0.0:
        return f"{value} {name} lost among {messaged:,} people messaged, between {high} and {low}."
    return f"In all {messaged:,} people messaged: between {low} fewer and {high} more {name}."


def say_earned(earned: Interval) -> str:
    """What the campaign earned or lost."""
    value, low, high = say_bounds(earned)
    if earned.low > 0.0:
        return f"The campaign earned {value}, between {low} and {high} (95 %)."
    if earned.high < 0.0:
        return f"The campaign lost {value}, between {high} and {low} (95 %)."
    return f"The campaign earned anything between a loss of {low} and a gain of {high} (95 %)."


def say_unclear(effect: Effect, *, binary: bool) -> str:
    """What could not have been seen; "" where an effect was shown."""
    if effect.difference.low > 0.0 or effect.difference.high < 0.0:
        return ""
    return (
        f"An effect below {say_threshold(effect.detectable, binary=binary)} would not be seen "
        "with groups of this size."
    )


def say_bounds(interval: Interval) -> tuple[str, str, str]:
    """Value and bounds without their signs; the interval's half has two digits or more."""
    decimals = find_decimals((interval.high - interval.low) / 4.0)
    ends = [abs(x) for x in (interval.low, interval.high) if x]
    while decimals < 6 and any(round(end, decimals) == 0.0 for end in ends):
        decimals += 1
    value, low, high = (
        f"{abs(x):,.{decimals}f}" for x in (interval.value, interval.low, interval.high)
    )
    return value, low, high


def say_number(value: float, precision: float) -> str:
    """A number with as many decimals as `precision` deserves."""
    return f"{value:,.{find_decimals(precision)}f}"


def find_decimals(precision: float) -> int:
    """Decimals that show a quantity known to about `precision`."""
    if precision <= 0.0 or not math.isfinite(precision):
        return 0
    return min(6, max(0, math.ceil(-math.log10(precision))))
