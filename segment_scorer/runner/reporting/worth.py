"""What a response is worth, what a message costs and what it changes: for the report's profit.

Input: the run's options, and a `lift.json`. Output: numbers, and a sentence on where they are from.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from model.errors import name_failure
from segment_scorer.runner.config import RunConfig, RunOptions
from segment_scorer.runner.errors import DataError, OptionError

HIGHEST_EFFECT = 10.0  # 1,000 % more responses
EFFECT = re.compile(r"([+-]?[0-9.]+(?:e-?[0-9]+)?)\s*(%?)", re.IGNORECASE)


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """None: not given.

    value   of a response
    cost    of a message
    effect  by how many percent a message raises responses; source: a sentence on who measured it
    """

    value: float | None = None
    cost: float | None = None
    effect: float | None = None
    source: str = ""


def read_worth(options: RunOptions) -> Worth:
    """Read --value, --cost, --effect and --lift. Raises OptionError or DataError."""
    for name, amount in (("--value", options.value), ("--cost", options.cost)):
        if amount is not None and not 0.0 <= amount < float("inf"):
            raise OptionError(f"{name}: expected a number of 0 or more, found another number")
    if options.effect is not None and options.lift is not None:
        raise OptionError("--effect, --lift: expected one of them, found both")
    effect, source = None, ""
    if options.effect is not None:
        effect = read_effect(options.effect)
    elif options.lift is not None:
        effect, source = read_lift(options.lift)
    percent = None if effect is None else round(100.0 * effect, 6)
    return Worth(value=options.value, cost=options.cost, effect=percent, source=source)


def check_worth(worth: Worth, config: RunConfig) -> None:
    """Refuse figures that the scores of this run have no use for. Raises OptionError."""
    if config.score.is_uplift and worth.effect is not None:
        raise OptionError(
            "--effect, --lift: expected none, since uplift scores are effects already"
        )
    if config.keep == "below" and worth != Worth():
        raise OptionError(
            "--value, --cost, --effect, --lift: expected none, since the policy keeps low scores "
            "(keep = below) and unwanted events have no profit"
        )


def read_effect(text: str) -> float:
    """`0.2` or `20%` as a share. Raises OptionError."""
    expected = "--effect: expected a share such as 0.2, or 20%"
    found = EFFECT.fullmatch(text.strip())
    try:
        share = float(found[1]) / (100.0 if found[2] else 1.0) if found else None
    except ValueError:
        share = None
    if share is None:
        raise OptionError(f"{expected}, found other text")
    if not -1.0 <= share <= HIGHEST_EFFECT:
        raise OptionError(f"{expected}, from -100% to 1000%, found a number out of range")
    return share


def read_lift(path: Path) -> tuple[float, str]:
    """The relative effect in a `lift.json`, and a sentence on it. Raises DataError."""
    expected = f"--lift {path}: expected the lift.json of segment-scorer lift"
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{expected}, found: {name_failure(error)}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{expected}, found other text") from error
    if not isinstance(content, dict) or "relative" not in content:
        raise DataError(f"{expected}, with the key relative, found none")
    if content["relative"] is None:
        raise DataError(
            f"--lift {path}: expected a relative effect, found none: the control group had too few "
            "responses to compare with. Estimate the effect yourself: --effect"
        )
    low, value, high = (read_share(content["relative"], key) for key in ("low", "value", "high"))
    if low is None or value is None or high is None or not -1.0 <= value <= HIGHEST_EFFECT:
        raise DataError(f"{expected}, with numbers in relative, found something else")
    unclear = "" if low > 0.0 or high < 0.0 else " It may be none at all."
    return value, (
        f"Measured by segment-scorer lift on an earlier campaign: {value:+.1%}, with a 95 % "
        f"interval from {low:+.1%} to {high:+.1%}.{unclear}"
    ).replace("%", " %").replace("95  %", "95 %")


def read_share(interval: Any, key: str) -> float | None:
    """A number of an interval; None if it is none."""
    found = interval.get(key) if isinstance(interval, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if abs(found) < float("inf") else None
