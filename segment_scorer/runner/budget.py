"""A budget: how many of the selected users a run messages. Text in, a number of users out."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from segment_scorer.runner.errors import OptionError


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How many selected users stay: a number, or a share of them in percent."""

    users: int | None = None
    percent: str | None = None

    def count(self, selected: int) -> int:
        """How many of the selected users stay. A share is rounded to a whole number, half up."""
        if self.users is not None:
            return min(self.users, selected)
        return int(Fraction(self.percent or "0") * selected / 100 + Fraction(1, 2))

    def describe(self) -> str:
        """The budget for people to read."""
        if self.users is not None:
            return f"{self.users:,}"
        return f"{float(Fraction(self.percent or '0')):g} %"

    @property
    def option(self) -> str:
        """The budget as `--budget` takes it."""
        if self.users is not None:
            return str(self.users)
        return f"{float(Fraction(self.percent or '0')):.15g}%"


def read_budget(text: str) -> Budget:
    """Read `--budget`: a whole number, or a share such as `30%`. Raises OptionError."""
    expected = "--budget: expected a whole number of users from 1, or a share such as 30%"
    number = text.strip().replace("_", "").replace(",", "")
    try:
        if number.endswith("%"):
            share = Fraction(number[:-1].strip())
            if len(number) <= 20 and 0 < share <= 100:
                return Budget(percent=str(share))
        elif number.isascii() and number.isdigit() and len(number) <= 12 and int(number) > 0:
            return Budget(users=int(number))
    except (ValueError, ZeroDivisionError) as error:
        raise OptionError(expected) from error
    raise OptionError(expected)
