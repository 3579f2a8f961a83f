"""tools/benchmarks/walk.py: whether a walk gets dearer, by the checkpoints of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from segment_scorer.runner.writing.names import CHECKPOINT, UNFINISHED
from tools.benchmarks.walk import Mark, compare_thirds, read_people


def walk(costs: list[float], *, start: float = 50.0, end: float = 70.0) -> list[Mark]:
    """Marks of 100 people each; `start` and `end` are seconds of the command besides the walk."""
    marks, seconds = [Mark(100, start)], start
    for number, each in enumerate(costs, start=2):
        seconds += 100 * each
        marks.append(Mark(100 * number, seconds))
    return [*marks, Mark(marks[-1].people + 1, seconds + end)]


def test_a_walk_whose_cost_does_not_grow_has_equal_thirds() -> None:
    assert compare_thirds(walk([2.0] * 9)) == pytest.approx(1.0)


def test_a_walk_that_gets_dearer_shows_by_how_much() -> None:
    assert compare_thirds(walk([2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0])) == pytest.approx(2.0)


def test_a_third_ends_at_the_nearest_checkpoint() -> None:
    # 400 people: thirds of 133, so one checkpoint each.
    assert compare_thirds(walk([1.0, 5.0, 5.0, 3.0])) == pytest.approx(3.0)


def test_a_run_of_few_checkpoints_has_no_thirds() -> None:
    assert compare_thirds([]) is None
    assert compare_thirds(walk([2.0, 2.0])) is None
    assert compare_thirds(walk([2.0, 2.0, 2.0])) == pytest.approx(1.0)


def test_the_people_of_a_run_are_those_of_its_last_checkpoint(tmp_path: Path) -> None:
    assert read_people(tmp_path) == 0
    (tmp_path / UNFINISHED).mkdir()
    file = tmp_path / UNFINISHED / CHECKPOINT
    file.write_text('{"counts": {}}', "utf-8")
    assert read_people(tmp_path) == 0
    file.write_text('{"counts": {"received": 5000}}', "utf-8")
    assert read_people(tmp_path) == 5000
