"""Campaigns without an effect, judged a range of seeds at a time; ranges merged into one result.

A range is a file of its own, so that ranges can be judged by several processes, or on several days.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tools.simulated_uplift import draw_campaign, judge_campaign, no_effect

EVERY = 10  # campaigns between two sentences


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which campaigns of the seeds `start` to `stop` - 1 are claimed to have an effect."""

    revision: str
    people: int
    start: int
    stop: int
    claimed: tuple[int, ...]


class RangeError(Exception):
    """Ranges that do not make one result."""


def parse_seeds(text: str) -> tuple[int, int]:
    """0:50 -> (0, 50): the seeds 0 to 49. Raises ArgumentTypeError."""
    start, colon, stop = text.partition(":")
    if not (colon and start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
        raise argparse.ArgumentTypeError("expected FIRST:AFTER_LAST, such as 0:50")
    return int(start), int(stop)


def judge_range(
    start: int, stop: int, people: int, revision: str, report: Callable[[str], None]
) -> Range:
    """Judge one campaign without an effect for each seed."""
    claimed: list[int] = []
    for seed in range(start, stop):
        if judge_campaign(draw_campaign(seed, people, no_effect), seed).claims:
            claimed.append(seed)
        done = seed + 1 - start
        if done % EVERY == 0 or seed + 1 == stop:
            report(f"no effect, seeds {start} to {seed}: {len(claimed)} of {done} claim one")
    return Range(revision=revision, people=people, start=start, stop=stop, claimed=tuple(claimed))


def write_range(part: Range, path: Path) -> None:
    """Write a range as JSON."""
    path.write_text(json.dumps(msgspec.to_builtins(part), indent=2) + "\n", "utf-8")


def read_range(path: Path) -> Range:
    """Read what `write_range` wrote. Raises RangeError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Range)
    except msgspec.MsgspecError as error:
        raise RangeError(f"{path}: expected a range of seeds: {error}") from error


def merge_ranges(parts: Sequence[Range], campaigns: int, most: int) -> dict[str, Any]:
    """The ranges as one result of the seeds 0 to `campaigns` - 1, of which `most` may claim.

    Raises RangeError unless each seed is there once, with as many people and at one commit.
    """
    if len({(part.revision, part.people) for part in parts}) != 1:
        raise RangeError("expected ranges of one commit and of as many people each")
    reached = 0
    for part in sorted(parts, key=lambda part: part.start):
        if part.start != reached:
            raise RangeError(
                f"expected a range that begins with seed {reached}, found {part.start}"
            )
        reached = part.stop
    if reached != campaigns:
        raise RangeError(f"expected seeds up to {campaigns - 1}, found them up to {reached - 1}")
    claimed = sorted(seed for part in parts for seed in part.claimed)
    return {
        "revision": parts[0].revision,
        "campaigns": campaigns,
        "people": parts[0].people,
        "claimed": len(claimed),
        "claimed_by_seeds": claimed,
        "most": most,
        "holds": len(claimed) <= most,
    }
