"""segment_scorer/lift/estimate.py: figures agree with tea-tasting and published examples."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tea_tasting

from segment_scorer.lift.estimate import (
    Interval,
    compare_few,
    compare_means,
    compare_ratio,
    estimate_effect,
    find_detectable,
    measure_skew,
)

DATA = Path(__file__).parents[2] / "examples" / "hillstrom" / "hillstrom.csv.gz"
Amounts = npt.NDArray[np.float64]


def make_group(responses: int, people: int) -> Amounts:
    return np.array([1.0] * responses + [0.0] * (people - responses))


@pytest.fixture(scope="module")
def campaign() -> list[dict[str, str]]:
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("treated", [None, "Mens E-Mail", "Womens E-Mail"])
@pytest.mark.parametrize("outcome", ["visit", "conversion", "spend"])
def test_agrees_with_tea_tasting_on_a_real_campaign(
    campaign: list[dict[str, str]], outcome: str, treated: str | None
) -> None:
    rows = [row for row in campaign if row["segment"] in {"No E-Mail", treated} or treated is None]
    values = np.array([float(row[outcome]) for row in rows])
    messaged = np.array([row["segment"] != "No E-Mail" for row in rows])
    ours = estimate_effect(values[messaged], values[~messaged], binary=outcome != "spend")
    # Its own aggregation of a table is left out: its variance changes from call to call (1.14).
    groups = {
        int(sent): tea_tasting.aggr.Aggregates(
            count_=int((messaged == sent).sum()),
            mean_={"outcome": float(values[messaged == sent].mean())},
            var_={"outcome": float(values[messaged == sent].var(ddof=1))},
        )
        for sent in (False, True)
    }
    expected: Any = tea_tasting.Mean("outcome").analyze(groups, control=0, treatment=1)
    assert ours.relative is not None
    assert (ours.messaged_rate, ours.control_rate) == pytest.approx(
        (expected.treatment, expected.control), abs=1e-6
    )
    for interval, name in ((ours.difference, "effect_size"), (ours.relative, "rel_effect_size")):
        assert interval.value == pytest.approx(getattr(expected, name), abs=1e-6)
        assert interval.low == pytest.approx(getattr(expected, f"{name}_ci_lower"), abs=1e-6)
        assert interval.high == pytest.approx(getattr(expected, f"{name}_ci_upper"), abs=1e-6)


def test_any_mail_brought_61_visits_a_thousand(campaign: list[dict[str, str]]) -> None:
    values = np.array([float(row["visit"]) for row in campaign])
    messaged = np.array([row["segment"] != "No E-Mail" for row in campaign])
    found = estimate_effect(values[messaged], values[~messaged], binary=True).difference
    assert found.value == pytest.approx(0.0609, abs=5e-5)
    assert (found.high - found.low) / 2 == pytest.approx(0.0054, abs=5e-5)


@pytest.mark.parametrize(
    ("one", "two", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_own_examples(
    one: tuple[int, int], two: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998, table II, method 10."""
    found = compare_few(make_group(*one), make_group(*two), 0.95)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("responses", "few"), [(9, True), (10, False), (391, True), (390, False)])
def test_few_responses_or_few_without_one_take_newcombes_interval(
    responses: int, few: bool
) -> None:
    messaged, control = make_group(200, 400), make_group(responses, 400)
    found = estimate_effect(messaged, control, binary=True)
    assert found.approximate is few
    other = compare_few if few else compare_means
    assert found.difference == other(messaged, control, 0.95)


def test_amounts_never_take_newcombes_interval() -> None:
    found = estimate_effect(make_group(1, 40) * 7.5, make_group(2, 40), binary=False)
    assert not found.approximate


def test_a_higher_confidence_is_a_wider_interval() -> None:
    groups = make_group(60, 400), make_group(40, 400)
    normal, strict = (
        estimate_effect(*groups, binary=True, confidence=level) for level in (0.95, 0.995)
    )
    assert strict.difference.low < normal.difference.low
    assert strict.difference.high > normal.difference.high


def test_no_ratio_without_a_response() -> None:
    assert compare_ratio(make_group(5, 40), make_group(0, 40), 0.95) is None
    assert compare_ratio(make_group(0, 40), make_group(5, 40), 0.95) is None


def test_equal_amounts_have_no_width() -> None:
    same = np.full(30, 5.0)
    assert compare_means(same, same, 0.95) == Interval(0.0, 0.0, 0.0)
    assert compare_ratio(same * 2, same, 0.95) == Interval(1.0, 1.0, 1.0)


def test_the_detectable_effect_is_2_8_standard_errors() -> None:
    messaged, control = make_group(1000, 10_000), make_group(100, 1000)
    error = math.sqrt(0.09 / 10_000 + 0.09 / 1000)
    assert find_detectable(messaged, control, binary=True) == pytest.approx(
        2.8016 * error, rel=5e-3
    )
    amounts = np.tile([0.0, 10.0], 500)
    error = math.sqrt(2 * amounts.var(ddof=1) / 1000)
    assert find_detectable(amounts, amounts, binary=False) == pytest.approx(
        2.8016 * error, rel=1e-4
    )


def test_without_any_response_something_is_still_detectable() -> None:
    found = find_detectable(make_group(0, 1000), make_group(0, 100), binary=True)
    assert 0.0 < found < 0.05


def test_a_small_control_group_makes_the_difference_of_uneven_amounts_skewed() -> None:
    amounts = np.random.default_rng(0).lognormal(3.0, 1.0, 4000)
    assert measure_skew(amounts, amounts) == 0.0
    assert measure_skew(amounts, amounts[:200]) > 0.1
    assert measure_skew(amounts, amounts[:2000]) < 0.1
    assert measure_skew(np.zeros(50), np.zeros(50)) == 0.0


def test_scaling_an_interval_moves_all_of_it() -> None:
    assert Interval(1.0, 0.5, 2.0).scale(10.0, -3.0) == Interval(7.0, 2.0, 17.0)
