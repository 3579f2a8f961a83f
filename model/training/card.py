"""What a manifest says in, the model card that people read out: Markdown and its pictures. Never writes a file, never reads a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.training.phrases import say_kept, say_profit, say_score, say_share
from model.training.plots import draw_pictures

CARD = "MODEL_CARD.md"
KINDS = {
    "boosting": "Boosted trees",
    "logistic": "A logistic regression",
    "forest": "A random forest",
    "blend": "Boosted trees blended with a logistic regression",
}
RULES = {
    "base_rate": "the response rate: whoever is at least as likely to respond as people on average is kept",
    "profit": "the highest expected profit: whoever is worth the message is kept",
    "reach": "the share of people that was asked for",
    "precision": "the lowest score at which those kept respond at the rate that was asked for",
}
HELD_OUT = {
    "shuffled": "people held out: drawn at random, each scored by a model fitted on the others",
    "by user": "people held out: users drawn at random, each scored by a model fitted on other users",
    "by time": "people held out: later ones, each scored by a model fitted on earlier ones",
    "given": "the people given; those among them that the model was trained on make it look better than it is",
}
MOST_FEATURES = 20


def draw_card(facts: Mapping[str, Any], file: str = CARD) -> dict[str, bytes]:
    """File name -> content: the card named `file`, and the pictures it shows."""
    return {file: write_card(facts).encode(), **draw_pictures(facts)}


def write_card(facts: Mapping[str, Any]) -> str:
    """The card in Markdown."""
    parts = [
        f"# {facts['name']}@{facts['version']}",
        describe_briefly(facts),
        "![Gains](gains.png)",
        "## How good it is",
        "All figures are of " + HELD_OUT[facts["metrics"]["held_out"]] + ".",
        table_figures(facts["metrics"]),
        (
            "ROC AUC is the chance that somebody who responds has a higher score than somebody who does not: 0.5 is a guess, 1 is perfect. "
            "The Brier score is the mean squared difference between score and outcome: lower is better."
        ),
        "## Tenths of people, highest scores first",
        table_deciles(facts["evaluation"]["deciles"]),
        "## Do the scores mean what they say?",
        "![Calibration](calibration.png)",
        "![Scores](scores.png)",
        "## Where to cut",
        describe_threshold(facts),
        "![Threshold](threshold.png)",
        *describe_features(facts["evaluation"].get("features", [])),
        *describe_apart(facts["evaluation"]["by"]),
        "## The data",
        list_data(facts),
        "## Limits",
        (
            "- It ranks people by what was known about them when the data were taken. When people or campaigns change, train again.\n"
            "- It says who responds, not who responds because of the message. A holdout group, which the policy can set aside, does.\n"
            "- Where figures by channel or country stand above, look at them, and ask whether leaving people out by this score is fair "
            "to them."
        ),
    ]
    return "\n\n".join(parts) + "\n"


def describe_briefly(facts: Mapping[str, Any]) -> str:
    """What it is, in three sentences."""
    metrics, best = facts["metrics"], facts["evaluation"]["deciles"][0]
    who = (
        f"the {metrics['n']:,} people given"
        if metrics["held_out"] == "given"
        else f"{metrics['n']:,} people held out"
    )
    kind = KINDS.get(facts.get("model", {}).get("kind", ""), "A model")
    return (
        f"{kind}: the score says how likely somebody responds. Of {who}, {say_share(metrics['base_rate'])} responded; "
        f"of the tenth with the highest scores, {say_share(best['rate'])} did, {best['lift']:.1f} times as many."
    )


def table_figures(metrics: Mapping[str, Any]) -> str:
    """Figures and their intervals."""
    alone = metrics["base_rate"] * (1 - metrics["base_rate"])
    names = {
        "roc_auc": ("ROC AUC", "0.5"),
        "average_precision": ("Average precision", say_score(metrics["base_rate"])),
        "brier": ("Brier score", say_score(alone)),
        "log_loss": ("Log loss", ""),
    }
    rows = [
        [
            title,
            say_score(metrics[name]),
            " to ".join(map(say_score, metrics["intervals"][name])),
            without,
        ]
        for name, (title, without) in names.items()
    ]
    return write_table(["figure", "value", "95 % interval", "without a model"], rows)


def table_deciles(deciles: Sequence[Mapping[str, Any]]) -> str:
    """Lift and gain."""
    rows = [
        [
            str(row["decile"]),
            f"{row['people']:,}",
            f"{row['responders']:,}",
            say_share(row["rate"]),
            f"{row['lift']:.2f}",
            say_share(row["gain"]),
        ]
        for row in deciles
    ]
    return write_table(
        ["tenth", "people", "responded", "rate", "times the average", "of all responders so far"],
        rows,
    )


def describe_threshold(facts: Mapping[str, Any]) -> str:
    """The recommended threshold, and what it does."""
    profit = facts["evaluation"].get("profit")
    asked = ", ".join(
        f"{name} {number:g}" for name, number in facts.get("threshold_for", {}).items()
    )
    rule = (
        RULES[facts["threshold_rule"]]
        if facts.get("threshold_rule") in RULES
        else "as the bundle recommends"
    )
    return (
        f"Recommended: {say_score(facts['threshold'])}, by {rule}{f' ({asked})' if asked else ''}. "
        f"It {say_kept(facts['metrics']['at_threshold'])}. The policy may set another."
        + (f" {say_profit(profit, facts['threshold'])}" if profit else "")
    )


def describe_features(features: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the model looks at."""
    if not features:
        return []
    rows = [
        [
            f"`{row['name']}`",
            f"{row['importance']:.4f}",
            "" if row["alone"] is None else f"{row['alone']:.3f}",
        ]
        for row in features[:MOST_FEATURES]
    ]
    more = len(features) - MOST_FEATURES
    return [
        "## What it looks at",
        (
            "How far ROC AUC falls when a feature is shuffled among people, and the ROC AUC of the feature alone. Those that say the same "
            "share their importance."
        ),
        write_table(["feature", "importance", "alone"], rows)
        + (f"\n\nand {more} more." if more > 0 else ""),
    ]


def describe_apart(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """By channel and by country, where there are several."""
    parts = []
    for label, rows in tables.items():
        if len(rows) > 1:
            cells = [
                [
                    row["value"],
                    f"{row['people']:,}",
                    say_share(row["rate"]),
                    say_share(row["mean_score"]),
                    f"{row['roc_auc']:.3f}",
                ]
                for row in rows
            ]
            parts += [
                f"## By {label}",
                write_table([label, "people", "responded", "mean score", "ROC AUC"], cells),
            ]
    return parts


def list_data(facts: Mapping[str, Any]) -> str:
    """What it was made from, what was left out, what was noticed."""
    data = facts["data"]
    lines = [
        f"{data['matched']:,} endpoints with an outcome, of {data['users']:,} people"
        + (
            f"; {data['users_with_several_endpoints']:,} of them have several"
            if data["users_with_several_endpoints"]
            else ""
        ),
        f"{data['responded']:,} responded, {say_share(data['responded'] / data['matched'])}",
        *(
            [f"{data['reserved']:,} of the endpoints were set aside and never learnt from"]
            if data["reserved"]
            else []
        ),
        (
            f"left aside: {data['without_outcome']:,} endpoints without outcome, {data['without_endpoint']:,} outcomes without endpoint, "
            f"{data['repeated']:,} endpoints seen before, {data['refused']:,} lines refused"
        ),
        *(f"left out: {sentence}" for sentence in data["left_out"]),
        *(f"noticed: {sentence}" for sentence in data["remarks"]),
    ]
    return "\n".join(f"- {line}" for line in lines)


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
