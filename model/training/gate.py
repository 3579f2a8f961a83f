"""The bundle in use and a new model's scores in; whether the new model may take its place, and why, out. Never writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from model.bundle import Bundle, check_golden
from model.features import Matrix
from model.people.naming import name_some
from model.training.export import score_onnx
from model.training.measures import FIGURES, Ranking, Scores, draw_difference
from model.training.people import LEAST_WITH_FEATURE, People

MARGIN = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the new model may replace `against`; the figures of both on the same people; a sentence why."""

    passed: bool
    against: str
    sentence: str
    figures: dict[str, Any]


def prove_bundle(bundle: Bundle) -> bytes:
    """The bundle's model, after it has scored the golden rows as its trainer wrote. Raises BundleError."""
    onnx = bundle.model_file.read_bytes()
    check_golden(bundle, score_onnx(onnx, bundle.golden_rows))
    return onnx


def describe_coverage(bundle: Bundle, matrix: Matrix) -> list[str]:
    """A sentence where these people, as the bundle's spec sees them, have not all of its features: its scores are guesses there."""
    features = bundle.spec.features
    holders = (~np.isnan(matrix[:, list(bundle.spec.starts)])).sum(axis=0)
    missing = [
        feature.name
        for feature, count in zip(features, holders.tolist(), strict=True)
        if count < LEAST_WITH_FEATURE
    ]
    if not missing:
        return []
    there = len(features) - len(missing)
    verdict = (
        "it knows less of them than it learnt" if there else "its scores say nothing about them"
    )
    found = f"{bundle.label} finds {there} of its {len(features)} features in {LEAST_WITH_FEATURE} or more of these people"
    return [f"{found}, so {verdict}; missing: {name_some(missing)}"]


def judge_against(
    rival: Bundle, mine: Scores, people: People, margin: float, seed: int, *, unseen: bool
) -> Verdict:
    """Compare `mine` with the rival's scores of the same people: ROC AUC must not be lower, nor the Brier score higher, beyond `margin`.

    `mine` is of a model that has not seen these people. `unseen`: nor has the rival; where it may have, that speaks for the rival.
    """
    if people.rival is None:
        raise ValueError("people were gathered without the rival's spec")
    theirs, outcomes = score_onnx(prove_bundle(rival), people.rival), people.outcomes
    mine_figures, their_figures = (
        Ranking(mine, outcomes).measure(),
        Ranking(theirs, outcomes).measure(),
    )
    low, high = draw_difference(mine, theirs, outcomes, people.groups, seed)
    area, brier = mine_figures[0] - their_figures[0], mine_figures[2] - their_figures[2]
    reasons = []
    if area < -margin:
        reasons.append(f"its ROC AUC is lower by {-area:.4f}")
    if brier > margin:
        reasons.append(f"its Brier score is higher by {brier:.4f}")
    words = (
        f"ROC AUC {mine_figures[0]:.4f} against {their_figures[0]:.4f} (difference {area:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}), "
        f"Brier score {mine_figures[2]:.4f} against {their_figures[2]:.4f}, on the same {len(outcomes):,} people"
        f"{'' if unseen else ', some of whom the old bundle may have learnt from'}; margin {margin:g}"
    )
    words = "; ".join([words, *describe_coverage(rival, people.rival)])
    return Verdict(
        passed=not reasons,
        against=rival.label,
        sentence=f"{'; '.join(reasons)}: {words}" if reasons else words,
        figures={
            "against": rival.label,
            "margin": margin,
            "people": len(outcomes),
            "unseen_by_both": unseen,
            "new": _name_figures(mine_figures),
            "old": _name_figures(their_figures),
            "roc_auc_difference": [low, high],
        },
    )


def _name_figures(figures: tuple[float, ...]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in zip(FIGURES, figures, strict=True)}
