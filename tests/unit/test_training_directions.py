from __future__ import annotations

import numpy as np
import pytest

from model.features import FeatureSpec
from model.kinds import Feature
from model.training.directions import add_directions, describe_trace, name_shape, trace_features

SPEC = FeatureSpec(
    (
        Feature(name="visits", path="Metrics.Visits", kind="number"),
        Feature(name="empty", path="Metrics.Empty", kind="number"),
        Feature(
            name="plan",
            path="Attributes.Plan",
            kind="category",
            options={"values": ("free", "pro")},
        ),
    )
)


def test_traces_each_feature_through_the_model_with_the_others_as_they_are() -> None:
    random = np.random.default_rng(0)
    matrix = np.full((200, 5), np.nan, dtype=np.float32)
    matrix[:, 0] = random.integers(0, 11, 200)
    matrix[:, 2:] = np.eye(3, dtype=np.float32)[random.integers(0, 3, 200)]
    traces = trace_features(
        lambda rows: 0.1 + 0.05 * rows[:, 0].astype(float) + 0.2 * rows[:, 3], matrix, SPEC, 0
    )
    assert list(traces) == ["visits", "plan"], "a feature without a value has no direction"
    visits, plan = traces["visits"], traces["plan"]
    assert visits["shape"] == "rises"
    steps = np.diff(visits["scores"]) / np.diff(visits["at"])
    assert steps == pytest.approx([0.05] * len(steps), abs=1e-6)
    assert plan["at"][:2] == ["free", "pro"]
    assert plan["scores"][1] - plan["scores"][0] == pytest.approx(0.2, abs=1e-6)
    assert " for pro" in describe_trace(plan)
    assert describe_trace(visits).startswith("rises: ")
    rows = [{"name": "visits"}, {"name": "empty"}]
    add_directions(rows, traces)
    assert [describe_trace(row["direction"]) != "" for row in rows] == [True, False]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "shape"),
    [
        ([0.1, 0.2, 0.3], "rises"),
        ([0.3, 0.2, 0.2, 0.1], "falls"),
        ([0.1, 0.3, 0.1], "rises, then falls"),
        ([0.3, 0.1, 0.3], "falls, then rises"),
        ([0.1, 0.3, 0.1, 0.3], "goes up and down"),
        ([0.3, 0.3001, 0.2999], "hardly moves the score"),
    ],
)
def test_names_the_shape_of_a_curve(scores: list[float], shape: str) -> None:
    assert name_shape(scores) == shape
