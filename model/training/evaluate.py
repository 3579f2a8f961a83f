"""How good the scores are, told only from people that the model which scored them had not seen. Never fits what ships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from model.features import FeatureSpec, Matrix
from model.training.datasets import Report
from model.training.fit import FOLDS, make_folds, make_model
from model.training.people import Outcomes

Scores = npt.NDArray[np.float64]
# A sigmoid must lower the Brier score by this share to be worth its place: less is noise (CDNOW: below 0.0001).
LEAST_GAIN = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Scores out of fold [n], row for row with the people; whether they went through a sigmoid, and what they are worth."""

    scores: Scores
    calibrated: bool
    threshold: float
    metrics: dict[str, Any]


def evaluate_out_of_fold(spec: FeatureSpec, matrix: Matrix, outcomes: Outcomes, seed: int, report: Report) -> Evaluation:
    """Score everybody by a model fitted on the other four fifths, decide on calibration, choose the threshold and measure."""
    plain, margins = np.empty(len(outcomes)), np.empty(len(outcomes))
    for fold, (train, test) in enumerate(make_folds(seed).split(matrix, outcomes)):
        report("evaluating out of fold", fold, FOLDS)
        model = make_model(spec, seed).fit(matrix[train], outcomes[train])
        plain[test] = model.predict_proba(matrix[test])[:, 1]
        margins[test] = model.decision_function(matrix[test])
    report("evaluating out of fold", FOLDS, FOLDS)
    through = calibrate_out_of_fold(margins, matrix, outcomes, seed)
    calibrated = bool(brier_score_loss(outcomes, through) < (1 - LEAST_GAIN) * brier_score_loss(outcomes, plain))
    scores = through if calibrated else plain
    threshold = choose_threshold(outcomes)
    return Evaluation(scores=scores, calibrated=calibrated, threshold=threshold, metrics=measure(scores, outcomes, threshold))


def calibrate_out_of_fold(margins: Scores, matrix: Matrix, outcomes: Outcomes, seed: int) -> Scores:
    """What a sigmoid makes of out-of-fold `margins` [n], itself learnt from the other folds only."""
    through = np.empty(len(outcomes))
    column = margins.reshape(-1, 1)
    for train, test in make_folds(seed).split(matrix, outcomes):
        sigmoid = LogisticRegression(C=1e6).fit(column[train], outcomes[train])
        through[test] = sigmoid.predict_proba(column[test])[:, 1]
    return through


def choose_threshold(outcomes: Outcomes) -> float:
    """The recommended threshold: the base rate, so that whoever is at least as likely to respond as people on average stays.

    For scores that mean what they say this is the point that maximises Youden's J (share of responders kept minus share of the
    others kept), and, unlike a maximum searched for on the data, it does not move with the noise of a small sample.
    """
    return round(float(outcomes.mean()), 6)


def measure(scores: Scores, outcomes: Outcomes, threshold: float) -> dict[str, Any]:
    """The figures of the manifest; `at_threshold` says what the recommended one does to these people."""
    kept = scores >= threshold
    responders = int(outcomes.sum())
    return {
        "roc_auc": round(float(roc_auc_score(outcomes, scores)), 6),
        "average_precision": round(float(average_precision_score(outcomes, scores)), 6),
        "brier": round(float(brier_score_loss(outcomes, scores)), 6),
        "log_loss": round(float(log_loss(outcomes, scores)), 6),
        "base_rate": round(float(outcomes.mean()), 6),
        "n": len(outcomes),
        "folds": FOLDS,
        "at_threshold": {
            "reach": round(float(kept.mean()), 6),
            "precision": round(float(outcomes[kept].mean()), 6) if kept.any() else None,
            "recall": round(float(outcomes[kept].sum()) / responders, 6),
        },
    }
