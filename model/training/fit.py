"""Matrix and outcomes in, a fitted scikit-learn classifier out. The only place that knows which model it is. Never reads a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold

from model.features import DIRECTIONS, FeatureSpec, Matrix
from model.training.people import Outcomes

FOLDS = 5


def make_model(spec: FeatureSpec, seed: int) -> Any:
    """An unfitted classifier for float32 [n, f] with NaN.

    Few leaves, large leaves, a low rate: a response list is small and noisy, and such trees rank people as well out of fold as deeper
    ones while their scores stay closer to the truth (CDNOW: 8 leaves 0.772, 15 leaves 0.771, Brier 0.1583 and 0.1589). Early stopping
    is off because it would hold people back and make the number of trees depend on which. Categories are one-hot columns already;
    `categorical_features` does not survive the export.
    """
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=100,
        max_leaf_nodes=8,
        min_samples_leaf=50,
        l2_regularization=1.0,
        monotonic_cst=_read_directions(spec),
        early_stopping=False,
        random_state=seed,
    )


def make_folds(seed: int) -> StratifiedKFold:
    """Shuffled, because files are often in the order in which people joined; stratified, because responders are few."""
    return StratifiedKFold(FOLDS, shuffle=True, random_state=seed)


def fit_model(spec: FeatureSpec, matrix: Matrix, outcomes: Outcomes, seed: int, *, calibrated: bool) -> Any:
    """Fit on everybody. `calibrated` puts one sigmoid, learnt out of fold, behind one model: the only form that exports faithfully."""
    model = make_model(spec, seed)
    if calibrated:
        model = CalibratedClassifierCV(model, method="sigmoid", cv=make_folds(seed), ensemble=False)
    return model.fit(matrix, outcomes)


def _read_directions(spec: FeatureSpec) -> list[int] | None:
    directions = [DIRECTIONS.get(feature.monotonic, 0) for feature in spec.features for _ in feature.columns]
    return directions if np.any(directions) else None
