from __future__ import annotations

import pytest

from model.training.phrases import say_kept, say_money, say_profit, say_score, say_share


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
def test_says_a_share_with_digits_that_count(share: float, words: str) -> None:
    assert say_share(share) == words


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
def test_says_a_score_with_digits_that_count(score: float, words: str) -> None:
    assert say_score(score) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [(1234.5, "1,234"), (12.345, "12.35"), (-2686, "-2,686"), (0.0123, "0.012"), (0, "0.00")],
)
def test_says_money(amount: float, words: str) -> None:
    assert say_money(amount) == words


def test_says_what_a_threshold_keeps() -> None:
    assert (
        say_kept({"reach": 0.3, "precision": 0.5, "recall": 0.6})
        == "keeps 30.0% of people, of whom 50.0% respond, and 60.0% of all who respond"
    )
    assert say_kept({"reach": 0.0, "precision": None, "recall": 0.0}) == "keeps nobody"


def test_says_profit_and_names_cost_by_value_where_the_threshold_is_another() -> None:
    profit = {
        "value": 20,
        "cost": 0.5,
        "kept": 5500.2,
        "everybody": 5000,
        "break_even": 0.025,
        "at_break_even": 5600,
    }
    words = "At 20 a response and 0.5 a message it earns 5,500 per thousand people; messaging everybody 5,000, nobody 0."
    assert say_profit(profit, 0.025) == words
    assert (
        say_profit(profit, 0.3) == f"{words} Cost / value is 0.0250: a threshold there earns 5,600."
    )
