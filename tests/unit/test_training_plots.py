from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.training.plots import draw_calibration, draw_gains, draw_scores

RARE: dict[str, Any] = {
    "threshold": 0.000452,
    "metrics": {"at_threshold": {"reach": 0.3, "recall": 0.5}},
    "evaluation": {
        "calibration": [
            {"promised": number / 10_000, "came": number / 12_000} for number in range(1, 11)
        ],
        "histogram": {
            "edges": [number / 20_000 for number in range(26)],
            "responded": [1] * 25,
            "others": [1000] * 25,
        },
        "curve": [{"reach": number / 20, "recall": number / 20} for number in range(1, 21)],
    },
}


def make_axes() -> Axes:
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def test_the_ticks_of_rare_responses_differ() -> None:
    axes = make_axes()
    draw_calibration(axes, RARE)
    for axis in (axes.xaxis, axes.yaxis):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        assert len(labels) > 3
        assert len(set(labels)) == len(labels)


def test_ticks_of_whole_shares_have_no_decimals() -> None:
    axes = make_axes()
    draw_gains(axes, RARE)
    assert [label.get_text() for label in axes.xaxis.get_ticklabels()] == [
        "0%",
        "20%",
        "40%",
        "60%",
        "80%",
        "100%",
    ]


def test_names_a_small_threshold_with_significant_digits() -> None:
    axes = make_axes()
    draw_scores(axes, RARE)
    assert "recommended threshold 0.000452" in [line.get_label() for line in axes.get_lines()]
