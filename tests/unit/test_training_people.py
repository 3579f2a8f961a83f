from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.errors import DataError
from model.features import FeatureSpec, build_matrix
from model.kinds import Feature
from model.training.people import drop_absent, hash_to_fraction, is_reserved, reserve_users
from tests.training_people import make_scored

VISITS = FeatureSpec((Feature(name="visits", path="Metrics.Visits", kind="number"),))


def test_leaves_out_a_feature_that_few_people_have_with_all_its_columns() -> None:
    spec = FeatureSpec(
        (
            Feature(
                name="plan", path="Attributes.Plan", kind="category", options={"values": ("free",)}
            ),
            *VISITS.features,
        )
    )
    documents = [
        {"Metrics": {"Visits": index}, "Attributes": {"Plan": "free"} if index < 19 else {}}
        for index in range(100)
    ]
    kept, matrix, left_out = drop_absent(spec, build_matrix(documents, spec))
    assert kept == VISITS
    assert matrix[:, 0].tolist() == list(range(100))
    assert matrix.shape == (100, 1)
    assert left_out == ("plan: fewer than 20 people have it",)
    documents[50]["Attributes"] = {"Plan": "pro"}
    assert drop_absent(spec, build_matrix(documents, spec))[0] == spec


def test_refuses_a_spec_whose_paths_hold_nothing() -> None:
    with pytest.raises(
        DataError,
        match="expected a feature that at least 20 people have, found no such feature",
    ):
        drop_absent(VISITS, build_matrix([{}] * 100, VISITS))


def test_reserves_the_same_users_every_time_with_all_their_endpoints() -> None:
    names = [f"user user-{number}" for number in range(1_000)]
    fractions = np.array([hash_to_fraction(name) for name in names])
    assert 0.15 < (fractions < 0.2).mean() < 0.25
    assert [
        is_reserved({"User": {"UserId": f"user-{number}"}}, "an endpoint", 0.2)
        for number in range(1_000)
    ] == (fractions < 0.2).tolist()
    spec, outcomes = VISITS, np.arange(2_000) // 2 % 2
    matrix = np.arange(2_000, dtype=np.float32).reshape(-1, 1)
    people = replace(
        make_scored(matrix, outcomes, spec, groups=np.arange(2_000) // 2),
        fractions=np.repeat(fractions, 2),
    )
    learnt, aside = reserve_users(people, 0.2)
    assert set(learnt.matrix[:, 0].astype(int) // 2).isdisjoint(aside.matrix[:, 0].astype(int) // 2)
    assert len(learnt.outcomes) + len(aside.outcomes) == 2_000
    assert aside.groups.max() + 1 == len(aside.outcomes) / 2
    with pytest.raises(
        DataError,
        match="at least 25 reserved people with each outcome, found 4 with outcome 1 and 0",
    ):
        reserve_users(people, 0.001)
