from __future__ import annotations

import pytest

from model.training.phrases import (
    UPPER_BOUND,
    describe_kept,
    describe_profit,
    format_count,
    format_money,
    format_score,
    format_share,
)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.299448, "29.9%"),
        (1.0, "100.0%"),
        (0.0, "0.0%"),
        (0.0123, "1.2%"),
        (0.0005, "0.050%"),
        (0.000452, "0.045%"),
    ],
)
def test_formats_a_share_with_significant_digits(share: float, words: str) -> None:
    assert format_share(share) == words


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.299448, "0.2994"),
        (0.0, "0.0000"),
        (1.0, "1.0000"),
        (0.000452, "0.000452"),
        (0.0452, "0.0452"),
    ],
)
def test_formats_a_score_with_significant_digits(score: float, words: str) -> None:
    assert format_score(score) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [(1234.5, "1,234"), (12.345, "12.35"), (-2686, "-2,686"), (0.0123, "0.012"), (0, "0.00")],
)
def test_formats_money(amount: float, words: str) -> None:
    assert format_money(amount) == words


def test_describes_what_a_threshold_keeps() -> None:
    assert (
        describe_kept({"reach": 0.3, "precision": 0.5, "recall": 0.6})
        == "keeps 30.0% of people; 50.0% of them respond, 60.0% of all responders"
    )
    assert describe_kept({"reach": 0.0, "precision": None, "recall": 0.0}) == "keeps no one"


def test_compares_profit_with_cost_by_value_if_the_threshold_is_another() -> None:
    profit = {
        "value": 20,
        "cost": 0.5,
        "kept": 5500.2,
        "everybody": 5000,
        "break_even": 0.025,
        "at_break_even": 5600,
    }
    text = describe_profit(profit, 0.025)
    assert "20 per response" in text
    assert "0.5 per message" in text
    assert "profit per 1,000 people is at most 5,500 at this threshold" in text
    assert "at most 5,000 if everyone is messaged" in text
    other = describe_profit(profit, 0.3)
    assert other.startswith(text.removesuffix(f" {UPPER_BOUND}"))
    assert "cost / value, 0.0250, it is at most 5,600." in other
    assert "cost / value" not in text


def test_a_profit_from_response_scores_is_called_an_upper_bound() -> None:
    """On Hillstrom, scores of messaged people said +700 a thousand where messaging lost 390."""
    profit = {
        "value": 10,
        "cost": 1,
        "kept": 700,
        "everybody": 670,
        "break_even": 0.1,
        "at_break_even": 700,
    }
    text = describe_profit(profit, 0.1)
    assert text.endswith(UPPER_BOUND)
    assert "upper bound" in UPPER_BOUND
    assert "control group" in UPPER_BOUND
    assert not {"earn", "earns", "bring", "brings"} & set(text.split())
    assert "no one 0" not in text


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 lines"), (1, "1 line"), (2_000, "2,000 lines")]
)
def test_formats_a_count_with_its_noun(count: int, words: str) -> None:
    assert format_count(count, "line") == words
