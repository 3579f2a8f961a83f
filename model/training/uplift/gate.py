"""Compare a new uplift model with the one in use, by the Qini coefficient on the same people."""

from __future__ import annotations

import numpy as np

from model.bundle import Bundle
from model.features import Matrix
from model.training.export import score_onnx
from model.training.gate import (
    IfUnclear,
    Verdict,
    check_bundle,
    describe_coverage,
    describe_needed,
)
from model.training.measures import COVERED, resample_weights
from model.training.uplift.campaign import UpliftPeople
from model.training.uplift.measures import Floats, Uplift
from model.training.verdict import Finding, Gain, count_needed, judge


def compare_qini(
    incumbent: Bundle, effects: Floats, campaign: UpliftPeople, old_matrix: Matrix, seed: int
) -> tuple[float, float, tuple[float, float]]:
    """The Qini coefficients of the new model and of the incumbent, and the 95 % interval of their
    difference. Users are drawn.
    """
    old_effects = score_onnx(check_bundle(incumbent), old_matrix, incumbent.score)
    new, old = (Uplift(scores, campaign) for scores in (effects, old_effects))
    differences = [
        float(new.measure(weights)[0][0] - old.measure(weights)[0][0])
        for weights in resample_weights(campaign.groups, seed)
    ]
    edges = np.quantile(differences, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return (
        float(new.measure()[0][0]),
        float(old.measure()[0][0]),
        (float(edges[0]), float(edges[1])),
    )


def pass_uplift_gate(
    incumbent: Bundle,
    effects: Floats,
    campaign: UpliftPeople,
    old_matrix: Matrix,
    *,
    margin: float,
    seed: int,
    unseen: bool,
    if_unclear: IfUnclear,
) -> Verdict:
    """Whether a new model may replace the incumbent, by the rules for response models.

    `unseen`: the incumbent has not learnt from these people either; if it has, it looks better than
    it is, and the new model cannot be called worse.
    """
    new, old, (low, high) = compare_qini(incumbent, effects, campaign, old_matrix, seed)
    gain = Gain(new - old, low, high)
    finding = judge(gain, margin)
    if finding is Finding.WORSE and not unseen:
        finding = Finding.UNCLEAR
    responders = int(campaign.outcomes.sum())
    seen = "" if unseen else ", some of whom the old bundle may have learnt from"
    parts = [f"its Qini coefficient is lower by {old - new:.4f}"] if high < 0 else []
    parts.append(
        f"Qini coefficient {new:.4f}, before {old:.4f} (difference {new - old:+.4f}, 95 % interval "
        f"{low:+.4f} to {high:+.4f}); margin {margin:g}; on the same {len(effects):,} people{seen}"
    )
    # Below 0 with the whole interval, more people would not help; people new to both would.
    if finding is Finding.UNCLEAR and high >= 0:
        parts.append(describe_needed(count_needed(gain, margin, responders), responders))
    return Verdict(
        passed=finding is Finding.EQUAL
        or (finding is Finding.UNCLEAR and if_unclear is IfUnclear.REPLACE),
        finding=finding,
        behind=old - new,
        against=incumbent.label,
        sentence="; ".join([*parts, *describe_coverage(incumbent, old_matrix)]),
        figures={
            "against": incumbent.label,
            "margin": margin,
            "people": len(effects),
            "responders": responders,
            "unseen_by_both": unseen,
            "finding": finding.value,
            "new": {"qini": round(new, 6)},
            "old": {"qini": round(old, 6)},
            "qini_difference": [round(low, 6), round(high, 6)],
        },
    )
