from __future__ import annotations

import numpy as np

from model.features import Feature, FeatureSpec
from model.training.fit import fit_model


def test_holds_the_score_to_the_direction_that_the_spec_gives() -> None:
    random = np.random.default_rng(0)
    matrix = random.random((2_000, 1), dtype=np.float32)
    outcomes = (np.abs(matrix[:, 0] - 0.5) < 0.25).astype(np.int64)  # rises, then falls
    ladder = np.linspace(0, 1, 200, dtype=np.float32).reshape(-1, 1)
    for monotonic, rises_only in (("increasing", True), ("", False)):
        spec = FeatureSpec((Feature(name="x", path="Metrics.X", kind="number", monotonic=monotonic),))
        scores = fit_model(spec, matrix, outcomes, 0, calibrated=False).predict_proba(ladder)[:, 1]
        assert bool((np.diff(scores) >= 0).all()) is rises_only
