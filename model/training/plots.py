"""The tables of an evaluation in; PNG pictures out, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from model.training.phrases import format_score, format_share

Facts: TypeAlias = Mapping[str, Any]

INK, GREY, BLUE, ORANGE = "#222222", "#9a9a9a", "#1f6fb4", "#d9731a"
PALE, GREEN, GRID = "#bcd4e8", "#2f8f46", "#e6e6e6"
INCHES = (7.0, 4.2)
DOTS = 110


def draw_pictures(facts: Facts) -> dict[str, bytes]:
    """File name -> PNG, from `evaluation`, `metrics` and `threshold` of a manifest."""
    return {name: draw(picture, facts) for name, picture in PICTURES.items()}


def draw(picture: Callable[[Axes, Facts], None], facts: Facts) -> bytes:
    """One picture on white, without a frame."""
    figure = Figure(figsize=INCHES, dpi=DOTS, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    picture(axes, facts)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def draw_gains(axes: Axes, facts: Facts) -> None:
    """The share of responders reached, by the share of people messaged."""
    curve, at = facts["evaluation"]["curve"], facts["metrics"]["at_threshold"]
    reach, recall = (
        [0.0, *(row["reach"] for row in curve)],
        [0.0, *(row["recall"] for row in curve)],
    )
    axes.plot(reach, recall, color=BLUE, linewidth=2.5, label="by score, highest first")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="at random")
    recommended = (
        f"recommended threshold: {format_share(at['reach'])} of people,\n"
        f"{format_share(at['recall'])} of all responders"
    )
    axes.plot(
        [at["reach"]],
        [at["recall"]],
        "o",
        color=ORANGE,
        markersize=9,
        label=recommended,
        zorder=3,
        clip_on=False,
    )
    axes.set(xlabel="share of people messaged", ylabel="share of all responders reached")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title("Cumulative gains: messaging the highest scores first", loc="left")
    show_percent(axes)
    axes.legend(frameon=False, loc="lower right")


def draw_calibration(axes: Axes, facts: Facts) -> None:
    """The observed response rate of each decile, by its mean score."""
    rows = facts["evaluation"]["calibration"]
    predicted, observed = [row["promised"] for row in rows], [row["came"] for row in rows]
    highest = max(*predicted, *observed) * 1.08
    diagonal = [0, highest]
    axes.plot(diagonal, diagonal, color=GREY, linestyle="--", label="perfect calibration")
    axes.plot(
        predicted, observed, "o-", color=BLUE, linewidth=2, markersize=7, label="deciles of people"
    )
    axes.set(xlabel="mean score (predicted)", ylabel="response rate (observed)")
    axes.set(xlim=(0, highest), ylim=(0, highest))
    axes.set_title("Calibration: do people respond as often as their scores say?", loc="left")
    show_percent(axes)
    axes.legend(frameon=False, loc="upper left")


def draw_scores(axes: Axes, facts: Facts) -> None:
    """A histogram of scores, by outcome."""
    counts, threshold = facts["evaluation"]["histogram"], facts["threshold"]
    edges: Sequence[float] = counts["edges"]
    width = edges[1] - edges[0]
    centres = [edge + width / 2 for edge in edges[:-1]]
    bar = 0.92 * width
    axes.bar(centres, counts["others"], bar, color=PALE, label="did not respond")
    axes.bar(
        centres,
        counts["responded"],
        bar,
        bottom=counts["others"],
        color=BLUE,
        label="responded",
    )
    if threshold <= edges[-1]:
        label = f"recommended threshold {format_score(threshold)}"
        axes.axvline(threshold, color=ORANGE, linewidth=2, label=label)
    axes.set(xlabel="score", ylabel="people", xlim=(0, edges[-1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title("Scores: number of people by score", loc="left")
    axes.legend(frameon=False, loc="upper right")


def draw_threshold(axes: Axes, facts: Facts) -> None:
    """Reach and precision of each threshold, and its profit if value and cost are known."""
    rows = sorted(facts["evaluation"]["curve"], key=lambda row: row["threshold"])
    thresholds = [row["threshold"] for row in rows]
    reach, precision = [row["reach"] for row in rows], [row["precision"] for row in rows]
    lines = [
        *axes.plot(
            thresholds, reach, color=BLUE, linewidth=2.5, label="reach: share of people kept"
        ),
        *axes.plot(
            thresholds,
            precision,
            color=INK,
            linewidth=2,
            label="precision: share of people kept who respond",
        ),
    ]
    axes.set(xlabel="threshold", ylabel="share of people")
    axes.set(xlim=(0, max(thresholds) * 1.05 or 1), ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    title = "Threshold: reach and precision"
    if "profit" in rows[0]:
        money, label = axes.twinx(), "profit per 1,000 people, at most"
        money.spines[["top", "left"]].set_visible(False)
        lines += money.plot(
            thresholds,
            [row["profit"] for row in rows],
            color=GREEN,
            linewidth=2.5,
            linestyle="-.",
            label=label,
        )
        money.set_ylabel(label, color=GREEN)
        title = "Threshold: reach, precision and profit at most"
    lines.append(axes.axvline(facts["threshold"], color=ORANGE, linewidth=2, label="recommended"))
    axes.set_title(title, loc="left")
    axes.legend(
        handles=lines, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2
    )


def show_percent(axes: Axes) -> None:
    """Show both axes as percentages, with as many decimals as tell their ticks apart."""
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))


PICTURES: dict[str, Callable[[Axes, Facts], None]] = {
    "gains.png": draw_gains,
    "calibration.png": draw_calibration,
    "scores.png": draw_scores,
    "threshold.png": draw_threshold,
}
