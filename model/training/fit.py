"""Matrix and outcomes in, a fitted scikit-learn classifier out. The only place that knows which model it is. Never reads a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.errors import SpecError
from model.features import DIRECTIONS, FeatureSpec, Matrix
from model.training.folds import Rows, make_folds
from model.training.people import People

# A search is bounded by people, settings and folds, not by a clock: the same input has to give the same bundle.
SEARCHED_PEOPLE = 20_000
SEARCHED_SETTINGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which model, how it weighs the outcomes, and whether its settings are searched for.

    balanced  both outcomes weigh the same in fitting; the scores are calibrated afterwards, always
    """

    model: str = "boosting"
    balanced: bool = False
    search: bool = False

    @property
    def weights(self) -> str | None:
        """scikit-learn's word for it."""
        return "balanced" if self.balanced else None


def make_boosting(recipe: Recipe, directions: list[int] | None, people: int, seed: int) -> Any:
    """Boosted trees: take gaps as they are, find bends and interactions. The default.

    Few leaves, large leaves, a low rate: a response list is small and noisy, and such trees rank people as well out of fold as deeper
    ones while their scores stay closer to the truth (CDNOW: 8 leaves 0.772, 15 leaves 0.771, Brier 0.1583 and 0.1589). Many people
    carry more of them. Early stopping is off because it would hold people back and make the number of trees depend on which. Categories
    are one-hot columns already; `categorical_features` does not survive the export.
    """
    many = people >= 50_000
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=300 if many else 100,
        max_leaf_nodes=31 if many else 8,
        min_samples_leaf=50 if people >= 2_000 else 20,
        l2_regularization=1.0,
        monotonic_cst=directions,
        class_weight=recipe.weights,
        early_stopping=False,
        random_state=seed,
    )


def make_logistic(recipe: Recipe, directions: list[int] | None, people: int, seed: int) -> Any:  # noqa: ARG001  # one form for all
    """Logistic regression on standardised columns: one weight a column, easy to read. Gaps are filled with the median."""
    if directions:
        raise SpecError("expected no monotonic in the feature spec for the model logistic: its scores go one way in every column anyway")
    return make_pipeline(
        SimpleImputer(strategy="median"),
        StandardScaler(),
        LogisticRegression(max_iter=2_000, class_weight=recipe.weights, random_state=seed),
    )


def make_forest(recipe: Recipe, directions: list[int] | None, people: int, seed: int) -> Any:
    """A random forest. Gaps are filled with the median, for a forest on gaps does not survive the export."""
    return make_pipeline(
        SimpleImputer(strategy="median"),
        RandomForestClassifier(
            n_estimators=200,
            min_samples_leaf=max(5, people // 2_000),
            max_features="sqrt",
            monotonic_cst=directions,
            class_weight=recipe.weights,
            random_state=seed,
        ),
    )


MODELS: dict[str, Callable[[Recipe, list[int] | None, int, int], Any]] = {
    "boosting": make_boosting,
    "logistic": make_logistic,
    "forest": make_forest,
}
# What a search draws from, by model.
SETTINGS: dict[str, dict[str, list[Any]]] = {
    "boosting": {
        "max_iter": [60, 100, 200, 400],
        "learning_rate": [0.03, 0.05, 0.1],
        "max_leaf_nodes": [4, 8, 16, 31],
        "min_samples_leaf": [10, 20, 50, 100],
        "l2_regularization": [0.0, 1.0, 10.0],
    },
    "logistic": {"logisticregression__C": [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]},
    "forest": {
        "randomforestclassifier__min_samples_leaf": [2, 5, 10, 20, 50],
        "randomforestclassifier__max_features": ["sqrt", 0.3, 0.6],
    },
}


def make_model(recipe: Recipe, spec: FeatureSpec, people: int, seed: int, settings: Mapping[str, Any] | None = None) -> Any:
    """An unfitted classifier for float32 [people, f] with NaN."""
    return MODELS[recipe.model](recipe, read_directions(spec), people, seed).set_params(**(settings or {}))


def search_settings(recipe: Recipe, people: People, rows: Rows, seed: int) -> dict[str, Any]:
    """The best of ten settings by ROC AUC in folds of at most 20,000 of these `rows`; nothing where the recipe searches nothing."""
    if not recipe.search:
        return {}
    random = np.random.default_rng(seed)
    rows = np.sort(random.choice(rows, min(SEARCHED_PEOPLE, len(rows)), replace=False))
    outcomes = people.outcomes[rows]
    numbered = np.unique(people.groups[rows], return_inverse=True)[1]
    search = RandomizedSearchCV(
        make_model(recipe, people.spec, len(rows), seed),
        SETTINGS[recipe.model],
        n_iter=SEARCHED_SETTINGS,
        scoring="roc_auc",
        cv=make_folds(outcomes, numbered, None, seed).pairs[:3],
        refit=False,
        random_state=seed,
    )
    return dict(search.fit(people.matrix[rows], outcomes).best_params_)


def find_margins(model: Any, matrix: Matrix) -> npt.NDArray[np.float64]:
    """What a sigmoid takes, float64 [n]: the model's margin, or where it has none its probability."""
    margins = model.decision_function(matrix) if hasattr(model, "decision_function") else model.predict_proba(matrix)[:, 1]
    return np.asarray(margins, dtype=np.float64)


def fit_model(recipe: Recipe, people: People, seed: int, *, calibrated: bool) -> tuple[Any, dict[str, Any]]:
    """Fit on everybody; give the settings that a search chose beside it.

    `calibrated` puts one sigmoid, learnt out of fold, behind one model: the only form that exports faithfully.
    """
    count = len(people.outcomes)
    settings = search_settings(recipe, people, np.arange(count), seed)
    model = make_model(recipe, people.spec, count, seed, settings)
    if calibrated:
        folds = make_folds(people.outcomes, people.groups, None, seed)
        model = CalibratedClassifierCV(model, method="sigmoid", cv=folds.pairs, ensemble=False)
    return model.fit(people.matrix, people.outcomes), settings


def read_directions(spec: FeatureSpec) -> list[int] | None:
    """scikit-learn's constraint for each column; None where the spec has none."""
    directions = [DIRECTIONS.get(feature.monotonic, 0) for feature in spec.features for _ in feature.columns]
    return directions if np.any(directions) else None
