"""What fewer messages bring: extra responses by the number of people messaged, as a chart.

Input: the counts of uplift scores that `report_data` gathered. Output: a Vega-Lite specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from segment_scorer.runner.reporting.colours import BASE, KEPT, OUT
from segment_scorer.runner.reporting.statistics import BUCKETS

POINTS = 60  # of the curve


class Point(NamedTuple):
    """People messaged, those with the highest scores first, and the extra responses they bring."""

    people: int
    extra: float


def trace_extra(explorer: Mapping[str, Any]) -> list[Point]:
    """The curve, at about sixty numbers of people; from nobody to everybody decided by score."""
    points, people, extra = [Point(0, 0.0)], 0, 0.0
    total = sum(count for _, count in explorer["scores"])
    for bucket, count in sorted(explorer["scores"], reverse=True):
        people += count
        extra += count * (bucket + explorer["within"]) / BUCKETS
        if people == total or people - points[-1].people >= total / POINTS:
            points.append(Point(people, round(extra, 2)))
    return points


def chart_extra(alt: Any, explorer: Mapping[str, Any]) -> Any:
    """The curve, and a line at what messaging everybody brings."""
    points = trace_extra(explorer)
    everybody = points[-1]
    curve = (
        alt.Chart(alt.Data(values=[point._asdict() for point in points]))
        .mark_line(color=KEPT, strokeWidth=2.5)
        .encode(
            x=alt.X("people:Q", title="people messaged, highest scores first"),
            y=alt.Y("extra:Q", title="extra responses expected"),
            tooltip=[alt.Tooltip("people:Q"), alt.Tooltip("extra:Q")],
        )
    )
    level = (
        alt.Chart(alt.Data(values=[{"extra": everybody.extra}]))
        .mark_rule(color=OUT, strokeDash=[6, 4])
        .encode(y=alt.Y("extra:Q"))
    )
    lot = (
        alt.Chart(alt.Data(values=[point._asdict() for point in (points[0], everybody)]))
        .mark_line(color=BASE, strokeDash=[2, 3])
        .encode(x=alt.X("people:Q"), y=alt.Y("extra:Q"))
    )
    return (lot + level + curve).properties(height=180)
