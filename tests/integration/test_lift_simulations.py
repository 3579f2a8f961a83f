"""The simulations of `make prove-lift`: the committed ones hold, and a few run here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from segment_scorer.lift.breakdown import break_down
from segment_scorer.lift.estimate import MOST_SKEW, estimate_effect
from tests.unit.test_lift_breakdown import COUNT, code, make_users
from tools.prove_lift import CAMPAIGNS, OUT, Simulation, simulate_all
from tools.simulated_campaigns import USERS, make_amounts, make_responses, spread_endpoints

COMMITTED = json.loads(OUT.read_text("utf-8"))["simulations"]


def test_every_committed_claim_was_simulated_2000_times_and_holds() -> None:
    for row in COMMITTED:
        assert row["campaigns"] == CAMPAIGNS == 2000
        low, high = row["expected"]
        assert low <= row["share"] <= high, row["claim"]


@pytest.fixture(scope="module")
def small() -> list[Simulation]:
    return list(simulate_all(60))


def test_the_committed_claims_are_those_that_are_simulated(small: list[Simulation]) -> None:
    assert [(each.claim, list(each.expected)) for each in small] == [
        (row["claim"], row["expected"]) for row in COMMITTED
    ]


def test_a_few_campaigns_agree_with_the_committed_ones(small: list[Simulation]) -> None:
    for found, row in zip(small, COMMITTED, strict=True):
        spread = (row["share"] * (1 - row["share"]) / 60) ** 0.5
        assert abs(found.share - row["share"]) <= 4.5 * spread + 1e-9, found.claim


def test_the_truth_is_what_it_is_said_to_be() -> None:
    assert make_responses(0.1, 0.06).truth == pytest.approx(0.06, abs=0.01)
    assert make_amounts(0.0).truth == 0.0


def test_amounts_are_simulated_on_both_sides_of_the_warning() -> None:
    assert make_amounts(0.3).draw(0).skew < MOST_SKEW
    assert make_amounts(0.3, buyers=0.1, users=USERS).draw(0).skew > MOST_SKEW


def test_users_with_several_endpoints_count_once() -> None:
    population = make_responses(0.1, 0.06)
    owner = spread_endpoints(USERS)
    assert population.draw_by_user(3, owner) == population.draw(3)
    held_out = np.random.default_rng(3).random(USERS)[owner] < 0.1
    endpoints = np.where(held_out, population.without[owner], population.message[owner])
    naive = estimate_effect(endpoints[~held_out], endpoints[held_out], binary=True).difference
    true = population.draw(3).difference
    assert naive.high - naive.low < 0.7 * (true.high - true.low)


def test_rows_that_are_alike_are_said_to_differ_in_5_percent_of_campaigns() -> None:
    users = make_users(bands=code([0, 1, 2]))
    differs = 0
    for seed in range(400):
        drawn = make_users(
            messaged=np.random.default_rng(seed).random(COUNT) > 0.25,
            outcomes=users.outcomes,
            bands=users.bands,
            scores=np.full(COUNT, np.nan),
        )
        differs += bool(break_down(drawn, binary=True)["band"].differs)
    assert 8 <= differs <= 34  # 20 expected; 4 standard deviations on either side
