"""The entries of an uplift manifest in; the model card, in Markdown with pictures, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.training.card import CARD, JUDGED_ON, list_data
from model.training.card_tables import describe_features, describe_training, write_table
from model.training.phrases import GIVEN, format_score, format_share
from model.training.reference import describe_reference
from model.training.uplift.learners import LEARNERS
from model.training.uplift.phrases import (
    describe_doubt,
    describe_effect,
    describe_kept,
    describe_profit,
    describe_put_off,
    show,
    spread,
)
from model.training.uplift.plots import draw_pictures
from model.training.uplift.threshold import REASONS

ABOUT = (
    "The score says by how much a message changes how likely a person responds: 0.05 is five more "
    "responses per 100 such people, and below 0 the message puts people off. It does not say who "
    "is likely to respond."
)
ABOUT_FIGURES = (
    "Observed effects compare people whom chance messaged with people whom it did not. The Qini "
    "coefficient is the area between the Qini curve and the line of messaging by lot, as a share "
    "of that area for perfect scores, which nobody reaches. 0 is no better than a lot. The "
    "calibration slope is by how much the observed effect rises when the score rises by one: 1 is "
    "perfect, 0 means that the scores say nothing."
)
ABOUT_DECILES = (
    "Decile 1 is the tenth of people with the highest scores. Effects are responses per 1,000 "
    "people. Each interval holds by itself: of ten, one may miss the truth by chance."
)
ABOUT_FEATURES = (
    "Importance is how far the score moves, on average, when the feature is permuted among people. "
    "Alone is the ROC AUC of the feature by itself for who responds, messaged or not."
)
LIMITS = (
    "- The effect is that of this message on people like these. Another message, or other people, "
    "need a campaign of their own.\n"
    "- A person's score is the mean effect on people who look alike. What happens to one person "
    "without the message is never observed.\n"
    "- Keep a control group in the campaigns that use this score. Without one, it cannot be judged "
    "or trained again.\n"
    "- Consider whether excluding people by this score is fair to each group."
)


def make_card(facts: Mapping[str, Any], file: str = CARD) -> dict[str, bytes]:
    """File name -> content: the card, called `file`, and the pictures that it shows."""
    return {file: write_card(facts).encode(), **draw_pictures(facts)}


def write_card(facts: Mapping[str, Any]) -> str:
    """The card in Markdown."""
    metrics, evaluation = facts["metrics"], facts["evaluation"]
    parts = [
        f"# {facts['name']}@{facts['version']}",
        describe_briefly(facts),
        *(f"**Notice: {sentence}.**" for sentence in describe_doubt(metrics)),
        "![Qini curve](qini.png)",
        "## Accuracy",
        f"All figures are of {JUDGED_ON[metrics['held_out']]}. Intervals are drawn by user.",
        table_figures(metrics),
        ABOUT_FIGURES,
        "## Effect by decile",
        ABOUT_DECILES,
        table_deciles(evaluation["deciles"]),
        "![Observed effect by decile](deciles.png)",
        "## Calibration",
        "In a calibrated model, the message moves people as much as their scores say.",
        "![Calibration](calibration.png)",
        "## Whom the message puts off",
        f"{describe_put_off(metrics).capitalize()}.",
        "## Threshold",
        describe_threshold(facts),
        *describe_features(evaluation.get("features", []), ABOUT_FEATURES),
        *describe_training(facts),
        "## Data",
        list_data(facts["data"], describe_reference(facts)),
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def describe_briefly(facts: Mapping[str, Any]) -> str:
    """The model and what it is about."""
    metrics = facts["metrics"]
    entry = LEARNERS.get(facts.get("model", {}).get("kind", ""))
    where = "given" if metrics["held_out"] == GIVEN else "held out"
    return (
        f"{entry.title if entry else 'A model'}. {ABOUT} Of the {metrics['n']:,} people {where}, "
        f"chance had messaged {format_share(metrics['treated']['share'])}. The message brought "
        f"{describe_effect(metrics)}."
    )


def table_figures(metrics: Mapping[str, Any]) -> str:
    """Each figure with its interval, and its value by lot."""
    low, high = metrics["intervals"]["effect"]
    mean = f"{metrics['effect']:.4f} ({low:.4f} to {high:.4f})"
    rows = [
        ["Qini coefficient", show(metrics, "qini"), "0"],
        *(
            [f"Effect among the top {share} %", show(metrics, f"uplift_{share}"), mean]
            for share in (10, 20, 30)
        ),
        ["Calibration slope", show(metrics, "calibration_slope"), "0"],
    ]
    response = metrics.get("response_model")
    if response is not None:
        for title, name in (("qini", "qini"), ("difference", "difference")):
            low, high = response["intervals"][name]
            label = {
                "qini": "Qini coefficient of a response model",
                "difference": "Qini coefficient above that of a response model",
            }[title]
            rows.append([label, f"{response[name]:.4f} ({low:.4f} to {high:.4f})", "0"])
    return write_table(["figure", "value (95 % interval)", "by lot"], rows)


def table_deciles(deciles: Sequence[Mapping[str, Any]]) -> str:
    """Score and observed effect of each decile."""
    rows = [
        [
            str(row["decile"]),
            f"{row['people']:,}",
            f"{1000 * row['score']:+.1f}",
            "unknown" if row["effect"] is None else f"{1000 * row['effect']:+.1f}",
            spread(row["interval"]),
        ]
        for row in deciles
    ]
    return write_table(
        ["decile", "people", "mean score x 1,000", "observed effect", "95 % interval"], rows
    )


def describe_threshold(facts: Mapping[str, Any]) -> str:
    """The recommended threshold, why, and what it keeps."""
    profit = facts["evaluation"].get("profit")
    reason = REASONS.get(str(facts.get("threshold_rule")), "as the bundle recommends")
    parts = [
        f"Recommended: {format_score(facts['threshold'])}: {reason}.",
        f"It {describe_kept(facts['metrics'])}.",
        "A policy can set another threshold.",
        *([describe_profit(profit, facts["threshold"])] if profit else []),
    ]
    return " ".join(parts)
