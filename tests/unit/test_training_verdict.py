from __future__ import annotations

import numpy as np
import pytest

from model.training.verdict import (
    Finding,
    Gain,
    combine,
    compare_scores,
    count_needed,
    judge,
)


@pytest.mark.parametrize(
    ("gain", "finding"),
    [
        (Gain(0.0, 0.0, 0.0), Finding.EQUAL),
        (Gain(0.01, -0.005, 0.02), Finding.EQUAL),
        (Gain(-0.003, -0.004, -0.002), Finding.EQUAL),
        (Gain(-0.0034, -0.018, 0.009), Finding.UNCLEAR),
        (Gain(0.004, -0.006, 0.014), Finding.UNCLEAR),
        (Gain(-0.015, -0.027, -0.003), Finding.WORSE),
    ],
)
def test_a_model_passes_only_where_the_whole_interval_is_within_the_margin(
    gain: Gain, finding: Finding
) -> None:
    assert judge(gain, 0.005) is finding


def test_one_figure_that_is_worse_makes_the_model_worse() -> None:
    assert combine([Finding.EQUAL, Finding.UNCLEAR, Finding.WORSE]) is Finding.WORSE
    assert combine([Finding.EQUAL, Finding.UNCLEAR]) is Finding.UNCLEAR
    assert combine([Finding.EQUAL]) is Finding.EQUAL


def test_says_how_many_responders_would_tell() -> None:
    # The half width, 0.0135, has to shrink to 0.0034, a quarter: sixteen times as many responders.
    assert count_needed(Gain(-0.0034, -0.0169, 0.0101), 0.005, 100) == 1_577
    assert count_needed(Gain(0.0, -0.01, 0.01), 0.005, 100) == 400


def test_only_people_unknown_to_the_old_model_show_that_the_new_one_is_worse() -> None:
    random = np.random.default_rng(0)
    outcomes = random.integers(0, 2, 400)
    good = np.clip(0.5 + (outcomes - 0.5) * 0.4 + random.normal(0, 0.2, 400), 0, 1)
    poor = random.random(400)
    found = {
        fair: compare_scores(
            poor, good, outcomes, np.arange(400), margin=0.005, seed=0, by="", where="", fair=fair
        )
        for fair in (True, False)
    }
    assert found[True].finding is Finding.WORSE
    assert "its ROC AUC is lower by 0." in found[True].reasons[0]
    assert found[False].finding is Finding.UNCLEAR
    better = compare_scores(
        good, poor, outcomes, np.arange(400), margin=0.005, seed=0, by="", where="", fair=False
    )
    assert better.finding is Finding.EQUAL
