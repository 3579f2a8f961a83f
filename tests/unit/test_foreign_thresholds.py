"""model/training/foreign/thresholds.py: a threshold in float32 keeps the people given apart."""

from __future__ import annotations

import numpy as np
import pytest

from model.training.foreign.thresholds import Rounder


def sides(values: np.ndarray, threshold: float) -> list[bool]:
    return (values.astype(np.float32) <= np.float32(threshold)).tolist()


def round_one(values: np.ndarray, threshold: float) -> float:
    columns, thresholds = np.array([0]), np.array([threshold])
    return float(Rounder(values.reshape(-1, 1)).round(columns, thresholds)[0])


TINY = float(np.spacing(np.float32(0.1)))
CASES = {
    "a value that equals the threshold, no float32": (np.array([0.1, 0.2]), 0.1),
    "a value that equals it, and rounds up": (np.array([0.7, 0.9]), 0.7),
    "neighbouring whole numbers, halfway": (np.array([16777218.0, 16777220.0]), 16777219.0),
    "seconds since 1970, halfway": (np.array([1.7e9, 1.7e9 + 128]), 1.7e9 + 64),
    "the upper neighbour is the nearest": (
        np.array([0.1, np.float64(np.float32(0.1)) + TINY]),
        np.float64(np.float32(0.1)) + 0.6 * TINY,
    ),
    "missing values": (np.array([np.nan, 1.0, 2.5]), 1.1),
    "no value": (np.array([np.nan]), 0.3),
    "beyond float32": (np.array([1.0, 2.0]), 1e300),
}


@pytest.mark.parametrize("name", CASES)
def test_people_stay_on_their_side_of_a_threshold(name: str) -> None:
    values, threshold = CASES[name]
    rounded = round_one(values, threshold)
    assert rounded == np.float32(rounded)
    assert sides(values, rounded) == (values <= threshold).tolist()


def test_columns_are_rounded_apart() -> None:
    exact = np.array([[0.1, 1.7e9], [0.2, 1.7e9 + 128]])
    rounded = Rounder(exact).round(np.array([1, 0]), np.array([1.7e9 + 64.0, 0.1]))
    assert rounded.tolist() == [1.7e9, float(np.float32(0.1))]


def test_random_people_stay_on_their_side_of_random_thresholds() -> None:
    random = np.random.default_rng(0)
    for decimals in (1, 3, 6):
        values = np.unique(random.normal(size=300).round(decimals))
        for threshold in (*values[:-1], *((values[:-1] + values[1:]) / 2)):
            assert sides(values, round_one(values, threshold)) == (values <= threshold).tolist()
