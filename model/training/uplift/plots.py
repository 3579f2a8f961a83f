"""The tables of an uplift evaluation in; PNG pictures out, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from model.training.plots import BLUE, GREY, INK, ORANGE, PALE, Facts, draw

# Drawn per 1,000 people, as the sentences are.
EACH = FuncFormatter(lambda value, _: f"{1000 * value:,.0f}")


def draw_pictures(facts: Facts) -> dict[str, bytes]:
    """File name -> PNG, from `evaluation` and `metrics` of a manifest."""
    return {name: draw(picture, facts) for name, picture in PICTURES.items()}


def draw_qini(axes: Axes, facts: Facts) -> None:
    """Extra responses by the share of people messaged, beside a lot and a response model."""
    rows, metrics = facts["evaluation"]["curve"], facts["metrics"]
    shares = [0.0, *(row["reach"] for row in rows)]

    def read(name: str) -> list[float]:
        return [0.0, *(row[name] for row in rows)]

    axes.fill_between(shares, read("low"), read("high"), color=PALE, alpha=0.6, linewidth=0)
    axes.plot(shares, read("gain"), color=BLUE, linewidth=2.5, label="by this score (95 % shaded)")
    if "response" in rows[0]:
        axes.plot(
            shares, read("response"), color=INK, linewidth=1.5, label="by a response model's score"
        )
    axes.plot([0, 1], [0, rows[-1]["gain"]], color=GREY, linestyle="--", label="by lot")
    at = metrics["at_threshold"]
    if at["reach"]:
        axes.plot(
            [at["reach"]],
            [at["gain"]],
            "o",
            color=ORANGE,
            markersize=9,
            zorder=3,
            clip_on=False,
            label="recommended threshold",
        )
    axes.set(xlabel="share of people messaged, highest scores first")
    axes.set(ylabel="extra responses per 1,000 people", xlim=(0, 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(EACH)
    axes.set_title("Qini curve: what messaging a part of the people brings", loc="left")
    axes.legend(frameon=False, loc="lower right")


class Deciles(NamedTuple):
    """Deciles with an observed effect: rows, effects, and error bars downwards and upwards."""

    rows: list[Mapping[str, Any]]
    effects: list[float]
    errors: list[list[float]]


def read_deciles(facts: Facts) -> Deciles:
    """The deciles of an evaluation that have people messaged and others."""
    rows = [row for row in facts["evaluation"]["deciles"] if row["effect"] is not None]
    effects = [row["effect"] for row in rows]
    errors = [
        [max(0.0, row["effect"] - row["interval"][0]) for row in rows],
        [max(0.0, row["interval"][1] - row["effect"]) for row in rows],
    ]
    return Deciles(rows, effects, errors)


def draw_deciles(axes: Axes, facts: Facts) -> None:
    """The observed effect of each decile, with its interval."""
    rows, effects, errors = read_deciles(facts)
    numbers = [row["decile"] for row in rows]
    colours = [ORANGE if effect < 0 else BLUE for effect in effects]
    axes.bar(numbers, effects, 0.7, color=colours, yerr=errors, ecolor=INK, capsize=3)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axhline(
        facts["metrics"]["effect"], color=GREY, linestyle="--", label="everyone: the mean effect"
    )
    axes.set(xlabel="decile of the score, highest first", ylabel="extra responses per 1,000 people")
    axes.set_xticks(range(1, len(facts["evaluation"]["deciles"]) + 1))
    axes.yaxis.set_major_formatter(EACH)
    axes.set_title("Observed effect of the message by decile, with 95 % intervals", loc="left")
    axes.legend(frameon=False, loc="upper right")


def draw_calibration(axes: Axes, facts: Facts) -> None:
    """The observed effect of each decile by its mean score."""
    rows, effects, errors = read_deciles(facts)
    scores = [row["score"] for row in rows]
    edges = [min(*scores, 0.0), max(*scores, 0.0)]
    axes.plot(edges, edges, color=GREY, linestyle="--", label="perfect calibration")
    axes.errorbar(
        scores,
        effects,
        yerr=errors,
        fmt="o",
        color=BLUE,
        ecolor=PALE,
        capsize=3,
        label="deciles of people, with 95 % intervals",
    )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(xlabel="mean score (predicted), per 1,000", ylabel="observed effect, per 1,000")
    axes.xaxis.set_major_formatter(EACH)
    axes.yaxis.set_major_formatter(EACH)
    axes.set_title("Calibration: does the message move people as the scores say?", loc="left")
    axes.legend(frameon=False, loc="upper left")


PICTURES: dict[str, Callable[[Axes, Facts], None]] = {
    "qini.png": draw_qini,
    "deciles.png": draw_deciles,
    "calibration.png": draw_calibration,
}
