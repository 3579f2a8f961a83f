from __future__ import annotations

import pytest

from segment_scorer.cli.progress import StageLines, describe_seconds


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_tells_percent_and_the_time_left_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = StageLines(clock)
    for done in range(0, 101, 5):
        lines.tell("cross-validating", done, 100)
        clock.now += 3.0
    printed = capsys.readouterr().err.splitlines()
    assert printed[:3] == [
        "cross-validating ...",
        "cross-validating 10 %, about 54 s left",
        "cross-validating 20 %, about 48 s left",
    ]
    assert printed[-1] == "cross-validating 90 %, about 6 s left"


def test_a_quick_stage_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = StageLines(clock)
    for stage in ("reading", "fitting"):
        for done in range(101):
            lines.tell(stage, done, 100)
            clock.now += 0.001
    assert capsys.readouterr().err.splitlines() == ["reading ...", "fitting ..."]


def test_a_stage_of_unknown_size_is_no_division_by_zero(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = StageLines(clock)
    for _ in range(3):
        lines.tell("reading", 0, 0)
        clock.now += 60
    assert capsys.readouterr().err == "reading ...\n"


def test_says_no_more_digits_than_an_estimate_has() -> None:
    assert [describe_seconds(seconds) for seconds in (0.2, 12.4, 130.0, 3_601.0)] == [
        "about 1 s",
        "about 12 s",
        "about 2 min",
        "about 60 min",
    ]
