"""What a training run or an evaluation says at its end: figures in, lines for a terminal out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RULES = {
    "base_rate": "the base rate",
    "profit": "for the highest expected profit",
    "reach": "for the reach asked for",
    "precision": "for the precision asked for",
}
HELD_OUT = {"shuffled": "held out at random", "by user": "held out by user", "by time": "held out by time", "given": "those given"}


def describe_join(data: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was read, and what became of it."""
    several = data["users_with_several_endpoints"]
    return [
        ("people", f"{data['matched']:,} with endpoint and outcome; {metrics['base_rate']:.1%} responded"),
        *([("users", f"{data['users']:,}; {several:,} of them have several endpoints, never on both sides of a split")] if several else []),
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
    metrics, at, best = facts["metrics"], facts["metrics"]["at_threshold"], facts["evaluation"]["deciles"][0]
    between = {name: "{:.4f} to {:.4f}".format(*edges) for name, edges in metrics["intervals"].items()}
    precision = "nobody" if at["precision"] is None else f"{at['precision']:.1%} of them respond"
    alone = metrics["base_rate"] * (1 - metrics["base_rate"])
    rule = RULES.get(facts["threshold_rule"], "the bundle's")
    return [
        ("judged on", f"{metrics['n']:,} people {HELD_OUT[metrics['held_out']]}; 95 % intervals in brackets"),
        ("ROC AUC", f"{metrics['roc_auc']:.4f} ({between['roc_auc']})"),
        ("average precision", f"{metrics['average_precision']:.4f} ({between['average_precision']})"),
        ("Brier score", f"{metrics['brier']:.4f} ({between['brier']}); {alone:.4f} for the base rate alone"),
        ("log loss", f"{metrics['log_loss']:.4f} ({between['log_loss']})"),
        ("best tenth", f"{best['rate']:.1%} respond, {best['lift']:.1f} times the average; {best['gain']:.1%} of all who respond"),
        (
            "threshold",
            f"{facts['threshold']:.4f}, {rule}: keeps {at['reach']:.1%} of people, {precision}, {at['recall']:.1%} of all who respond",
        ),
    ]


def lay_out(rows: list[tuple[str, str]]) -> str:
    """Two columns."""
    return "\n".join(f"{name:<18} {text}" for name, text in rows)
