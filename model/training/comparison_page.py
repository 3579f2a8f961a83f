"""The facts of a comparison in; COMPARISON.md with its picture, and comparison.json, out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from model.training.card_tables import write_table
from model.training.phrases import format_score, format_share
from model.training.plots import BLUE, GREY, ORANGE, draw, show_percent

PAGE, FACTS, PICTURE = "COMPARISON.md", "comparison.json", "comparison.png"
ABOUT = (
    "Both bundles scored the same people, each with its own features. The difference is B minus A, "
    "with a 95 % interval; where it holds 0, these people cannot tell the bundles apart. People "
    "that a bundle was trained on make it look better than it is."
)


def make_page(facts: Mapping[str, Any]) -> dict[str, bytes]:
    """File name -> content."""
    return {
        PAGE: write_page(facts).encode(),
        FACTS: (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode(),
        PICTURE: draw(draw_both, facts),
    }


def write_page(facts: Mapping[str, Any]) -> str:
    """The comparison in Markdown."""
    a, b = facts["a"], facts["b"]
    notices = "\n".join(f"- Notice: {notice}" for notice in facts["data"]["remarks"])
    parts = [
        f"# A: {a['bundle']}, B: {b['bundle']}",
        f"{facts['people']:,} people, {facts['responders']:,} of whom responded.",
        ABOUT,
        *([notices] if notices else []),
        f"![Cumulative gains of both]({PICTURE})",
        "## Accuracy",
        write_table(["figure", "A", "B", "B minus A", "95 % interval"], list_figures(facts)),
        "## Cumulative gains",
        write_table(["best", "A: responders reached", "B: responders reached"], list_gains(facts)),
        "## Who changes sides at the threshold",
        f"Thresholds: A {format_score(a['threshold'])}, B {format_score(b['threshold'])}.",
        write_table(["side", "people", "share", "responded", "rate"], list_sides(facts)),
    ]
    return "\n\n".join(parts) + "\n"


def list_figures(facts: Mapping[str, Any]) -> list[list[str]]:
    """Rows of both figures."""
    a, b, difference = facts["a"]["metrics"], facts["b"]["metrics"], facts["difference"]
    area, brier = difference["roc_auc"], difference["brier_lower_by"]
    return [
        [
            "ROC AUC (higher is better)",
            format_score(a["roc_auc"]),
            format_score(b["roc_auc"]),
            f"{area['value']:+.4f}",
            f"{area['low']:+.4f} to {area['high']:+.4f}",
        ],
        [
            "Brier score (lower is better)",
            format_score(a["brier"]),
            format_score(b["brier"]),
            f"{-brier['value']:+.4f}",
            f"{-brier['high']:+.4f} to {-brier['low']:+.4f}",
        ],
    ]


def list_gains(facts: Mapping[str, Any]) -> list[list[str]]:
    """The share of responders among the best few percent and tenths, by both."""
    a, b = facts["a"], facts["b"]
    rows = [
        [f"{one['share']:.0%}", format_share(one["gain"]), format_share(other["gain"])]
        for one, other in zip(a["top"], b["top"], strict=True)
    ]
    return rows + [
        [f"{10 * one['decile']}%", format_share(one["gain"]), format_share(other["gain"])]
        for one, other in zip(a["deciles"], b["deciles"], strict=True)
    ]


def list_sides(facts: Mapping[str, Any]) -> list[list[str]]:
    """Who is kept by both, one or neither."""
    return [
        [
            row["side"],
            f"{row['people']:,}",
            format_share(row["people"] / facts["people"]),
            f"{row['responders']:,}",
            format_share(row["responders"] / row["people"]) if row["people"] else "",
        ]
        for row in facts["sides"]
    ]


def draw_both(axes: Axes, facts: Mapping[str, Any]) -> None:
    """The share of responders reached by the share of people messaged, by both bundles."""
    for name, colour in (("a", BLUE), ("b", ORANGE)):
        side = facts[name]
        reach = [0.0, *(row["reach"] for row in side["curve"])]
        recall = [0.0, *(row["recall"] for row in side["curve"])]
        area = format_score(side["metrics"]["roc_auc"])
        label = f"{name.upper()}: {side['bundle']}, ROC AUC {area}"
        axes.plot(reach, recall, color=colour, linewidth=2, label=label)
        at = side["metrics"]["at_threshold"]
        axes.plot([at["reach"]], [at["recall"]], "o", color=colour, markersize=8, clip_on=False)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="at random")
    axes.set(xlabel="share of people messaged", ylabel="share of all responders reached")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title("Cumulative gains; dots are the recommended thresholds", loc="left")
    show_percent(axes)
    axes.legend(frameon=False, loc="lower right")
