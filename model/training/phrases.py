"""Shares, scores, money and counts as text, with as many digits as are significant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

GIVEN = "given"  # `held_out` of figures of people given, not held out of a training
UPPER_BOUND = (
    "These are upper bounds: they count every response as an effect of its message. A control "
    "group shows the effect: see `segment-scorer lift`."
)


def format_share(share: float) -> str:
    """29.9%, 0.045%: one decimal, or two significant digits if one decimal would hide them."""
    return f"{share * 100:.{find_decimals(share * 100, 1, 2)}f}%"


def format_score(score: float) -> str:
    """0.2994, 0.000452: four decimals, or three significant digits."""
    return f"{score:.{find_decimals(score, 4, 3)}f}"


def format_money(amount: float) -> str:
    """1,234, 12.34 or 0.012."""
    return f"{amount:,.{0 if abs(amount) >= 1_000 else find_decimals(amount, 2, 2)}f}"


def format_count(count: int, singular: str, plural: str = "") -> str:
    """1 line, 2,000 lines."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def find_decimals(number: float, least: int, digits: int) -> int:
    """How many decimals show `digits` significant digits of a number, but at least `least`."""
    if number == 0 or abs(number) >= 1:
        return least
    return max(least, digits - 1 - math.floor(math.log10(abs(number))))


def describe_kept(at: Mapping[str, Any]) -> str:
    """What a threshold keeps; `at` is `metrics.at_threshold` of a manifest."""
    if at["precision"] is None:
        return "keeps no one"
    reach, precision, recall = (format_share(at[name]) for name in ("reach", "precision", "recall"))
    return f"keeps {reach} of people; {precision} of them respond, {recall} of all responders"


def describe_profit(profit: Mapping[str, float], threshold: float) -> str:
    """An upper bound of the profit per 1,000 people; `profit` is `evaluation.profit` of a manifest.

    A response score predicts who responds, messaged or not. Responses that come without a message
    are counted here as if the message had caused them.
    """
    text = (
        f"With {profit['value']:g} per response and {profit['cost']:g} per message, the profit per "
        f"1,000 people is at most {format_money(profit['kept'])} at this threshold, and at most "
        f"{format_money(profit['everybody'])} if everyone is messaged."
    )
    if abs(profit["break_even"] - threshold) >= 1e-6:
        text += (
            f" At the threshold cost / value, {format_score(profit['break_even'])}, it is at most "
            f"{format_money(profit['at_break_even'])}."
        )
    return f"{text} {UPPER_BOUND}"


def describe_unused(data: Mapping[str, Any]) -> str:
    """The endpoints, outcomes and lines that the join did not use."""
    return ", ".join(
        [
            format_count(
                data["without_outcome"],
                "endpoint without an outcome",
                "endpoints without an outcome",
            ),
            format_count(
                data["without_endpoint"],
                "outcome without an endpoint",
                "outcomes without an endpoint",
            ),
            format_count(data["repeated"], "repeated endpoint"),
            format_count(data["refused"], "unreadable line"),
        ]
    )
