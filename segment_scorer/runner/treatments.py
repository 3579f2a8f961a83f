"""Splits users between treatments by lot. Text of the option in, the treatment of a user out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from function.holdout import Holdout
from function.records import Endpoint
from segment_scorer.runner.errors import OptionError

MOST_TREATMENTS = 20
LONGEST_NAME = 64
EXPECTED = (
    "--treatments: expected names with their percent of users, such as 0:50,1:50, "
    "2 to 20 of them, each once, 100 in all"
)


def read_treatments(text: str) -> tuple[tuple[str, float], ...]:
    """Each treatment's name, and the share of users below which it ends. Raises OptionError."""
    ends: list[tuple[str, float]] = []
    total = Fraction(0)
    for part in text.split(","):
        name, _, percent = part.strip().rpartition(":")
        try:
            share = Fraction(percent) if len(percent) <= 20 else Fraction(0)
        except (ValueError, ZeroDivisionError) as error:
            raise OptionError(EXPECTED) from error
        if not name or len(name) > LONGEST_NAME or not name.isprintable() or share <= 0:
            raise OptionError(EXPECTED)
        total += share
        ends.append((name, float(total / 100)))
    names = {name for name, _ in ends}
    if total != 100 or len(names) < len(ends) or not 2 <= len(ends) <= MOST_TREATMENTS:
        raise OptionError(EXPECTED)
    return tuple(ends)


def draw_treatment(
    id_: str, document: dict[str, Any], ends: Sequence[tuple[str, float]], salt: str
) -> str:
    """The treatment of an endpoint's user: drawn as the holdout is, with a salt of its own."""
    lot = Holdout(percent=100.0, salt=f"treatment\0{salt}")
    drawn = lot.draw(Endpoint(id=id_, document=document))
    return next((name for name, end in ends if drawn < end), ends[-1][0])
