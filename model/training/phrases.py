"""Shares, scores and money in, words for people out: as many digits as tell something, however rare responders are. Knows no figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def say_share(share: float) -> str:
    """29.9%, 0.045%: one decimal, or two digits that count where one decimal would hide them."""
    return f"{share * 100:.{find_decimals(share * 100, 1, 2)}f}%"


def say_score(score: float) -> str:
    """0.2994, 0.000452: four decimals, or three digits that count."""
    return f"{score:.{find_decimals(score, 4, 3)}f}"


def say_money(amount: float) -> str:
    """1,234, 12.34 or 0.012."""
    return f"{amount:,.{0 if abs(amount) >= 1_000 else find_decimals(amount, 2, 2)}f}"


def find_decimals(number: float, least: int, digits: int) -> int:
    """How many decimals show so many digits that count, `least` at least."""
    return (
        least
        if number == 0
        else max(least, digits - 1 - math.floor(math.log10(abs(number))) if abs(number) < 1 else 0)
    )


def say_kept(at: Mapping[str, Any]) -> str:
    """What a threshold keeps: `metrics.at_threshold` of a manifest."""
    if at["precision"] is None:
        return "keeps nobody"
    reach, precision, recall = (say_share(at[name]) for name in ("reach", "precision", "recall"))
    return f"keeps {reach} of people, of whom {precision} respond, and {recall} of all who respond"


def say_profit(profit: Mapping[str, float], threshold: float) -> str:
    """What a thousand people bring by this threshold, and by messaging everybody or nobody: `evaluation.profit` of a manifest."""
    words = (
        f"At {profit['value']:g} a response and {profit['cost']:g} a message it earns {say_money(profit['kept'])} "
        f"per thousand people; messaging everybody {say_money(profit['everybody'])}, nobody 0."
    )
    if abs(profit["break_even"] - threshold) < 1e-6:
        return words
    return f"{words} Cost / value is {say_score(profit['break_even'])}: a threshold there earns {say_money(profit['at_break_even'])}."
