"""segment_scorer/lift/phrases.py: figures in sentences."""

from __future__ import annotations

import pytest

from segment_scorer.lift.estimate import Interval
from segment_scorer.lift.phrases import (
    say_bounds,
    say_earned,
    say_effect,
    say_extra,
    say_level,
    say_people,
    say_relative,
    say_share,
    say_threshold,
)


@pytest.mark.parametrize(
    ("interval", "sentence"),
    [
        (
            Interval(0.0609, 0.0554, 0.0663),
            "61 more visits per 1,000 people messaged, between 55 and 66 (95 %).",
        ),
        (
            Interval(0.00496, 0.00353, 0.00637),
            "5.0 more visits per 1,000 people messaged, between 3.5 and 6.4 (95 %).",
        ),
        (
            Interval(-0.0609, -0.0663, -0.0554),
            "61 fewer visits per 1,000 people messaged, between 55 and 66 (95 %).",
        ),
        (
            Interval(0.015, -0.023, 0.053),
            (
                "Cannot tell whether the message changed anything: between 23 fewer and 53 more "
                "visits per 1,000 people messaged (95 %)."
            ),
        ),
        (
            Interval(0.011, 0.0002, 0.022),
            "11.0 more visits per 1,000 people messaged, between 0.2 and 22.0 (95 %).",
        ),
    ],
)
def test_the_effect_is_one_sentence(interval: Interval, sentence: str) -> None:
    assert say_effect(interval, "visits") == sentence


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (Interval(0.5735, 0.5052, 0.6448), ("57 % more", "between 51 % and 64 %")),
        (Interval(-0.3, -0.4, -0.2), ("30 % fewer", "between 20 % and 40 %")),
        (Interval(0.02, -0.04, 0.08), ("4 % fewer and 8 % more", "+2 %")),
    ],
)
def test_the_relative_effect(interval: Interval, words: tuple[str, ...]) -> None:
    assert all(word in say_relative(interval) for word in words)


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (Interval(2599.0, 2367.0, 2832.0), "2,599 extra visits from 42,694 people messaged"),
        (Interval(-20.0, -30.0, -10.0), "20 visits lost among 42,694 people messaged"),
        (Interval(5.0, -30.0, 40.0), "between 30 fewer and 40 more visits"),
    ],
)
def test_responses_in_all(interval: Interval, words: str) -> None:
    assert words in say_extra(interval, 42_694, "visits")


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (Interval(500.0, 300.0, 700.0), "earned 500, between 300 and 700"),
        (Interval(-500.0, -700.0, -300.0), "lost 500, between 300 and 700"),
        (Interval(100.0, -300.0, 500.0), "between a loss of 300 and a gain of 500"),
    ],
)
def test_what_was_earned(interval: Interval, words: str) -> None:
    assert words in say_earned(interval)


def test_bounds_of_nothing_are_nothing() -> None:
    assert say_bounds(Interval(0.0, 0.0, 0.0)) == ("0", "0", "0")


def test_small_words() -> None:
    assert (say_people(1), say_people(1200)) == ("1 person is", "1,200 people are")
    assert (say_share(0.167), say_share(0.0057), say_share(0.0)) == ("16.7 %", "0.57 %", "0.0 %")
    assert (say_level(0.95), say_level(1 - 0.05 / 3)) == ("95 %", "98.33 %")
    assert say_threshold(0.021) == "21 per 1,000 people (2.1 points)"
    assert say_threshold(0.3154, binary=False) == "315 per 1,000 people"
