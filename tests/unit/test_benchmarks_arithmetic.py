"""tools/benchmarks/arithmetic.py: medians, percentiles, ratios, turns."""

from __future__ import annotations

import pytest

from tools.benchmarks.arithmetic import (
    divide,
    find_median,
    find_percentile,
    take_no_number,
    take_turns,
)


@pytest.mark.parametrize(
    ("values", "median"), [([3.0], 3.0), ([9.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 2.0, 100.0], 3.0)]
)
def test_the_median_is_the_middle_of_the_ordered_values(values: list[float], median: float) -> None:
    assert find_median(values) == median


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.1, 100), (100, 100)]
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    percent: float, value: float
) -> None:
    assert find_percentile([float(number) for number in range(100, 0, -1)], percent) == value


@pytest.mark.parametrize(
    ("part", "whole", "ratio"),
    [(3.0, 2.0, 1.5), (0.0, 2.0, 0.0), (None, 2.0, None), (1.0, None, None), (1.0, 0.0, None)],
)
def test_a_ratio_of_what_is_missing_is_missing(
    part: float | None, whole: float | None, ratio: float | None
) -> None:
    assert divide(part, whole) == ratio


def test_contenders_take_turns_in_an_order_drawn_anew_each_round() -> None:
    asked: list[tuple[str, int]] = []

    def ask(name: str, number: int) -> str:
        asked.append((name, number))
        return f"{name}{number}"

    taken = take_turns({name: lambda number, name=name: ask(name, number) for name in "abc"}, 60)  # type: ignore[misc]
    rounds = [asked[start : start + 3] for start in range(0, len(asked), 3)]
    assert all(
        {name for name, _ in each} == set("abc") and {number for _, number in each} == {index}
        for index, each in enumerate(rounds)
    )
    assert len({tuple(name for name, _ in each) for each in rounds}) == 6
    assert taken == {name: [f"{name}{number}" for number in range(60)] for name in "abc"}


def test_a_contender_may_be_asked_in_some_of_the_rounds_only() -> None:
    taken = take_turns({"a": lambda number: number, "slow": lambda number: number}, 7, {"slow": 3})
    assert taken == {"a": list(range(7)), "slow": [0, 3, 6]}


def test_a_contender_may_ignore_the_rounds_number() -> None:
    assert take_no_number(lambda: 7)(3) == 7
