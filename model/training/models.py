"""The models that can be trained: a table whose entry brings everything a model is.

To add a model, add an entry to `MODELS`; export, search and help read it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from model.errors import SpecError
from model.features import DIRECTIONS, FeatureSpec

AUTO = "auto"

# scikit-learn's constraint for each column: 1 rising, -1 falling, 0 free; None if all are free.
Directions: TypeAlias = list[int] | None


class ModelChoice(NamedTuple):
    """A key of `MODELS`, and parameters for scikit-learn's `set_params`."""

    model: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """The model to train.

    model     a key of `MODELS`, or "auto" to compare `CANDIDATES` on the people at hand
    balanced  weigh both outcomes the same in fitting; the scores are then always calibrated
    search    search for the model's parameters
    prior     of a bundle in use: "auto" keeps it unless another is clearly better
    """

    model: str = AUTO
    balanced: bool = False
    search: bool = False
    prior: ModelChoice | None = None

    @property
    def weights(self) -> str | None:
        """scikit-learn's `class_weight`."""
        return "balanced" if self.balanced else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """Everything a model is.

    make           settings, directions, people and seed in; an unfitted classifier out
    title          its name at the start of the model card
    holds          whether it can hold the score to a direction (`monotonic` in the spec)
    search_space   the values that `--search` tries, by parameter
    """

    make: Callable[[ModelSettings, Directions, int, int], Any]
    title: str
    holds: bool
    search_space: Mapping[str, list[Any]]


def make_boosting(settings: ModelSettings, directions: Directions, people: int, seed: int) -> Any:
    """Gradient-boosted trees: take missing values as they are, find bends and interactions.

    Few leaves, large leaves, few trees: a response list is small and noisy. Such trees rank people
    as well out of fold as deeper ones, and their scores are closer to the truth (CDNOW: 8 leaves
    ROC AUC 0.772, Brier 0.1583; 15 leaves 0.771, 0.1589). More trees at a lower rate gain next to
    nothing on real lists and cost every call (docs/training-figures.json, `trees`). From 50,000
    people on, more and larger trees pay. Early stopping is off: it would hold people back, and the
    number of trees would depend on which. Categories are one-hot columns already, because
    `categorical_features` does not survive the export to ONNX.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  # slow to import

    few, many = people < 20_000, people >= 50_000
    return HistGradientBoostingClassifier(
        learning_rate=0.05 if many else 0.1,
        max_iter=300 if many else 60,
        max_leaf_nodes=31 if many else 8,
        min_samples_leaf=20 if few else 50,
        l2_regularization=1.0,
        monotonic_cst=directions,
        class_weight=settings.weights,
        early_stopping=False,
        random_state=seed,
    )


def make_logistic(
    settings: ModelSettings,
    directions: Directions,
    people: int,  # noqa: ARG001  # every model takes the same arguments
    seed: int,
) -> Any:
    """Logistic regression on standardised columns. Missing values become the median."""
    from sklearn.impute import SimpleImputer  # noqa: PLC0415  # slow to import
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    if directions:
        raise SpecError(
            "expected no `monotonic` in the feature spec: a logistic regression, alone or in a "
            "blend, cannot hold a direction"
        )
    return make_pipeline(
        SimpleImputer(strategy="median"),
        StandardScaler(),
        LogisticRegression(max_iter=2_000, class_weight=settings.weights, random_state=seed),
    )


def make_forest(settings: ModelSettings, directions: Directions, people: int, seed: int) -> Any:
    """A random forest. Missing values become the median: a forest with gaps cannot be exported."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415  # slow to import
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    return make_pipeline(
        SimpleImputer(strategy="median"),
        RandomForestClassifier(
            n_estimators=200,
            min_samples_leaf=max(5, people // 2_000),
            max_features="sqrt",
            monotonic_cst=directions,
            class_weight=settings.weights,
            random_state=seed,
        ),
    )


def make_blend(settings: ModelSettings, directions: Directions, people: int, seed: int) -> Any:
    """The mean of boosted trees and a logistic regression: their errors partly cancel out."""
    from sklearn.ensemble import VotingClassifier  # noqa: PLC0415  # slow to import

    return VotingClassifier(
        [
            ("boosting", make_boosting(settings, directions, people, seed)),
            ("logistic", make_logistic(settings, directions, people, seed)),
        ],
        voting="soft",
        flatten_transform=False,  # the only form that can be exported
    )


MODELS: dict[str, ModelEntry] = {
    "boosting": ModelEntry(
        make=make_boosting,
        title="Boosted trees",
        holds=True,
        search_space={
            "max_iter": [60, 100, 200, 400],
            "learning_rate": [0.03, 0.05, 0.1],
            "max_leaf_nodes": [4, 8, 16, 31],
            "min_samples_leaf": [10, 20, 50, 100],
            "l2_regularization": [0.0, 1.0, 10.0],
        },
    ),
    "logistic": ModelEntry(
        make=make_logistic,
        title="A logistic regression",
        holds=False,
        search_space={
            "logisticregression__C": [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]
        },
    ),
    "forest": ModelEntry(
        make=make_forest,
        title="A random forest",
        holds=True,
        search_space={
            "randomforestclassifier__min_samples_leaf": [2, 5, 10, 20, 50],
            "randomforestclassifier__max_features": ["sqrt", 0.3, 0.6],
        },
    ),
    "blend": ModelEntry(
        make=make_blend,
        title="Boosted trees blended with a logistic regression",
        holds=False,
        search_space={
            "boosting__max_iter": [60, 100, 200, 400],
            "boosting__learning_rate": [0.03, 0.05, 0.1],
            "boosting__max_leaf_nodes": [4, 8, 16, 31],
            "logistic__logisticregression__C": [0.01, 0.03, 0.1, 0.3, 1.0, 10.0],
        },
    ),
}
# What "auto" compares. The first wins unless another is clearly better: the blend often is for few
# people, larger trees if there is much to find.
CANDIDATES = (
    ModelChoice("boosting", {}),
    ModelChoice("blend", {}),
    ModelChoice(
        "boosting",
        {"learning_rate": 0.05, "max_iter": 200, "max_leaf_nodes": 16, "min_samples_leaf": 20},
    ),
)


def list_candidates(settings: ModelSettings, spec: FeatureSpec) -> tuple[ModelChoice, ...]:
    """What "auto" compares on these features: the model in use first, if there is one."""
    prior = settings.prior
    first = () if prior is None or prior.model not in MODELS else (prior,)
    directed = read_directions(spec) is not None
    return tuple(
        choice
        for choice in (*first, *(each for each in CANDIDATES if each not in first))
        if MODELS[choice.model].holds or not directed
    )


def make_model(
    settings: ModelSettings, choice: ModelChoice, spec: FeatureSpec, people: int, seed: int
) -> Any:
    """An unfitted classifier for a float32 matrix [people, f] with NaN."""
    model = MODELS[choice.model].make(settings, read_directions(spec), people, seed)
    return model.set_params(**choice.parameters)


def read_directions(spec: FeatureSpec) -> Directions:
    """The constraint of each column."""
    directions = [
        DIRECTIONS.get(feature.monotonic, 0) for feature in spec.features for _ in feature.columns
    ]
    return directions if np.any(directions) else None
