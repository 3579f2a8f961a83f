"""The closing lines of an uplift training or evaluation: entries of a manifest in, lines out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.training.phrases import format_score, format_share
from model.training.uplift.phrases import (
    describe_effect,
    describe_kept,
    describe_profit,
    describe_put_off,
    describe_qini,
    show,
    spread,
)
from model.training.uplift.threshold import BRIEFS
from segment_scorer.cli.figures import JUDGED_ON, FigureRow


def describe_effects(facts: Mapping[str, Any]) -> list[FigureRow]:
    """What the message changed, how well the scores tell whom it moves, and the threshold."""
    metrics, profit = facts["metrics"], facts["evaluation"]["profit"]
    judged_on = JUDGED_ON[metrics["held_out"]].format(metrics["n"])
    reason = BRIEFS.get(facts["threshold_rule"], "of the bundle")
    messaged = format_share(metrics["treated"]["share"])
    rows = [
        (
            "measured on",
            f"{judged_on}; chance had messaged {messaged}; 95 % intervals in brackets",
        ),
        ("mean effect", describe_effect(metrics)),
        ("Qini coefficient", describe_qini(metrics)),
        *(
            (f"top {share} %", f"effect {show(metrics, f'uplift_{share}')}")
            for share in (10, 20, 30)
        ),
        ("calibration", f"slope {show(metrics, 'calibration_slope')}; perfect 1"),
        ("put off", describe_put_off(metrics)),
        ("threshold", f"{format_score(facts['threshold'])}, {reason}: {describe_kept(metrics)}"),
    ]
    if profit:
        rows.append(("profit", describe_profit(profit, facts["threshold"])))
    return rows


def describe_effect_deciles(deciles: Sequence[Mapping[str, Any]]) -> list[FigureRow]:
    """Mean score and observed effect of each decile, the highest scores first."""
    return [
        (
            f"decile {row['decile']}",
            f"score {row['score']:+.4f}; observed per 1,000 people "
            + (
                "unknown"
                if row["effect"] is None
                else f"{1000 * row['effect']:+.1f} ({spread(row['interval'])})"
            ),
        )
        for row in deciles
    ]
