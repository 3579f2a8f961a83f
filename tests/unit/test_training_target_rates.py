"""model/training/target_rates.py: no rate comes from the outcome of the person who has it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from model.errors import SpecError
from model.features import FeatureSpec, build_matrix, read_spec
from model.kinds import Feature
from model.training.people import NO_JOIN, People, keep_features
from model.training.target_rates import ADDED, apply_rates, encode_for, freeze_rates

SHOPS = ("a", "b", "c")


def make_people(count: int = 400, seed: int = 0) -> People:
    """Half of the users have two endpoints. One person in ten has no shop, one another shop."""
    random = np.random.default_rng(seed)
    shops = random.integers(0, 4, count)
    matrix = np.column_stack([random.normal(size=count), shops]).astype(np.float32)
    matrix[::10, 1] = np.nan
    rates = np.array([0.1, 0.4, 0.7, 0.2])
    return People(
        spec=FeatureSpec(
            (
                Feature(name="n", path="Metrics.n", kind="number"),
                Feature(
                    name="shop", path="Attributes.s", kind="target_rate", options={"values": SHOPS}
                ),
            )
        ),
        matrix=matrix,
        outcomes=(random.random(count) < rates[shops]).astype(np.int64),
        join=NO_JOIN,
        groups=np.arange(count) // 2,
    )


def flip(people: People, rows: object) -> People:
    outcomes = people.outcomes.copy()
    outcomes[rows] = 1 - outcomes[rows]  # type: ignore[index]
    return replace(people, outcomes=outcomes)


def test_people_who_are_scored_have_no_part_in_their_rates() -> None:
    people = make_people()
    train, test = np.arange(300), np.arange(300, 400)
    before = encode_for(people, train, seed=1).matrix
    after = encode_for(flip(people, test), train, seed=1).matrix
    assert np.array_equal(before, after, equal_nan=True)
    assert len(np.unique(before[test, 1][~np.isnan(before[test, 1])])) == 4


def test_nor_have_people_who_are_learnt_from_or_their_other_endpoints() -> None:
    people = make_people()
    train = np.arange(300)
    before = encode_for(people, train, seed=1).matrix
    after = encode_for(flip(people, [6, 7]), train, seed=1).matrix
    assert np.array_equal(before[[6, 7]], after[[6, 7]], equal_nan=True)
    assert not np.array_equal(before[train], after[train], equal_nan=True)


def test_missing_stays_missing_and_other_columns_stay_as_they_are() -> None:
    people = make_people()
    encoded = encode_for(people, np.arange(300), seed=1)
    assert np.isnan(encoded.matrix[::10, 1]).all()
    assert np.array_equal(encoded.matrix[:, 0], people.matrix[:, 0])
    assert people.matrix[1, 1] in {0, 1, 2, 3}, "the people given are unchanged"


def test_what_is_served_is_what_was_frozen_and_survives_json() -> None:
    people = make_people()
    frozen = freeze_rates(people)
    rates = frozen.spec.features[1].options["rates"]
    first = people.matrix[:, 1] == 0
    responders, mean = people.outcomes[first].sum(), people.outcomes.mean()
    expected = (responders + ADDED * mean) / (first.sum() + ADDED)
    assert rates[0] == pytest.approx(expected, abs=1e-6)
    spec = read_spec(json.loads(json.dumps(frozen.spec.to_mapping())))
    assert spec == frozen.spec
    documents = [{"Attributes": {"s": [text]}} for text in (*SHOPS, "new")] + [{}]
    served = build_matrix(documents, spec)[:, 1]
    assert served[:4].tolist() == pytest.approx(rates)
    assert np.isnan(served[4])
    others = apply_rates(make_people(seed=2), frozen.spec)
    assert set(others.matrix[1::10, 1].tolist()) <= set(np.float32(rates).tolist())


def test_a_spec_without_such_a_feature_costs_nothing() -> None:
    people = make_people()
    spec, matrix = keep_features(people.spec, people.matrix, [True, False])
    plain = replace(people, spec=spec, matrix=matrix)
    assert encode_for(plain, np.arange(300), seed=1) is plain
    assert freeze_rates(plain) is plain
    assert apply_rates(plain, spec) is plain


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"values": ["a"], "rates": [0.5]},
            "a rate for each of the 1 values and one for any other",
        ),
        ({"rates": [0.5, 0.1]}, "a rate for each of the 0 values"),
        ({"values": ["a"], "rates": [0.5, 1.5]}, "rates to be a list of numbers from 0 to 1"),
        ({"values": ["a"], "rates": ["x", 1]}, "rates to be a list of numbers from 0 to 1"),
        ({"values": ["a"], "rates": [True, 1]}, "rates to be a list of numbers from 0 to 1"),
        ({"values": ["a"], "rates": 3}, "rates to be a list of numbers from 0 to 1"),
    ],
)
def test_rates_that_do_not_fit_the_values_are_refused(options: object, words: str) -> None:
    row = {"name": "f", "path": "Attributes.s", "kind": "target_rate"} | dict(options)  # type: ignore[call-overload]
    with pytest.raises(SpecError) as raised:
        read_spec({"feature": [row]})
    assert words in str(raised.value)
