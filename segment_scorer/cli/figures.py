"""What a training run or an evaluation says at its end: figures in, lines for a terminal out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.training.phrases import say_kept, say_profit, say_score, say_share

RULES = {
    "base_rate": "the base rate",
    "profit": "for the highest expected profit",
    "reach": "for the reach asked for",
    "precision": "for the precision asked for",
}
HELD_OUT = {
    "shuffled": "{:,} people held out at random",
    "by user": "{:,} people held out by user",
    "by time": "{:,} later people held out by time",
    "given": "the {:,} people given",
}


def describe_join(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was read, and what became of it."""
    several, aside = data["users_with_several_endpoints"], data["reserved"]
    return [
        (
            "people",
            f"{data['matched']:,} with endpoint and outcome; {say_share(data['responded'] / data['matched'])} responded",
        ),
        *([("set aside", f"{aside:,} of them, never learnt from")] if aside else []),
        *(
            [
                (
                    "users",
                    f"{data['users']:,}; {several:,} of them have several endpoints, never on both sides of a split",
                )
            ]
            if several
            else []
        ),
        (
            "left aside",
            (
                f"{data['without_outcome']:,} endpoints without outcome, {data['without_endpoint']:,} outcomes without endpoint, "
                f"{data['repeated']:,} endpoints seen before, {data['refused']:,} lines refused"
            ),
        ),
    ]


def describe_figures(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How good the scores are, and what the recommended threshold does."""
    metrics, at, best = (
        facts["metrics"],
        facts["metrics"]["at_threshold"],
        facts["evaluation"]["deciles"][0],
    )
    between = {
        name: " to ".join(map(say_score, edges)) for name, edges in metrics["intervals"].items()
    }
    judged = HELD_OUT[metrics["held_out"]].format(metrics["n"])
    profit = facts["evaluation"]["profit"]
    alone = metrics["base_rate"] * (1 - metrics["base_rate"])
    rule = RULES.get(facts["threshold_rule"], "the bundle's")
    return [
        (
            "judged on",
            f"{judged}, of whom {say_share(metrics['base_rate'])} responded; 95 % intervals in brackets",
        ),
        ("ROC AUC", f"{say_score(metrics['roc_auc'])} ({between['roc_auc']})"),
        (
            "average precision",
            f"{say_score(metrics['average_precision'])} ({between['average_precision']})",
        ),
        (
            "Brier score",
            f"{say_score(metrics['brier'])} ({between['brier']}); {say_score(alone)} for the base rate alone",
        ),
        ("log loss", f"{say_score(metrics['log_loss'])} ({between['log_loss']})"),
        (
            "best tenth",
            f"{say_share(best['rate'])} respond, {best['lift']:.1f} times the average; {say_share(best['gain'])} of all who respond",
        ),
        ("threshold", f"{say_score(facts['threshold'])}, {rule}: {say_kept(at)}"),
        *([("profit", say_profit(profit, facts["threshold"]))] if profit else []),
    ]


def lay_out(rows: list[tuple[str, str]]) -> str:
    """Two columns."""
    return "\n".join(f"{name:<18} {text}" for name, text in rows)
