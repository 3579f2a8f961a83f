"""segment_scorer/monitoring/chance.py: what chance does to the index, and the drift seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bins import measure_drifts
from segment_scorer.monitoring.chance import count_people_needed, estimate_chance
from segment_scorer.monitoring.drift import BinSums, Comparison, compare_sums

DECILES = (*[0.09] * 10, 0.1)
SKEWED = (0.6, 0.2, 0.1, 0.05, 0.02, 0.02, 0.01)
TWO = (0.9, 0.1)
SHIPPED = json.loads(
    (Path(__file__).parents[2] / "model" / "artifact" / "manifest.json").read_text("utf-8")
)["drift"]
COLUMNS: dict[str, dict[str, Any]] = {**SHIPPED["features"], "(score)": SHIPPED["score"]}


def shares_of(column: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    shares = np.array([*column["shares"], column["missing"]])
    whole: np.ndarray[Any, np.dtype[np.float64]] = shares / shares.sum()
    return whole


def compare_sample(people: int, seed: int) -> Comparison:
    """Compare a random sample of people like those in training with all of them."""
    random = np.random.default_rng(seed)
    bins = {
        name: random.multinomial(people, shares_of(column)).tolist()
        for name, column in COLUMNS.items()
    }
    return compare_sums("m@1", BinSums(1, bins), SHIPPED)


@pytest.mark.parametrize("shares", [DECILES, SKEWED, TWO])
@pytest.mark.parametrize("people", [10, 30, 80, 500, 50_000])
@pytest.mark.parametrize("columns", [1, 15])
def test_chance_alone_exceeds_the_noise_at_most_about_once_in_a_hundred_comparisons(
    shares: tuple[float, ...], people: int, columns: int
) -> None:
    noise = estimate_chance(shares, people, columns).noise
    drawn = np.random.default_rng(7).multinomial(people, shares, 40_000)
    assert (measure_drifts(shares, drawn) > noise).mean() <= 2 * 0.01 / columns


def test_with_many_people_chance_exceeds_the_noise_once_in_a_hundred_times_and_not_less() -> None:
    noise = estimate_chance(DECILES, 5_000, 1).noise
    drawn = np.random.default_rng(7).multinomial(5_000, DECILES, 40_000)
    assert 0.007 <= (measure_drifts(DECILES, drawn) > noise).mean() <= 0.013


def test_small_samples_of_the_training_people_are_too_few_and_never_different() -> None:
    comparisons = [compare_sample(people, seed) for people in (30, 55, 80) for seed in range(6)]
    verdicts = [comparison.verdict.split(":")[0] for comparison in comparisons]
    assert set(verdicts) == {"Too few to tell"}


def test_large_samples_of_the_training_people_are_stable() -> None:
    assert {compare_sample(5_000, seed).verdict.split(":")[0] for seed in range(9)} == {"Stable"}


@pytest.mark.parametrize("people", [30, 50, 80])
def test_few_people_without_a_value_are_different_all_the_same(people: int) -> None:
    bins = {name: [0] * len(column["shares"]) + [people] for name, column in COLUMNS.items()}
    verdict = compare_sums("m@1", BinSums(1, bins), SHIPPED).verdict
    assert verdict.startswith("Drift: ")


def shift_shares(shares: tuple[float, ...], index: float) -> list[float]:
    """Shares with the given index against `shares`: the first bin grows, the others shrink."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        moved = [shares[0] + middle * (1 - shares[0]), *((1 - middle) * s for s in shares[1:])]
        found = sum((a - e) * np.log(a / e) for a, e in zip(moved, shares, strict=True))
        low, high = (low, middle) if found > index else (middle, high)
    return moved


@pytest.mark.parametrize("shares", [DECILES, TWO])
@pytest.mark.parametrize("people", [300, 2_000])
@pytest.mark.parametrize("columns", [1, 15])
def test_a_drift_of_the_visible_size_is_found_about_four_times_in_five(
    shares: tuple[float, ...], people: int, columns: int
) -> None:
    chance = estimate_chance(shares, people, columns)
    moved = shift_shares(shares, chance.visible)
    drawn = np.random.default_rng(11).multinomial(people, moved, 20_000)
    assert 0.7 <= (measure_drifts(shares, drawn) > chance.noise).mean() <= 0.9


def test_more_columns_need_a_larger_index() -> None:
    one, many = estimate_chance(DECILES, 300, 1), estimate_chance(DECILES, 300, 100)
    assert one.noise < many.noise
    assert one.visible < many.visible


def test_the_people_needed_are_those_among_whom_the_index_becomes_visible() -> None:
    needed = count_people_needed(DECILES, 15, 0.1)
    assert 250 <= needed <= 450
    assert estimate_chance(DECILES, needed, 15).visible <= 0.1
    assert estimate_chance(DECILES, int(0.9 * needed), 15).visible > 0.1


def test_the_same_bins_give_the_same_figures() -> None:
    assert estimate_chance(DECILES, 50, 15) == estimate_chance(DECILES, 50, 15)


def test_a_column_with_one_bin_cannot_drift() -> None:
    assert estimate_chance((1.0,), 100, 1) == (0.0, 0.0)
