"""The names of the report's charts, and the figures of those that have no table beside them.

Input: the data that `report_data` gathered. Output: cells as text, for people who see no chart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from segment_scorer.runner.reporting.charts import list_bins
from segment_scorer.runner.reporting.effect_curve import trace_extra

Rows: TypeAlias = list[tuple[Any, ...]]
# id of the page's element -> what a screen reader calls the chart
NAMES = {
    "reach": "Bar chart: the way from the segment to the people messaged",
    "histogram": "Histogram: people by score, with a line at the threshold",
    "extra": "Line chart: extra responses by the number of people messaged",
    "curve": "Line chart: profit by threshold",
    "by-band": "Bar chart: people messaged and not messaged by band",
    "by-treatment": "Bar chart: people messaged and not messaged by treatment",
    "by-channel": "Bar chart: people messaged and not messaged by channel",
    "by-country": "Bar chart: people messaged and not messaged by country",
    "drift": "Bar chart: stability index by column",
    "times": "Histogram: duration of the calls of the hook",
}


def list_tables(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Tables by the id of their chart: head and rows."""
    summary, explorer = data["summary"], data["explorer"]
    way: Rows = [("in the segment", summary["received"], summary["users"])]
    way += [(row["reason"], row["people"], row.get("users")) for row in data["filtered"]]
    way += [("failed", summary["failed"], None)] if summary["failed"] else []
    way += [("messaged", summary["kept"], summary["users_kept"])]
    head = ("outcome", "people", "users") if data["by_user"] else ("outcome", "people")
    tables = {"reach": make_table(head, [row[: len(head)] for row in way])}
    if explorer["scores"]:
        bins: Rows = [(f"{b['from']:g} to {b['to']:g}", b["people"]) for b in list_bins(explorer)]
        tables["histogram"] = make_table(("score", "people"), bins)
    if explorer["scores"] and explorer["uplift"]:
        points: Rows = [(each.people, f"{each.extra:,.2f}") for each in trace_extra(explorer)]
        tables["extra"] = make_table(("people messaged", "extra responses"), points)
    if columns := data["drift"]["columns"]:
        indexes: Rows = [
            (each["name"], f"{each['index']:.3f}", each["verdict"]) for each in columns
        ]
        tables["drift"] = make_table(("column", "stability index", "verdict"), indexes)
    if data["times"]:
        calls: Rows = [(f"{each['ms']:.3g}", each["calls"]) for each in data["times"]["histogram"]]
        tables["times"] = make_table(("milliseconds per call, about", "calls"), calls)
    return tables


def make_table(head: tuple[str, ...], rows: Rows) -> dict[str, Any]:
    """Cells as text."""
    return {
        "head": list(head),
        "rows": [[write_cell(cell) for cell in row] for row in rows],
    }


def write_cell(cell: object) -> str:
    """A cell as text. A number that could show a person is None."""
    if cell is None:
        return "not shown"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
