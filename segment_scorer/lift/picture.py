"""Intervals in, a picture as HTML with inline SVG out.

Positions are percentages, so text stays legible.
A filled dot is an effect that the interval tells from none, an open dot one that it does not:
the picture needs no colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from segment_scorer.lift.estimate import Interval
from segment_scorer.lift.phrases import find_decimals

TICKS = 5
LEFT, RIGHT = 7.0, 93.0  # where the axis begins and ends, in percent of the width
STEPS = (1.0, 2.0, 5.0, 10.0)


class IntervalRow(NamedTuple):
    """One line of the picture; no interval where the group is too small."""

    label: str
    interval: Interval | None


class Axis(NamedTuple):
    """From where to where the axis goes, and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> str:
        """Where a value is, as SVG writes it."""
        share = (value - self.low) / (self.high - self.low)
        return f"{LEFT + (RIGHT - LEFT) * share:.2f}%"


def draw_intervals(id_: str, name: str, rows: Sequence[IntervalRow]) -> str:
    """A figure. `name` is its caption, which a screen reader says; the table beside has figures."""
    axis = find_axis([row.interval for row in rows if row.interval is not None])
    lines = "\n".join(_draw_row(row, axis) for row in rows)
    return (
        f'<figure role="img" aria-labelledby="{id_}">\n'
        f'<figcaption id="{id_}">{escape(name)}</figcaption>\n'
        f'<div aria-hidden="true">\n{lines}\n{_draw_axis(axis)}\n</div>\n</figure>'
    )


def find_axis(intervals: Sequence[Interval]) -> Axis:
    """An axis with 0 and every interval on it, and round numbers as ticks."""
    low = min([0.0, *(each.low for each in intervals)])
    high = max([0.0, *(each.high for each in intervals)])
    width = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(width / TICKS))
    step = power * next(each for each in STEPS if power * each * TICKS >= width * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil((low + width) / step - 1e-9)
    ticks = tuple(step * index for index in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def _draw_row(row: IntervalRow, axis: Axis) -> str:
    """One interval with its label."""
    marks = f'<line class="zero" x1="{axis.place(0)}" x2="{axis.place(0)}" y1="0" y2="100%"/>'
    label = escape(row.label)
    if row.interval is None:
        label += ' <span class="soft small">(too few people)</span>'
    else:
        value, low, high = (
            axis.place(x) for x in (row.interval.value, row.interval.low, row.interval.high)
        )
        shown = row.interval.low > 0.0 or row.interval.high < 0.0
        marks += (
            f'<line class="bar" x1="{low}" x2="{high}" y1="50%" y2="50%"/>'
            f'<line class="cap" x1="{low}" x2="{low}" y1="25%" y2="75%"/>'
            f'<line class="cap" x1="{high}" x2="{high}" y1="25%" y2="75%"/>'
            f'<circle class="dot{"" if shown else " open"}" cx="{value}" cy="50%" r="5"/>'
        )
    return f'<div class="row"><span>{label}</span><svg>{marks}</svg></div>'


def _draw_axis(axis: Axis) -> str:
    """The ticks and their numbers."""
    decimals = find_decimals(axis.ticks[1] - axis.ticks[0])
    ticks = "".join(
        f'<line class="tick" x1="{axis.place(tick)}" x2="{axis.place(tick)}" y1="0" y2="8"/>'
        f'<text x="{axis.place(tick)}" y="24">{_say_tick(tick, decimals)}</text>'
        for tick in axis.ticks
    )
    return f'<div class="row axis"><span></span><svg>{ticks}</svg></div>'


def _say_tick(tick: float, decimals: int) -> str:
    """A tick's number, with its sign."""
    return "0" if abs(tick) < 1e-12 else f"{tick:+,.{decimals}f}"
