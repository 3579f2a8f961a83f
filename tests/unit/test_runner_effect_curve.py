"""The chart of what fewer messages bring."""

from __future__ import annotations

from segment_scorer.runner.reporting.docstrings import import_altair
from segment_scorer.runner.reporting.effect_curve import POINTS, Point, chart_extra, trace_extra

EXPLORER = {"scores": [(-200, 100), (0, 50), (300, 100), (500, 200)], "within": 0.0}


def test_the_curve_rises_with_the_best_and_falls_with_those_put_off() -> None:
    assert trace_extra(EXPLORER) == [
        Point(0, 0.0),
        Point(200, 10.0),
        Point(300, 13.0),
        Point(350, 13.0),
        Point(450, 11.0),
    ]


def test_the_curve_ends_with_everybody_and_has_few_points() -> None:
    scores = [(bucket, 1) for bucket in range(-3000, 3000)]
    points = trace_extra({"scores": scores, "within": 0.5})
    assert points[-1].people == 6000
    assert len(points) <= POINTS + 2


def test_the_chart_holds_the_curve_and_the_level_of_everybody() -> None:
    chart = chart_extra(import_altair(), EXPLORER).to_dict()
    values = [layer["data"]["values"] for layer in chart["layer"]]
    assert [{"extra": 11.0}] in values
    assert {"people": 300, "extra": 13.0} in values[-1]
