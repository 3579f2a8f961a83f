"""The report's charts as Vega-Lite specifications, made by altair.

Input: the data that `report` gathered. Output: specifications that the page draws.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from segment_scorer.monitoring.drift import DIFFERENT, SHIFTED
from segment_scorer.runner.reporting.colours import BASE, INK, KEPT, OUT
from segment_scorer.runner.reporting.docstrings import import_altair
from segment_scorer.runner.reporting.effect_curve import chart_extra
from segment_scorer.runner.reporting.statistics import BUCKETS

BINS = 50  # of the histogram of scores
SHORTEST_AXIS = 0.3  # of the drift index, so that a stable column looks stable


def make_charts(data: Mapping[str, Any], *, checked: bool = False) -> dict[str, Any]:
    """Make the specifications: id of the page's element -> chart.

    checked  whether altair compares them with Vega-Lite's schema, which takes most of the time
    """
    alt = import_altair()
    with alt.utils.schemapi.debug_mode(checked):
        charts = list_charts(alt, data)
        return {
            name: {**chart.to_dict(validate=checked), "width": "container"}
            for name, chart in charts.items()
        }


def list_charts(alt: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """The charts that there is data for."""
    names = alt.Axis(labelLimit=220, title=None)
    explorer = data["explorer"]
    charts: dict[str, Any] = {"reach": chart_reach(alt, data, names)}
    if explorer["scores"]:
        charts["histogram"] = chart_scores(alt, explorer)
        if not explorer["unwanted"]:
            charts["curve"] = chart_profit(alt, explorer)
            if explorer["uplift"]:
                charts["extra"] = chart_extra(alt, explorer)
    for name, rows in data["groups"].items():
        if rows:
            charts[f"by-{name}"] = chart_groups(alt, rows)
    if data["drift"]["columns"]:
        charts["drift"] = chart_drift(alt, data["drift"]["columns"], names)
    if data["times"]:
        charts["times"] = chart_times(alt, data["times"])
    return charts


def show(alt: Any, *names: str) -> list[Any]:
    """What a bar says when it is pointed at.

    Given as texts in a list, altair would look for their meaning in its whole schema, each anew.
    """
    return [alt.Tooltip(name) for name in names]


def chart_reach(alt: Any, data: Mapping[str, Any], names: Any) -> Any:
    """The way from the segment to the people messaged: one bar for each reason to filter."""
    summary = data["summary"]
    bars = [("in the segment", summary["received"], "before")]
    bars += [(row["reason"], row["people"], "not messaged") for row in data["filtered"]]
    bars += [("failed", summary["failed"], "not messaged")] if summary["failed"] else []
    bars += [("messaged", summary["kept"], "after")]
    values = [{"name": name, "people": people, "kind": kind} for name, people, kind in bars]
    kinds = alt.Color("kind:N", legend=None).scale(
        domain=["before", "not messaged", "after"], range=[BASE, OUT, KEPT]
    )
    return (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=None, axis=names),
            x=alt.X("people:Q", title="people"),
            color=kinds,
            tooltip=show(alt, "name:N", "people:Q"),
        )
        .properties(height=26 * len(values) + 10)
    )


def chart_times(alt: Any, times: Mapping[str, Any]) -> Any:
    """The durations of the hook's calls."""
    return (
        alt.Chart(alt.Data(values=times["histogram"]))
        .mark_bar(color=KEPT)
        .encode(
            x=alt.X("ms:Q", title="milliseconds per call").scale(type="log"),
            y=alt.Y("calls:Q"),
            tooltip=show(alt, "ms:Q", "calls:Q"),
        )
        .properties(height=140)
    )


def chart_scores(alt: Any, explorer: Mapping[str, Any]) -> Any:
    """A histogram of scores. The page moves the threshold and recolours the bars."""
    values = list_bins(explorer)
    threshold = alt.param(name="threshold", value=explorer["threshold"])
    # Where people are messaged from: the threshold, or the score at which a budget ends.
    reached = alt.param(name="reached", value=explorer["threshold"])
    limit = alt.param(name="limit", value=None)
    operator = ">=" if explorer["keep"] == "at_least" else "<"
    kept = f"datum.middle {operator} reached"
    scores = (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            x=alt.X("from:Q", bin="binned", title="score", axis=alt.Axis(tickCount=10)).scale(
                domain=[explorer["low"], explorer["high"]]
            ),
            x2="to:Q",
            y=alt.Y("people:Q", title="people"),
            color=alt.condition(kept, alt.value(KEPT), alt.value(OUT)),
            tooltip=show(alt, "from:Q", "to:Q", "people:Q"),
        )
    )
    chart = add_marks(alt, scores, threshold) + draw_mark(alt, "limit", [2, 3])
    return chart.add_params(reached, limit).properties(height=200)


