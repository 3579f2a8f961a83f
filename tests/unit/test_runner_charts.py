"""The specifications of the charts, before a browser draws them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from segment_scorer.runner.reporting.charts import chart_drift, chart_scores, make_charts

alt: Any = import_module("altair")


def explorer_of(*scores: tuple[int, int]) -> dict[str, Any]:
    axis = {"low": 0.0, "high": 1.0}
    return {"scores": list(scores), "threshold": None, "keep": "at_least", **axis}


@pytest.mark.parametrize(
    ("bucket", "low"), [(5800, 0.58), (5799, 0.56), (2900, 0.28), (0, 0.0), (10_000, 0.98)]
)
def test_a_score_on_the_border_of_two_bins_is_in_the_upper_one(bucket: int, low: float) -> None:
    spec = chart_scores(alt, explorer_of((bucket, 7))).to_dict()
    (values,) = [layer["data"]["values"] for layer in spec["layer"] if "y" in layer["encoding"]]
    assert [(row["from"], row["people"]) for row in values] == [(low, 7)]


@pytest.mark.parametrize(("index", "end"), [(0.03, 0.3), (0.8, 0.8)])
def test_a_stable_column_looks_like_one_beside_the_limits(index: float, end: float) -> None:
    spec = chart_drift(alt, [{"name": "a", "index": index, "verdict": "stable"}], None).to_dict()
    bars, rules = spec["layer"]
    assert (
        bars["encoding"]["x"]["scale"]["domain"]
        == rules["encoding"]["x"]["scale"]["domain"]
        == [0, end]
    )
    assert [row["at"] for row in rules["data"]["values"]] == [0.1, 0.25]


def test_a_runs_unchecked_charts_are_what_vega_lites_schema_allows() -> None:
    explorer = explorer_of((2900, 3), (5800, 7))
    data = {
        "summary": {"received": 12, "kept": 7, "failed": 2},
        "filtered": [{"reason": "score", "people": 3}],
        "explorer": {**explorer, "unwanted": "", "uplift": False},
        "groups": {"channel": [{"name": "EMAIL", "people": 10, "kept": 7}], "country": []},
        "drift": {"columns": [{"name": "a", "index": 0.2, "verdict": "shifted"}]},
        "times": {"histogram": [{"ms": 1.5, "calls": 4}]},
    }
    charts = make_charts(data, checked=True)
    assert set(charts) == {"reach", "histogram", "curve", "by-channel", "drift", "times"}
    assert make_charts(data) == charts
