"""Rates of responses are no features of an uplift model; the other features stay."""

from __future__ import annotations

import numpy as np
import pytest

from model.errors import DataError
from model.features import FeatureSpec
from model.kinds import Feature
from model.training.audit import Audit
from model.training.feature_choice import FeatureChoice
from model.training.train import Material
from model.training.uplift.train import leave_out_rates
from tests.training_people import make_scored

VISITS = Feature(name="visits", path="Metrics.Visits", kind="number")
SHOP = Feature(name="shop", path="Attributes.Shop", kind="target_rate", options={"values": ("a",)})


def make_material(*features: Feature) -> Material:
    spec = FeatureSpec(features)
    matrix = np.arange(6 * len(features), dtype=np.float32).reshape(6, -1)
    people = make_scored(matrix, np.array([0, 1] * 3), spec)
    return Material(
        people=people,
        reserved=people,
        audit=Audit(alone={}, leaks=(), notices=()),
        choice=FeatureChoice(spec=spec),
        left_out=("Id: an identifier",),
        responded=3,
    )


def test_a_rate_of_responses_is_left_out_with_its_reason_and_its_column() -> None:
    before = make_material(SHOP, VISITS)
    after = leave_out_rates(before)
    assert after.left_out == (
        "Id: an identifier",
        "shop: a rate of responses says who responds, not whom the message moves",
    )
    assert after.reserved is not None
    for people in (after.people, after.reserved):
        assert people.spec.columns == ("visits",)
        assert people.matrix[:, 0].tolist() == before.people.matrix[:, 1].tolist()


def test_features_without_rates_stay_as_they_are() -> None:
    before = make_material(VISITS)
    assert leave_out_rates(before) is before


def test_rates_alone_are_refused() -> None:
    with pytest.raises(DataError, match="expected a feature besides rates of responses"):
        leave_out_rates(make_material(SHOP))
