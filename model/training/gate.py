"""Compare a new model with the bundle in use, and decide whether it may replace it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from model.bundle import Bundle, check_golden
from model.features import Matrix
from model.people.naming import name_some
from model.training.export import score_onnx
from model.training.measures import FIGURES, Ranking, Scores, bootstrap_difference
from model.training.people import LEAST_WITH_FEATURE, People

MARGIN = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the new model may replace `against`, why in a sentence, and the figures of both."""

    passed: bool
    against: str
    sentence: str
    figures: dict[str, Any]


def check_bundle(bundle: Bundle) -> bytes:
    """Read the bundle's model and score its golden rows. Raises BundleError if they differ."""
    onnx = bundle.model
    check_golden(bundle, score_onnx(onnx, bundle.golden_rows, bundle.score))
    return onnx


def describe_coverage(bundle: Bundle, matrix: Matrix) -> list[str]:
    """A sentence if fewer than 20 of these people have some feature of the bundle.

    `matrix` holds the people by the bundle's spec.
    """
    features = bundle.spec.features
    holders = (~np.isnan(matrix[:, list(bundle.spec.starts)])).sum(axis=0)
    missing = [
        feature.name
        for feature, count in zip(features, holders.tolist(), strict=True)
        if count < LEAST_WITH_FEATURE
    ]
    if not missing:
        return []
    found = len(features) - len(missing)
    effect = "its scores are less accurate" if found else "its scores mean nothing"
    sentence = (
        f"{found} of the {len(features)} features of {bundle.label} occur in at least "
        f"{LEAST_WITH_FEATURE} of these people, so {effect} for them; missing: {name_some(missing)}"
    )
    return [sentence]


def compare_with_incumbent(
    incumbent: Bundle, scores: Scores, people: People, margin: float, seed: int, *, unseen: bool
) -> Verdict:
    """Compare `scores` of the new model with the incumbent's scores of the same people.

    The new model fails if its ROC AUC is lower, or its Brier score higher, by more than `margin`.
    It has not seen these people. `unseen`: neither has the incumbent; if it has, it looks better
    than it is.
    """
    if people.incumbent_matrix is None:
        raise ValueError("people were gathered without the incumbent's spec")
    outcomes = people.outcomes
    old_scores = score_onnx(check_bundle(incumbent), people.incumbent_matrix, incumbent.score)
    new, old = Ranking(scores, outcomes).measure(), Ranking(old_scores, outcomes).measure()
    low, high = bootstrap_difference(scores, old_scores, outcomes, people.groups, seed)
    area, brier = new[0] - old[0], new[2] - old[2]
    reasons = []
    if area < -margin:
        reasons.append(f"its ROC AUC is lower by {-area:.4f}")
    if brier > margin:
        reasons.append(f"its Brier score is higher by {brier:.4f}")
    seen = "" if unseen else ", some of whom the old bundle may have learnt from"
    comparison = (
        f"ROC AUC {new[0]:.4f}, before {old[0]:.4f} (difference {area:+.4f}, 95 % interval "
        f"{low:+.4f} to {high:+.4f}); Brier score {new[2]:.4f}, before {old[2]:.4f}; margin "
        f"{margin:g}; on the same {len(outcomes):,} people{seen}"
    )
    coverage = describe_coverage(incumbent, people.incumbent_matrix)
    return Verdict(
        passed=not reasons,
        against=incumbent.label,
        sentence="; ".join([*reasons, comparison, *coverage]),
        figures={
            "against": incumbent.label,
            "margin": margin,
            "people": len(outcomes),
            "unseen_by_both": unseen,
            "new": _name_figures(new),
            "old": _name_figures(old),
            "roc_auc_difference": [low, high],
        },
    )


def _name_figures(figures: tuple[float, ...]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in zip(FIGURES, figures, strict=True)}
