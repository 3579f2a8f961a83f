"""Compare a new uplift model with the one in use, by the Qini coefficient on the same people."""

from __future__ import annotations

import numpy as np

from model.bundle import Bundle
from model.features import Matrix
from model.training.export import score_onnx
from model.training.gate import check_bundle
from model.training.measures import COVERED, resample_weights
from model.training.uplift.campaign import Campaign
from model.training.uplift.measures import Floats, Uplift


def compare_qini(
    incumbent: Bundle, effects: Floats, campaign: Campaign, old_matrix: Matrix, seed: int
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
