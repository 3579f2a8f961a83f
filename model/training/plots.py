"""The tables of an evaluation in, PNG pictures that a marketer can read out. The same numbers give the same bytes. Never writes a file."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from model.training.phrases import say_score, say_share

INK, GREY, BLUE, ORANGE = "#222222", "#9a9a9a", "#1f6fb4", "#d9731a"
INCHES = (7.0, 4.2)
DOTS = 110


def draw_pictures(facts: Mapping[str, Any]) -> dict[str, bytes]:
    """File name -> PNG, from what a manifest has in `evaluation`, `metrics` and `threshold`."""
    return {name: draw(picture, facts) for name, picture in PICTURES.items()}


def draw(picture: Callable[[Axes, Mapping[str, Any]], None], facts: Mapping[str, Any]) -> bytes:
    """One picture on white, without a frame."""
    figure = Figure(figsize=INCHES, dpi=DOTS, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    picture(axes, facts)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def draw_gains(axes: Axes, facts: Mapping[str, Any]) -> None:
    """Messaging the best first: how many of all who respond are reached."""
    reach = [0.0, *(row["reach"] for row in facts["evaluation"]["curve"])]
    recall = [0.0, *(row["recall"] for row in facts["evaluation"]["curve"])]
    axes.plot(reach, recall, color=BLUE, linewidth=2.5, label="by score, highest first")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="at random")
    at = facts["metrics"]["at_threshold"]
    axes.plot(
        [at["reach"]],
        [at["recall"]],
        "o",
        color=ORANGE,
        markersize=9,
        label=f"recommended threshold: {say_share(at['reach'])} of people,\n{say_share(at['recall'])} of all who respond",
        zorder=3,
        clip_on=False,
    )
    axes.set(
        xlabel="share of people messaged",
        ylabel="share of all responders reached",
        xlim=(0, 1),
        ylim=(0, 1.02),
    )
    axes.set_title("Gains: who is reached by messaging the best first", loc="left")
    as_percent(axes)
    axes.legend(frameon=False, loc="lower right")


def draw_calibration(axes: Axes, facts: Mapping[str, Any]) -> None:
    """Whether people respond as often as their scores say."""
    rows = facts["evaluation"]["calibration"]
    promised, came = [row["promised"] for row in rows], [row["came"] for row in rows]
    highest = max(*promised, *came) * 1.08
    axes.plot(
        [0, highest],
        [0, highest],
        color=GREY,
        linestyle="--",
        label="scores that mean what they say",
    )
    axes.plot(
        promised, came, "o-", color=BLUE, linewidth=2, markersize=7, label="a tenth of people each"
    )
    axes.set(
        xlabel="mean score", ylabel="share who responded", xlim=(0, highest), ylim=(0, highest)
    )
    axes.set_title("Calibration: do people respond as often as their score says?", loc="left")
    as_percent(axes)
    axes.legend(frameon=False, loc="upper left")


def draw_scores(axes: Axes, facts: Mapping[str, Any]) -> None:
    """How the scores are spread."""
    counts = facts["evaluation"]["histogram"]
    edges: Sequence[float] = counts["edges"]
    width = edges[1] - edges[0]
    centres = [edge + width / 2 for edge in edges[:-1]]
    axes.bar(
        centres, counts["others"], width=0.92 * width, color="#bcd4e8", label="did not respond"
    )
    axes.bar(
        centres,
        counts["responded"],
        width=0.92 * width,
        bottom=counts["others"],
        color=BLUE,
        label="responded",
    )
    threshold = facts["threshold"]
    if threshold <= edges[-1]:
        axes.axvline(
            threshold,
            color=ORANGE,
            linewidth=2,
            label=f"recommended threshold {say_score(threshold)}",
        )
    axes.set(xlabel="score", ylabel="people", xlim=(0, edges[-1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title("Scores: how many people have which score", loc="left")
    axes.legend(frameon=False, loc="upper right")


def draw_threshold(axes: Axes, facts: Mapping[str, Any]) -> None:
    """What a threshold does: who is kept, who of them responds, and what it earns."""
    rows = sorted(facts["evaluation"]["curve"], key=lambda row: row["threshold"])
    thresholds = [row["threshold"] for row in rows]
    lines = [
        axes.plot(
            thresholds,
            [row["reach"] for row in rows],
            color=BLUE,
            linewidth=2.5,
            label="reach: share of people kept",
        )[0],
        axes.plot(
            thresholds,
            [row["precision"] for row in rows],
            color=INK,
            linewidth=2,
            label="share of those kept who respond",
        )[0],
    ]
    axes.set(
        xlabel="threshold",
        ylabel="share of people",
        ylim=(0, 1.02),
        xlim=(0, max(thresholds) * 1.05 or 1),
    )
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    title = "Threshold: reach and response"
    if "profit" in rows[0]:
        money = axes.twinx()
        money.spines[["top", "left"]].set_visible(False)
        lines += money.plot(
            thresholds,
            [row["profit"] for row in rows],
            color="#2f8f46",
            linewidth=2.5,
            linestyle="-.",
            label="profit for 1,000 people",
        )
        money.set_ylabel("profit for 1,000 people (your money)", color="#2f8f46")
        title = "Threshold: reach, response and profit"
    lines.append(axes.axvline(facts["threshold"], color=ORANGE, linewidth=2, label="recommended"))
    axes.set_title(title, loc="left")
    axes.legend(
        handles=lines, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2
    )


def as_percent(axes: Axes) -> None:
    """Both axes are shares, with as many decimals as tell their ticks apart."""
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))


PICTURES: dict[str, Callable[[Axes, Mapping[str, Any]], None]] = {
    "gains.png": draw_gains,
    "calibration.png": draw_calibration,
    "scores.png": draw_scores,
    "threshold.png": draw_threshold,
}
