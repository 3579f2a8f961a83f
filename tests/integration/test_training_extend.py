"""model/training/extend.py: features made of others are added where they help out of fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.training.candidates import Sample
from model.training.extend import extend_inference
from model.training.infer import write_features
from tests.extend_people import by_nothing, by_ratio, by_shop, make_sample

pytestmark = pytest.mark.usefixtures("undrawn")


def extend(sample: Sample) -> Any:
    return extend_inference(sample, np.arange(len(sample.documents)), None, seed=0)


@pytest.mark.parametrize(
    ("outcome", "names"),
    [(by_ratio, {"visits_per_spend", "visits_minus_spend"}), (by_shop, {"shop_rate"})],
)
def test_a_feature_that_helps_out_of_fold_is_added_and_named(outcome: Any, names: set[str]) -> None:
    sample = make_sample(outcome)
    extension = extend(sample)
    before = {feature.name for feature in sample.inference.spec.features}
    added = {feature.name for feature in extension.inference.spec.features} - before
    assert added & names
    assert "raise the ROC AUC out of fold from" in extension.sentence
    text = write_features(extension.inference)
    assert 'kind = "ratio"' in text or 'kind = "difference"' in text or "target_rate" in text
    assert "values =" not in text
    assert "rates =" not in text


def test_features_that_do_not_help_are_not_added_and_the_trial_is_named() -> None:
    sample = make_sample(by_nothing)
    extension = extend(sample)
    assert extension.inference == sample.inference
    assert extension.sentence.endswith("none ranks people better")
