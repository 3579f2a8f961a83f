"""Boosted trees as `train` grows them, beside more trees at half the rate.

Takes people with outcomes; gives figures out of fold, as `make prove-training` keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from model.training.models import ModelChoice, ModelSettings, make_model
from model.training.people import People
from model.training.selection import fill_absent, limit_threads

# What `train` grows for fewer than 50,000 people, and what it grew before. From 50,000 people on,
# it grows more and larger ones.
CHOICES: Mapping[str, Mapping[str, Any]] = {
    "60 trees, rate 0.1": {"max_iter": 60, "learning_rate": 0.1},
    "150 trees, rate 0.05": {"max_iter": 150, "learning_rate": 0.05},
}
MODELS: Mapping[str, str] = {"boosting": "", "blend": "boosting__"}
SEEDS = (0, 1, 2)


def compare_trees(people: People) -> dict[str, dict[str, dict[str, float]]]:
    """Model -> choice -> ROC AUC, Brier score and log loss: means of three five-fold divisions."""
    return {
        model: {
            name: measure_choice(
                people, ModelChoice(model, {prefix + key: value for key, value in given.items()})
            )
            for name, given in CHOICES.items()
        }
        for model, prefix in MODELS.items()
    }


def measure_choice(people: People, choice: ModelChoice) -> dict[str, float]:
    """The figures of one choice."""
    outcomes = people.outcomes
    found = []
    for seed in SEEDS:
        scores = score_out_of_fold(people, choice, seed)
        found.append(
            [measure(outcomes, scores) for measure in (roc_auc_score, brier_score_loss, log_loss)]
        )
    names = ("roc_auc", "brier", "log_loss")
    return dict(zip(names, np.mean(found, axis=0).round(4).tolist(), strict=True))


def score_out_of_fold(
    people: People, choice: ModelChoice, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Scores [people] of one plain five-fold cross-validation, divided by `seed`."""
    outcomes = people.outcomes
    scores = np.full(len(outcomes), np.nan)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(np.zeros((len(outcomes), 1)), outcomes):
        matrix = fill_absent(people.matrix, [train])
        model = make_model(ModelSettings(), choice, people.spec, len(outcomes), 0)
        with limit_threads(len(outcomes)):
            model.fit(matrix[train], outcomes[train])
            scores[test] = model.predict_proba(matrix[test])[:, 1]
    return scores
