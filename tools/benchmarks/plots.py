"""The results of a run as three plots (PNG), each with the digest of its figures.

A test compares the digests, so that no plot is stale.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure

from tools.benchmarks.page import PLOTS, show_figure
from tools.benchmarks.records import Results, Table
from tools.benchmarks.rows.runner import CLOCK
from tools.scale.inputs import MICRO, read_sizes

# Two blues for ours and the limit, greys for the others: legible without colour.
OURS, LIMIT, ALTERNATIVES = "#1b4f8a", "#8fb4dd", ("#6e6e6e", "#959595", "#b5b5b5", "#d2d2d2")
DRAWN = "drawn-from"


def digest_tables(results: Results) -> str:
    """A digest of a run's figures."""
    return hashlib.sha256(msgspec.json.encode(results.tables, order="deterministic")).hexdigest()


def draw_plots(results: Results, folder: Path) -> None:
    """Draw every plot that has figures."""
    mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    tables = {table.name: table for table in results.tables}
    for name, draw in {"warm": draw_function, "service": draw_rates, "runner": draw_slopes}.items():
        if name in tables and tables[name].rows:
            figure = draw(tables)
            figure.savefig(
                folder / PLOTS[name][0],
                dpi=130,
                metadata={DRAWN: digest_tables(results), "Software": None},
            )


def draw_function(tables: dict[str, Table]) -> Figure:
    """A panel each for warm call, new process and peak memory, with a bar for each contender."""
    panels = [
        ("warm", 0, "a warm call, median"),
        ("start", 0, "a new process to its first reply"),
        ("warm", 2, "peak memory"),
    ]
    panels = [panel for panel in panels if panel[0] in tables]
    figure = Figure(figsize=(10, 2.4), layout="constrained")
    axes: Any = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (name, index, title) in zip(axes, panels, strict=True):
        table = tables[name]
        row = table.rows[index]
        shown = [column for column in table.columns if row.values.get(column) is not None]
        bars = axis.barh(
            [column.replace(", ", ",\n") for column in shown],  # beside the panel before it
            [row.values[column] for column in shown],
            color=[color_of(table, column) for column in shown],
        )
        axis.bar_label(
            bars, [show_figure(row.values[column], row.unit) for column in shown], padding=3
        )
        axis.invert_yaxis()
        axis.margins(x=0.25)
        axis.set_title(title, fontsize=9)
        axis.xaxis.set_visible(False)
        axis.spines["bottom"].set_visible(False)
    return figure


def draw_rates(tables: dict[str, Table]) -> Figure:
    """Calls a second by number of clients."""
    table = tables["service"]
    rows = [row for row in table.rows if row.more_is_better]
    figure = Figure(figsize=(9, 3), layout="constrained")
    axis: Any = figure.subplots()
    width = 0.8 / len(table.columns)
    for place, column in enumerate(table.columns):
        at = [index + place * width for index in range(len(rows))]
        bars = axis.bar(
            at,
            [row.values[column] for row in rows],
            width,
            label=column,
            color=color_of(table, column),
        )
        axis.bar_label(bars, [show_figure(row.values[column], "") for row in rows], fontsize=8)
    axis.set_xticks(
        [index + 0.8 / 2 - width / 2 for index in range(len(rows))],
        [row.label.split(":")[0] for row in rows],
    )
    axis.margins(y=0.2)
    axis.set_ylabel("calls a second")
    axis.legend(frameon=False)
    return figure


def draw_slopes(tables: dict[str, Table]) -> Figure:
    """Time per endpoint by size of the segment. A level line is a cost that does not grow."""
    table = tables["runner"]
    figure = Figure(figsize=(6, 2.8), layout="constrained")
    axis: Any = figure.subplots()
    for column in table.columns:
        costs = read_sizes(table, CLOCK, column)
        axis.plot(
            list(costs),
            [cost / MICRO for cost in costs.values()],
            marker="o",
            label=column,
            color=color_of(table, column),
        )
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("endpoints in the segment")
    axis.set_ylabel("µs an endpoint")
    axis.legend(frameon=False)
    return figure


def color_of(table: Table, column: str) -> str:
    """The colour of a column: ours, the limit, or an alternative."""
    if column == table.ours:
        return OURS
    return (
        LIMIT
        if column == table.limit or column in table.beside
        else ALTERNATIVES[table.alternatives.index(column) % len(ALTERNATIVES)]
    )
