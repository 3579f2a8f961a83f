"""The report's charts, as Vega-Lite specifications made by altair. Takes what `report` gathered; the page draws them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from segment_scorer.monitoring.drift import DIFFERENT, SHIFTED
from segment_scorer.runner.reporting.statistics import BUCKETS

BINS = 50  # of the histogram of scores
SHORTEST_AXIS = 0.3  # of the drift, so that a stable column looks like one


def make_charts(data: Mapping[str, Any]) -> dict[str, Any]:
    """The charts' Vega-Lite specifications by the id of the element each is drawn into."""
    alt: Any = import_module("altair")  # slow to import, and typed in half

    charts: dict[str, Any] = {}
    summary = data["summary"]
    reach = [{"what": "in the segment", "people": summary["received"], "kind": "before"}]
    reach += [
        {"what": row["reason"], "people": row["people"], "kind": "left out"}
        for row in data["left_out"]
    ]
    reach += (
        [{"what": "failed", "people": summary["failed"], "kind": "left out"}]
        if summary["failed"]
        else []
    )
    reach += [{"what": "messaged", "people": summary["kept"], "kind": "after"}]
    kinds = alt.Color("kind:N", legend=None).scale(
        domain=["before", "left out", "after"], range=["#8a94a6", "#c98a3a", "#2f7fc1"]
    )
    names = alt.Axis(labelLimit=220, title=None)
    bars = alt.Chart(alt.Data(values=reach)).mark_bar()
    charts["reach"] = bars.encode(
        y=alt.Y("what:N", sort=None, axis=names),
        x=alt.X("people:Q", title="people"),
        color=kinds,
        tooltip=["what:N", "people:Q"],
    ).properties(height=26 * len(reach) + 10)
    if data["explorer"]["scores"]:
        charts["histogram"] = chart_scores(alt, data["explorer"])
        if not data["explorer"]["unwanted"]:
            charts["curve"] = chart_profit(alt, data["explorer"])
    for name, rows in data["groups"].items():
        if rows:
            charts[f"by-{name}"] = chart_groups(alt, rows)
    if data["drift"]["columns"]:
        charts["drift"] = chart_drift(alt, data["drift"]["columns"], names)
    if data["times"]:
        times = alt.Chart(alt.Data(values=data["times"]["histogram"])).mark_bar(color="#2f7fc1")
        charts["times"] = times.encode(
            x=alt.X("ms:Q", title="milliseconds a call").scale(type="log"),
            y=alt.Y("calls:Q"),
            tooltip=["ms:Q", "calls:Q"],
        ).properties(height=140)
    return {name: {**chart.to_dict(), "width": "container"} for name, chart in charts.items()}


def chart_scores(alt: Any, explorer: Mapping[str, Any]) -> Any:
    """Scores in bins; the page moves the threshold, and with it which side is dropped."""
    bins = Counter[int]()
    for bucket, count in explorer[
        "scores"
    ]:  # whole numbers: a score on the border of two bins is in the upper one
        bins[min(bucket * BINS // BUCKETS, BINS - 1)] += count
    values = [
        {
            "from": index / BINS,
            "to": (index + 1) / BINS,
            "middle": (index + 0.5) / BINS,
            "people": count,
        }
        for index, count in bins.items()
    ]
    threshold = alt.param(name="threshold", value=explorer["threshold"])
    kept = (
        "datum.middle >= threshold"
        if explorer["keep"] == "at_least"
        else "datum.middle < threshold"
    )
    scores = (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            x=alt.X("from:Q", bin="binned", title="score", axis=alt.Axis(tickCount=10)).scale(
                domain=[0, 1]
            ),
            x2="to:Q",
            y=alt.Y("people:Q", title="people"),
            color=alt.condition(kept, alt.value("#2f7fc1"), alt.value("#c98a3a")),
            tooltip=["from:Q", "to:Q", "people:Q"],
        )
    )
    rule = draw_threshold(alt)
    return (scores + rule).add_params(threshold).properties(height=200)


def draw_threshold(alt: Any) -> Any:
    """A line that follows the parameter `threshold`; none while that is null, which Vega-Lite leaves out."""
    at = alt.Chart(alt.Data(values=[{}])).transform_calculate(at="threshold")
    return at.mark_rule(color="#c1443f", strokeWidth=2).encode(x=alt.X("at:Q"))


def chart_profit(alt: Any, explorer: Mapping[str, Any]) -> Any:
    """Profit by threshold; the page computes the curve from the value of a response and the cost of a message."""
    threshold = alt.param(name="threshold", value=explorer["threshold"])
    line = (
        alt.Chart(alt.NamedData(name="profits"))
        .mark_line(color="#2f7fc1")
        .encode(
            x=alt.X("threshold:Q", title="threshold", axis=alt.Axis(tickCount=10)).scale(
                domain=[0, 1]
            ),
            y=alt.Y("profit:Q", title="expected profit"),
        )
    )
    rule = draw_threshold(alt)
    return (line + rule).add_params(threshold).properties(height=160)


def chart_groups(alt: Any, rows: list[dict[str, Any]]) -> Any:
    """Who is messaged and who is not, group by group. The page has the legend: here a long name would push it out of a phone."""
    values = [
        {"name": row["name"], "side": side, "people": count}
        for row in rows
        for side, count in (
            ("messaged", row["kept"]),
            ("not messaged", row["people"] - row["kept"]),
        )
    ]
    sides = alt.Color("side:N", legend=None).scale(
        domain=["messaged", "not messaged"], range=["#2f7fc1", "#c98a3a"]
    )
    return (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None)),
            x=alt.X("people:Q"),
            color=sides,
            tooltip=["name:N", "side:N", "people:Q"],
        )
        .properties(height=22 * len(rows) + 10)
    )


def chart_drift(alt: Any, columns: list[dict[str, Any]], names: Any) -> Any:
    """The index of each column, and lines where it begins to be called shifted and different."""
    verdicts = alt.Scale(
        domain=["too few", "stable", "shifted", "different"],
        range=["#8a94a6", "#3f9a6b", "#c98a3a", "#c1443f"],
    )
    axis = alt.Scale(domain=[0, max(SHORTEST_AXIS, *(column["index"] for column in columns))])
    bars = alt.Chart(alt.Data(values=columns)).mark_bar()
    bars = bars.encode(
        y=alt.Y("name:N", sort="-x", axis=names),
        x=alt.X("index:Q", title="stability index", scale=axis),
        color=alt.Color("verdict:N", legend=None, scale=verdicts),
        tooltip=["name:N", "index:Q", "verdict:N"],
    )
    limits = [{"at": SHIFTED, "verdict": "shifted"}, {"at": DIFFERENT, "verdict": "different"}]
    rules = alt.Chart(alt.Data(values=limits)).mark_rule(strokeDash=[4, 3], strokeWidth=1.5)
    rules = rules.encode(
        x=alt.X("at:Q", scale=axis), color=alt.Color("verdict:N", legend=None, scale=verdicts)
    )
    return (bars + rules).properties(height=20 * len(columns) + 10)
