"""model/training: features made of others are suggested for every kind, and kept if they help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.kinds import KINDS
from model.training import feature_choice as choice
from model.training.candidates import Sample, suggest_features
from model.training.extend import LEAST_TRIED, extend_inference
from model.training.people import Outcomes
from tests.extend_people import by_ratio, make_sample

# Only a spec that a person writes has these.
GIVEN_ONLY = {"code"}


def extend(sample: Sample) -> Any:
    return extend_inference(sample, np.arange(len(sample.documents)), None, seed=0)


def test_every_kind_is_inferred_or_suggested_and_reads_what_it_names() -> None:
    features = suggest_features(make_sample(by_ratio))
    suggested = {feature.kind for feature in features}
    inferred = {name for name, kind in KINDS.items() if kind.inferred}
    assert suggested | inferred | GIVEN_ONLY == set(KINDS)
    assert not suggested & inferred
    paths = {feature.name: feature.paths for feature in features}
    assert paths["visits_per_spend"] == ("Metrics.Visits", "Metrics.Spend")
    assert paths["first_since_last"] == ("Attributes.First", "Attributes.Last")
    assert paths["first_weekday"] == ("Attributes.First",)
    assert paths["shop_rate"] == ("Attributes.Shop",)
    assert paths["note_present"] == ("Attributes.Note",)
    assert len(paths) == len(features), "every name once"


def test_nothing_is_tried_on_few_people() -> None:
    count = LEAST_TRIED * 2 - 2
    extension = extend(make_sample(by_ratio, count))
    assert extension.sentence == ""


def test_the_outcomes_of_reserved_users_have_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Outcomes] = []

    def note(sample: Sample, groups: Any, *_: Any) -> Any:
        seen.append(sample.outcomes)
        assert len(groups) == len(sample.documents) == len(sample.outcomes)
        raise InterruptedError

    monkeypatch.setattr(choice, "extend_inference", note)
    matches = [
        choice.Match({"Id": f"p{index}", "Metrics": {"m": index}}, f"p{index}")
        for index in range(500)
    ]
    table = choice.OutcomeTable(key="Id", outcomes={f"p{index}": index % 2 for index in range(500)})
    for reserve in (0.0, 0.4):
        request = choice.InferenceRequest(endpoints=[], outcomes=table, seed=0, reserve=reserve)
        with pytest.raises(InterruptedError):
            choice.extend_from(request, matches, make_sample(by_ratio, 40).inference)
    assert len(seen[0]) == 500
    assert 250 < len(seen[1]) < 350
