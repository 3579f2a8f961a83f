"""The entries of a manifest in; the model card that people read, in Markdown with pictures, out.

Never writes a file, never reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.training.card_tables import (
    describe_features,
    describe_nesting,
    describe_subgroups,
    describe_training,
    table_deciles,
    table_decision,
    table_top,
    write_table,
)
from model.training.folds import SCHEMES
from model.training.models import MODELS
from model.training.phrases import (
    GIVEN,
    describe_kept,
    describe_profit,
    describe_unused,
    format_count,
    format_score,
    format_share,
)
from model.training.plots import draw_pictures
from model.training.reference import describe_reference
from model.training.threshold import RULES

CARD = "MODEL_CARD.md"
# `metrics.held_out` of an evaluation: the people given, not held out.
JUDGED_ON: dict[str, str] = {
    **{scheme.value: entry.sentence for scheme, entry in SCHEMES.items()},
    GIVEN: "the people given; if the model was trained on some of them, it looks better than it is",
}
ABOUT_FIGURES = (
    "ROC AUC is the probability that a person who responds has a higher score than a person who "
    "does not: 0.5 is chance, 1 is perfect. The Brier score is the mean squared difference between "
    "score and outcome: lower is better."
)
LIMITS = (
    "- The model ranks people by data from the time of training. If people or campaigns change, "
    "train again.\n"
    "- The score predicts who responds, not who responds because of the message. To measure the "
    "effect of the message, set a holdout group in the policy.\n"
    "- If this card has figures by channel or country, compare them. Consider whether excluding "
    "people by this score is fair to each group."
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
        "![Cumulative gains](gains.png)",
        "## Accuracy",
        *describe_nesting(metrics),
        f"All figures are of {JUDGED_ON[metrics['held_out']]}.",
        table_figures(metrics),
        ABOUT_FIGURES,
        "## Response by decile",
        "Decile 1 is the tenth of people with the highest scores.",
        table_deciles(evaluation["deciles"]),
        *table_top(evaluation.get("top", [])),
        "## Calibration",
        "In a calibrated model, people respond as often as their scores say.",
        "![Calibration](calibration.png)",
        "![Scores](scores.png)",
        "## Threshold",
        describe_threshold(facts),
        *table_decision(evaluation.get("decision", {})),
        "![Threshold](threshold.png)",
        *describe_features(evaluation.get("features", [])),
        *describe_subgroups(evaluation["by"]),
        "## Data",
        list_data(facts["data"], describe_reference(facts)),
        *describe_training(facts),
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def describe_briefly(facts: Mapping[str, Any]) -> str:
    """The model and its best decile, in three sentences."""
    metrics, best = facts["metrics"], facts["evaluation"]["deciles"][0]
    where = "given" if metrics["held_out"] == GIVEN else "held out"
    model = facts.get("model", {})
    entry = MODELS.get(model.get("kind", ""))
    title = entry.title if entry else model.get("title", "A model")
    return (
        f"{title}. The score says how likely a person is to respond. "
        f"Of the {metrics['n']:,} people {where}, {format_share(metrics['base_rate'])} responded. "
        f"Of the decile with the highest scores, {format_share(best['rate'])} responded, "
        f"{best['lift']:.1f} times the average."
    )


def table_figures(metrics: Mapping[str, Any]) -> str:
    """Each figure with its interval, and its value without a model."""
    rate = metrics["base_rate"]
    names = {
        "roc_auc": ("ROC AUC", "0.5"),
        "average_precision": ("Average precision", format_score(rate)),
        "brier": ("Brier score", format_score(rate * (1 - rate))),
        "log_loss": ("Log loss", ""),
    }
    rows = [
        [
            title,
            format_score(metrics[name]),
            " to ".join(map(format_score, metrics["intervals"][name])),
            without,
        ]
        for name, (title, without) in names.items()
    ]
    return write_table(["figure", "value", "95 % interval", "without a model"], rows)


def describe_threshold(facts: Mapping[str, Any]) -> str:
    """The recommended threshold, why, and what it keeps."""
    profit, rule = facts["evaluation"].get("profit"), facts.get("threshold_rule")
    asked = ", ".join(
        f"{name} {number:g}" for name, number in facts.get("threshold_for", {}).items()
    )
    reasons = {str(known): entry.reason for known, entry in RULES.items()}
    threshold = f"{format_score(facts['threshold'])}{f' ({asked})' if asked else ''}"
    reason = reasons.get(str(rule), "as the bundle recommends")
    parts = [
        f"Recommended: {threshold}, {reason}.",
        f"It {describe_kept(facts['metrics']['at_threshold'])}.",
        "A policy can set another threshold.",
        *([describe_profit(profit, facts["threshold"])] if profit else []),
    ]
    return " ".join(parts)


def list_data(data: Mapping[str, Any], reference: str) -> str:
    """What the model learnt from, what ages are measured against, what was left out, notices."""
    several, reserved = data["users_with_several_endpoints"], data["reserved"]
    lines = [
        f"{format_count(data['matched'], 'endpoint')} with an outcome, of "
        f"{format_count(data['users'], 'user')}"
        + (f"; {several:,} of the users have several endpoints" if several else ""),
        f"{data['responded']:,} responded, {format_share(data['responded'] / data['matched'])}",
        *([f"{reserved:,} of the endpoints are reserved, never learnt from"] if reserved else []),
        *([f"{reference[0].upper()}{reference[1:]}"] if reference else []),
        f"Not used: {describe_unused(data)}",
        *(f"Left out: {sentence}" for sentence in data["left_out"]),
        *(f"Notice: {sentence}" for sentence in data["remarks"]),
    ]
    return "\n".join(f"- {line}" for line in lines)
