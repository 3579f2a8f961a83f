"""Scores people by the learners of scikit-uplift and causalml, in `.cache/uplift`, where it runs.

Input: people.npz (matrix, outcomes, treated, fold). Output: scores.npz, an array a learner, each
person scored by a model that was fitted on the other folds.
"""

from __future__ import annotations

import os
import sys
import warnings

# On a busy machine, many threads on few rows wait for each other. Set before the libraries load.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from causalml.inference.meta import (
    BaseDRRegressor,
    BaseRRegressor,
    BaseXClassifier,
)
from sklearn.ensemble import HistGradientBoostingClassifier as Trees
from sklearn.ensemble import HistGradientBoostingRegressor as TreesOfNumbers
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklift.models import ClassTransformation, SoloModel, TwoModels

warnings.filterwarnings("ignore")


def logistic():
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def linear():
    return make_pipeline(StandardScaler(), LinearRegression())


def trees():
    return Trees(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=50, random_state=0
    )


def tree_numbers():
    return TreesOfNumbers(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=100, random_state=0
    )


def fit_sklift(model):
    def score(x, y, t, test):
        return model().fit(x, y, t).predict(test)

    return score


def fit_causalml(model, *, share=False):
    def score(x, y, t, test):
        made = model()
        known = {"p": np.full(len(x), t.mean())} if share else {}
        made.fit(X=x, treatment=t, y=y, **known)
        there = {"p": np.full(len(test), t.mean())} if share else {}
        return np.asarray(made.predict(X=test, **there)).ravel()

    return score


# Learners that both libraries have are fitted once.
LEARNERS = {
    "scikit-uplift SoloModel, trees": fit_sklift(lambda: SoloModel(trees())),
    "scikit-uplift ClassTransformation, logistic": fit_sklift(
        lambda: ClassTransformation(logistic())
    ),
    "scikit-uplift ClassTransformation, trees": fit_sklift(lambda: ClassTransformation(trees())),
    "scikit-uplift TwoModels, logistic": fit_sklift(lambda: TwoModels(logistic(), logistic())),
    "scikit-uplift TwoModels, trees": fit_sklift(lambda: TwoModels(trees(), trees())),
    "causalml X-learner, logistic and linear": fit_causalml(
        lambda: BaseXClassifier(outcome_learner=logistic(), effect_learner=linear()), share=True
    ),
    "causalml X-learner, trees": fit_causalml(
        lambda: BaseXClassifier(outcome_learner=trees(), effect_learner=tree_numbers()), share=True
    ),
    "causalml R-learner, trees": fit_causalml(
        lambda: BaseRRegressor(learner=tree_numbers()), share=True
    ),
    "causalml DR-learner, trees": fit_causalml(
        lambda: BaseDRRegressor(learner=tree_numbers(), treatment_effect_learner=tree_numbers()),
        share=True,
    ),
}


def main() -> None:
    """Run the script."""
    data = np.load(sys.argv[1])
    x, y, t, fold = (data[name] for name in ("matrix", "outcomes", "treated", "fold"))
    x = x.astype(np.float64)
    scores = {}
    for name, score in LEARNERS.items():
        values = np.empty(len(y))
        for number in np.unique(fold):
            train, test = fold != number, fold == number
            values[test] = score(x[train], y[train], t[train], x[test])
        scores[name] = values
        print(name, flush=True)
    from sklift.metrics import qini_auc_score  # noqa: PLC0415

    # That its coefficient is ours, on one of these learners.
    last = scores["scikit-uplift TwoModels, logistic"]
    scores["check"] = np.array(qini_auc_score(y, last, t))
    np.savez(sys.argv[2], **scores)


main()
