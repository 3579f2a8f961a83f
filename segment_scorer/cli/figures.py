"""The closing lines of a training run or an evaluation: entries of a manifest in, lines out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from model.training.folds import SCHEMES
from model.training.phrases import (
    GIVEN,
    describe_kept,
    describe_profit,
    describe_unused,
    format_score,
    format_share,
)
from model.training.reference import describe_reference
from model.training.threshold import RULES

FigureRow: TypeAlias = tuple[str, str]

JUDGED_ON: dict[str, str] = {
    **{scheme.value: entry.brief for scheme, entry in SCHEMES.items()},
    GIVEN: "the {:,} people given",
}
REASONS: dict[str, str] = {rule.value: entry.brief for rule, entry in RULES.items()}


def describe_join(data: Mapping[str, Any]) -> list[FigureRow]:
    """What was read, and what was not used."""
    several, reserved = data["users_with_several_endpoints"], data["reserved"]
    rate = format_share(data["responded"] / data["matched"])
    rows = [("people", f"{data['matched']:,} with endpoint and outcome; {rate} responded")]
    if reserved:
        rows.append(("reserved", f"{reserved:,} of them, never learnt from"))
    if several:
        rows.append(
            ("users", f"{data['users']:,}; {several:,} have several endpoints, never split up")
        )
    return [*rows, ("not used", describe_unused(data))]


def describe_ages(facts: Mapping[str, Any]) -> list[FigureRow]:
    """What ages are measured against, if there are any."""
    reference = describe_reference(facts)
    return [("ages", reference.removeprefix("ages "))] if reference else []


def describe_figures(facts: Mapping[str, Any]) -> list[FigureRow]:
    """How good the scores are, and what the recommended threshold keeps."""
    metrics, evaluation = facts["metrics"], facts["evaluation"]
    rate, best, profit = metrics["base_rate"], evaluation["deciles"][0], evaluation["profit"]
    judged_on = JUDGED_ON[metrics["held_out"]].format(metrics["n"])
    reason = REASONS.get(facts["threshold_rule"], "of the bundle")

    def show(name: str) -> str:
        low, high = map(format_score, metrics["intervals"][name])
        return f"{format_score(metrics[name])} ({low} to {high})"

    best_text = (
        f"{format_share(best['rate'])} respond, {best['lift']:.1f} times the average; "
        f"{format_share(best['gain'])} of all responders"
    )
    kept = describe_kept(metrics["at_threshold"])
    rows = [
        ("measured on", f"{judged_on}; {format_share(rate)} responded; 95 % intervals in brackets"),
        ("ROC AUC", show("roc_auc")),
        ("average precision", show("average_precision")),
        ("Brier score", f"{show('brier')}; without a model {format_score(rate * (1 - rate))}"),
        ("log loss", show("log_loss")),
        ("best decile", best_text),
        ("threshold", f"{format_score(facts['threshold'])}, {reason}: {kept}"),
    ]
    if profit:
        rows.append(("profit", describe_profit(profit, facts["threshold"])))
    return rows


def describe_deciles(deciles: Sequence[Mapping[str, Any]]) -> list[FigureRow]:
    """Response rate and cumulative gains of each decile, the highest scores first."""
    return [
        (
            f"decile {row['decile']}",
            (
                f"{format_share(row['rate']):>6} respond, {row['lift']:5.2f} times the average; "
                f"cumulative gains {row['gain']:6.1%}"
            ),
        )
        for row in deciles
    ]


def describe_subgroups(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[FigureRow]:
    """Figures by channel and by country."""
    return [
        (
            f"{label} {row['value']}",
            (
                f"{row['people']:,} people, {format_share(row['rate'])} responded, "
                f"ROC AUC {row['roc_auc']:.4f}"
            ),
        )
        for label, table in tables.items()
        for row in table
    ]


def lay_out(rows: Sequence[FigureRow]) -> str:
    """Two columns."""
    return "\n".join(f"{name:<18} {text}" for name, text in rows)