def list_bins(explorer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bars of the histogram, from the lowest scores to the highest."""
    bins = Counter[int]()
    # Whole numbers, so that a score on the border of two bins is counted in the upper one.
    low, high = (round(explorer[name] * BUCKETS) for name in ("low", "high"))
    for bucket, count in explorer["scores"]:
        bins[min((bucket - low) * BINS // (high - low), BINS - 1)] += count
    return [
        {
            "from": place_bin(low, high, index),
            "to": place_bin(low, high, index + 1),
            "middle": place_bin(low, high, index + 0.5),
            "people": count,
        }
        for index, count in sorted(bins.items())
    ]


def place_bin(low: int, high: int, index: float) -> float:
    """The score where a bin begins; `low` and `high` are the axis's first and last bucket."""
    return (low + (high - low) * index / BINS) / BUCKETS


def add_marks(alt: Any, chart: Any, threshold: Any) -> Any:
    """Add a line at the parameter `threshold`, and a dashed one at `best`, the best profit.

    While a parameter is null, Vega-Lite draws no line.
    """
    best = alt.param(name="best", value=None)
    return (chart + draw_mark(alt, "threshold", []) + draw_mark(alt, "best", [5, 4])).add_params(
        threshold, best
    )


def draw_mark(alt: Any, name: str, dash: list[int]) -> Any:
    """A line at a parameter."""
    at = alt.Chart(alt.Data(values=[{}])).transform_calculate(at=name)
    return at.mark_rule(color=INK, strokeWidth=2, strokeDash=dash).encode(x=alt.X("at:Q"))


def chart_profit(alt: Any, explorer: Mapping[str, Any]) -> Any:
    """Profit by threshold. The page computes it from a response's value and a message's cost."""
    threshold = alt.param(name="threshold", value=explorer["threshold"])
    line = (
        alt.Chart(alt.NamedData(name="profits"))
        .mark_line(color=KEPT)
        .encode(
            x=alt.X("threshold:Q", title="threshold", axis=alt.Axis(tickCount=10)).scale(
                domain=[explorer["low"], explorer["high"]]
            ),
            y=alt.Y("profit:Q", title="profit"),
        )
    )
    return add_marks(alt, line, threshold).properties(height=160)


def chart_groups(alt: Any, rows: list[dict[str, Any]]) -> Any:
    """People messaged and not messaged, by group. The legend is in the page, to fit on a phone."""
    values = [
        {"name": row["name"], "status": status, "people": count}
        for row in rows
        for status, count in (
            ("messaged", row["kept"]),
            ("not messaged", row["people"] - row["kept"]),
        )
    ]
    statuses = alt.Color("status:N", legend=None).scale(
        domain=["messaged", "not messaged"], range=[KEPT, OUT]
    )
    return (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None)),
            x=alt.X("people:Q"),
            color=statuses,
            tooltip=show(alt, "name:N", "status:N", "people:Q"),
        )
        .properties(height=22 * len(rows) + 10)
    )


def chart_drift(alt: Any, columns: list[dict[str, Any]], names: Any) -> Any:
    """The stability index of each column, with lines where `shifted` and `different` begin."""
    verdicts = alt.Color("verdict:N", legend=None).scale(
        domain=["too few", "stable", "shifted", "different"], range=[BASE, KEPT, OUT, INK]
    )
    axis = alt.Scale(domain=[0, max(SHORTEST_AXIS, *(column["index"] for column in columns))])
    values = [{**column, "label": label_column(column)} for column in columns]
    bars = alt.Chart(alt.Data(values=values)).mark_bar()
    bars = bars.encode(
        y=alt.Y("label:N", sort="-x", axis=names),
        x=alt.X("index:Q", title="stability index", scale=axis),
        color=verdicts,
        tooltip=show(alt, "name:N", "index:Q", "verdict:N"),
    )
    limits = [{"at": SHIFTED}, {"at": DIFFERENT}]
    rules = alt.Chart(alt.Data(values=limits)).mark_rule(
        strokeDash=[4, 3], strokeWidth=1.5, color=INK
    )
    rules = rules.encode(x=alt.X("at:Q", scale=axis))
    return (bars + rules).properties(height=20 * len(columns) + 10)


def label_column(column: Mapping[str, Any]) -> str:
    """A column's name, with its verdict where that is not `stable`: no colour is needed for it."""
    stable = column["verdict"] == "stable"
    return str(column["name"] if stable else f"{column['name']}: {column['verdict']}")
