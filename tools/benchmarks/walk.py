"""Whether a walk gets dearer as it goes on: a run's checkpoints in, a ratio of its thirds out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from segment_scorer.runner.writing.names import CHECKPOINT, UNFINISHED

# With fewer marks a third would be less than one checkpoint.
LEAST = 4


class Mark(NamedTuple):
    """How far a run is at a checkpoint.

    people   endpoints in the outputs
    seconds  processor time of all its processes so far
    """

    people: int
    seconds: float


def read_people(out: Path) -> int:
    """Endpoints at the last checkpoint of a run into a folder; 0 before the first and at the end.

    The runner replaces the file whole.
    """
    try:
        entry = json.loads((out / UNFINISHED / CHECKPOINT).read_bytes())
    except FileNotFoundError:
        return 0
    return int(entry["counts"].get("received", 0))


def compare_thirds(marks: Sequence[Mark]) -> float | None:
    """Processor time an endpoint in the last third, of that in the first; None for few marks.

    A third ends at the checkpoint nearest to it. The walk is taken from the first mark, since the
    start of the command is before it, to the last but one: the last is seen at the command's end.
    """
    if len(marks) <= LEAST:
        return None
    first, *_, last, _ = marks
    marks = marks[:-1]
    third = (last.people - first.people) / 3
    early = find_nearest(marks[1:], first.people + third)
    late = find_nearest(marks[:-1], last.people - third)
    return cost(late, last) / cost(first, early)


def find_nearest(marks: Sequence[Mark], people: float) -> Mark:
    """The mark nearest to a number of people."""
    return min(marks, key=lambda mark: abs(mark.people - people))


def cost(before: Mark, after: Mark) -> float:
    """Processor seconds an endpoint between two marks."""
    return (after.seconds - before.seconds) / (after.people - before.people)
