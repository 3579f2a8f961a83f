"""`lift.html`: what a campaign changed, in one file without scripts. A result in, a page out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

from segment_scorer.lift.breakdown import Breakdown, EffectRow
from segment_scorer.lift.checks import Check
from segment_scorer.lift.estimate import CONFIDENCE, Interval
from segment_scorer.lift.measure import LiftResult
from segment_scorer.lift.phrases import find_decimals, say_level, say_rate
from segment_scorer.lift.picture import IntervalRow, draw_intervals

PAGE = Path(__file__).with_name("lift_page.html")
TITLES = {"band": "By band", "decile": "By decile of the score", "treatment": "By treatment"}
STATES = {True: "passed", False: "warning", None: "not checked"}
WHY = (
    "The people compared were all selected by the same rules; chance alone decided who of them "
    "was held out. So the groups are alike, and what differs afterwards comes from the message."
)


def make_page(result: LiftResult) -> str:
    """The page as text."""
    headline, *story = result.sentences
    sections = [
        _make_overview(result),
        *(_make_breakdown(result, name, TITLES[name]) for name in TITLES if name in result.by),
        _make_checks(result.checks),
    ]
    page = Template(PAGE.read_text("utf-8")).substitute(
        headline=escape(headline),
        story="\n".join(f"<p>{escape(text)}</p>" for text in story),
        sections="\n".join(sections),
    )
    return page.replace(" %", "\u00a0%")  # a number and its sign stay on one line


def _make_overview(result: LiftResult) -> str:
    """The effect, and the two groups."""
    effect = result.effect
    picture = draw_intervals(
        "all",
        _caption(result.name, CONFIDENCE),
        [IntervalRow("everybody selected", effect.difference.scale(1000.0))],
    )
    rate = "responded" if result.binary else f"{result.name} a person"
    groups = [
        ("messaged", effect.messaged, effect.messaged_rate),
        ("control group", effect.control, effect.control_rate),
    ]
    table = _make_table(
        ("group", "people", rate),
        [(n, f"{people:,}", say_rate(r, binary=result.binary)) for n, people, r in groups],
    )
    return f"<section><h2>Effect</h2>\n{picture}\n{table}\n<p>{escape(WHY)}</p></section>"


def _make_breakdown(result: LiftResult, name: str, title: str) -> str:
    """One table of groups with its picture and its warning."""
    found: Breakdown = result.by[name]
    rows = [
        IntervalRow(row.name, None if row.difference is None else row.difference.scale(1000.0))
        for row in found.rows
    ]
    picture = draw_intervals(f"by-{name}", _caption(result.name, found.confidence), rows)
    head = (name, "messaged (people)", "held out (people)", f"more {result.name} per 1,000")
    table = _make_table(head, [_list_cells(row, binary=result.binary) for row in found.rows])
    warning = f"<p>{escape(found.warning)}</p>\n" if found.warning else ""
    return f"<section><h2>{escape(title)}</h2>\n{warning}{picture}\n{table}</section>"


def _list_cells(row: EffectRow, *, binary: bool) -> tuple[str, ...]:
    """The cells of one group."""
    groups = ((row.messaged_rate, row.messaged), (row.control_rate, row.control))
    sides = (
        f"{'too few' if rate is None else say_rate(rate, binary=binary)} ({people:,})"
        for rate, people in groups
    )
    effect = "too few" if row.difference is None else _say_interval(row.difference.scale(1000.0))
    return (row.name, *sides, effect)


def _say_interval(interval: Interval) -> str:
    """`+61 (+55 to +66)`."""
    decimals = find_decimals((interval.high - interval.low) / 4.0)
    value, low, high = (
        f"{x:+,.{decimals}f}" for x in (interval.value, interval.low, interval.high)
    )
    return f"{value} ({low} to {high})"


def _make_checks(checks: Iterable[Check]) -> str:
    """The checks, warnings first."""
    items = "\n".join(
        f'<li><span class="state{" warning" if check.passed is False else ""}">'
        f"{STATES[check.passed]}</span><span>{escape(check.text)}</span></li>"
        for check in sorted(checks, key=lambda check: check.passed is not False)
    )
    return f"<section><h2>Checks</h2>\n<ul>\n{items}\n</ul></section>"


def _make_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a header row."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead>\n<tbody>\n{lines}\n</tbody></table>"


def _caption(name: str, confidence: float) -> str:
    """What a picture shows."""
    return (
        f"More {name} per 1,000 people messaged, with {say_level(confidence)} intervals. The "
        "dotted line is no effect."
    )
