"""Matrix and outcomes in, a fitted scikit-learn classifier out. The only place that knows which model it is. Never reads a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from model.errors import SpecError
from model.features import DIRECTIONS, FeatureSpec, Matrix
from model.training.folds import FOLDS, Rows, draw_rows, split_rows
from model.training.people import Outcomes, People

# A search is bounded by people, settings and folds, not by a clock: the same input has to give the same bundle.
SEARCHED_PEOPLE = 20_000
SEARCHED_SETTINGS = 10
# Below it one thread is enough (a million people: 4 minutes), and where the processors are busy otherwise several wait for each other
# longer than they work: two took more than 20 minutes for the same million.
LEAST_FOR_THREADS = 2_000_000
AUTO = "auto"
COMPARED_PEOPLE = 10_000
FEW = 2_000  # people, below which a comparison uses all five folds
CLEARLY = 0.001
# A sigmoid has two numbers to learn: among so many people two folds teach it as well as five, in a third of the time.
MANY = 200_000


class ModelChoice(NamedTuple):
    """A key of `MODELS`, and settings of its own for scikit-learn's `set_params`."""

    model: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which model, how it weighs the outcomes, and whether its settings are searched for.

    model     a key of `MODELS`, or "auto": boosted trees, or a blend or larger trees where they rank these people better
    balanced  both outcomes weigh the same in fitting; the scores are calibrated afterwards, always
    """

    model: str = AUTO
    balanced: bool = False
    search: bool = False

    @property
    def weights(self) -> str | None:
        """scikit-learn's word for it."""
        return "balanced" if self.balanced else None


def make_boosting(
    settings: ModelSettings, directions: list[int] | None, people: int, seed: int
) -> Any:
    """Boosted trees: take gaps as they are, find bends and interactions. The default.

    Few leaves, large leaves, a low rate: a response list is small and noisy, and such trees rank people as well out of fold as deeper
    ones while their scores stay closer to the truth (CDNOW: 8 leaves 0.772, 15 leaves 0.771, Brier 0.1583 and 0.1589). 50,000 people
    carry more of them. Early stopping is off because it would hold people back and make the number of trees depend on which. Categories
    are one-hot columns already; `categorical_features` does not survive the export.
    """
    few, many = people < 20_000, people >= 50_000
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=300 if many else 150 if few else 100,
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
    directions: list[int] | None,
    people: int,  # noqa: ARG001  # one form for all
    seed: int,
) -> Any:
    """Logistic regression on standardised columns: one weight a column, easy to read. Gaps are filled with the median."""
    if directions:
        raise SpecError(
            "expected no monotonic in the feature spec for a logistic regression, alone or in a blend"
        )
    return make_pipeline(
        SimpleImputer(strategy="median"),
        StandardScaler(),
        LogisticRegression(max_iter=2_000, class_weight=settings.weights, random_state=seed),
    )


def make_forest(
    settings: ModelSettings, directions: list[int] | None, people: int, seed: int
) -> Any:
    """A random forest. Gaps are filled with the median, for a forest on gaps does not survive the export."""
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


def make_blend(
    settings: ModelSettings, directions: list[int] | None, people: int, seed: int
) -> Any:
    """The mean of boosted trees and a logistic regression: what one of them gets wrong among few people, the other evens out."""
    return VotingClassifier(
        [
            ("boosting", make_boosting(settings, directions, people, seed)),
            ("logistic", make_logistic(settings, directions, people, seed)),
        ],
        voting="soft",
        flatten_transform=False,  # the only form that exports
    )


MODELS: dict[str, Callable[[ModelSettings, list[int] | None, int, int], Any]] = {
    "boosting": make_boosting,
    "logistic": make_logistic,
    "forest": make_forest,
    "blend": make_blend,
}
# What "auto" compares. Boosted trees come first; among few people the blend is often better, where there is much to find larger trees.
CANDIDATES = (
    ModelChoice("boosting", {}),
    ModelChoice("blend", {}),
    ModelChoice("boosting", {"max_iter": 200, "max_leaf_nodes": 16, "min_samples_leaf": 20}),
)
# What a search draws from, by model.
SETTINGS: dict[str, dict[str, list[Any]]] = {
    "boosting": {
        "max_iter": [60, 100, 200, 400],
        "learning_rate": [0.03, 0.05, 0.1],
        "max_leaf_nodes": [4, 8, 16, 31],
        "min_samples_leaf": [10, 20, 50, 100],
        "l2_regularization": [0.0, 1.0, 10.0],
    },
    "logistic": {
        "logisticregression__C": [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]
    },
    "blend": {
        "boosting__max_iter": [60, 100, 200, 400],
        "boosting__learning_rate": [0.03, 0.05, 0.1],
        "boosting__max_leaf_nodes": [4, 8, 16, 31],
        "logistic__logisticregression__C": [0.01, 0.03, 0.1, 0.3, 1.0, 10.0],
    },
    "forest": {
        "randomforestclassifier__min_samples_leaf": [2, 5, 10, 20, 50],
        "randomforestclassifier__max_features": ["sqrt", 0.3, 0.6],
    },
}


def make_model(
    settings: ModelSettings, choice: ModelChoice, spec: FeatureSpec, people: int, seed: int
) -> Any:
    """An unfitted classifier for float32 [people, f] with NaN."""
    return MODELS[choice.model](settings, read_directions(spec), people, seed).set_params(
        **choice.settings
    )


def choose_model(settings: ModelSettings, people: People, rows: Rows, seed: int) -> ModelChoice:
    """What to fit on these `rows`, chosen on them alone, in folds of their own.

    "auto": the first of `CANDIDATES`, unless another ranks at most 10,000 of them better. With `search` then the best of ten
    settings drawn from `SETTINGS`, by ROC AUC on at most 20,000.
    """
    choice = (
        compare_candidates(settings, people, rows, seed)
        if settings.model == AUTO
        else ModelChoice(settings.model, {})
    )
    if not settings.search:
        return choice
    drawn, folds = draw_rows(people.outcomes, people.groups, rows, SEARCHED_PEOPLE, seed)
    matrix = fill_absent(people.matrix[drawn], [train for train, _ in folds])
    search = RandomizedSearchCV(
        make_model(settings, choice, people.spec, len(people.outcomes), seed),
        SETTINGS[choice.model],
        n_iter=SEARCHED_SETTINGS,
        scoring="roc_auc",
        cv=folds[:3],
        refit=False,
        random_state=seed,
    )
    with limit_threads(len(drawn)):
        return ModelChoice(
            choice.model, dict(search.fit(matrix, people.outcomes[drawn]).best_params_)
        )


def compare_candidates(
    settings: ModelSettings, people: People, rows: Rows, seed: int
) -> ModelChoice:
    """The candidate with the best mean ROC AUC over folds; the first where no other is better by 0.001."""
    directed = read_directions(people.spec) is not None
    candidates = [choice for choice in CANDIDATES if not directed or choice.model != "blend"]
    drawn, folds = draw_rows(people.outcomes, people.groups, rows, COMPARED_PEOPLE, seed)
    matrix, outcomes = (
        fill_absent(people.matrix[drawn], [train for train, _ in folds]),
        people.outcomes[drawn],
    )
    areas = []
    with limit_threads(len(drawn)):
        for choice in candidates:
            model = make_model(settings, choice, people.spec, len(people.outcomes), seed)
            areas.append(
                np.mean(
                    [
                        roc_auc_score(
                            outcomes[test],
                            model.fit(matrix[train], outcomes[train]).predict_proba(matrix[test])[
                                :, 1
                            ],
                        )
                        for train, test in (folds if len(drawn) < FEW else folds[:3])
                    ]
                )
            )
    best = int(np.argmax(areas))
    return candidates[best] if areas[best] > areas[0] + CLEARLY else candidates[0]


def fill_absent(matrix: Matrix, trains: Sequence[Rows | slice]) -> Matrix:
    """`matrix`, with 0 throughout in each column that nobody has in one of `trains`, the rows that are fitted on.

    No model can be fitted on a column that is missing throughout, and none learns anything from one that is the same for everybody. It
    happens by time, to what was not yet recorded, and in samples of many people, to what few have.
    """
    absent = np.any([np.isnan(matrix[rows]).all(axis=0) for rows in trains], axis=0)
    return np.where(absent, np.float32(0), matrix) if absent.any() else matrix


def limit_threads(people: int) -> Any:
    """A context in which so many people are fitted and scored on as many threads as are worth it. The model is the same either way."""
    return threadpool_limits(1 if people < LEAST_FOR_THREADS else None)


def find_margins(model: Any, matrix: Matrix) -> npt.NDArray[np.float64]:
    """What a sigmoid takes, float64 [n]: the model's margin, or where it has none its probability."""
    margins = (
        model.decision_function(matrix)
        if hasattr(model, "decision_function")
        else model.predict_proba(matrix)[:, 1]
    )
    return np.asarray(margins, dtype=np.float64)


def fit_model(
    settings: ModelSettings, people: People, seed: int, *, calibrated: bool
) -> tuple[Any, ModelChoice]:
    """Choose and fit on everybody; give what was chosen beside it."""
    rows = np.arange(len(people.outcomes))
    choice = choose_model(settings, people, rows, seed)
    return fit_choice(settings, people, rows, choice, seed, calibrated=calibrated), choice


def fit_choice(
    settings: ModelSettings,
    people: People,
    rows: Rows,
    choice: ModelChoice,
    seed: int,
    *,
    calibrated: bool,
) -> Any:
    """Fit what was chosen on these `rows`. What is judged and what ships are both made here, so that figures are of what ships.

    `calibrated` puts one sigmoid, learnt out of fold among these rows alone, behind one classifier: the only form that exports
    faithfully. Raises DataError where users do not make folds.
    """
    count = len(people.outcomes)
    model = make_model(settings, choice, people.spec, count, seed)
    fitted: list[Rows | slice] = [slice(None)]
    if calibrated:
        pairs = split_rows(people.outcomes, people.groups, rows, seed, FOLDS if count < MANY else 2)
        fitted = [train for train, _ in pairs]
        model = add_sigmoid(model, pairs)
    with limit_threads(count):
        model.fit(fill_absent(people.matrix[rows], fitted), people.outcomes[rows])
    if calibrated:
        level_sigmoid(model, people.outcomes[rows])
    return model


def add_sigmoid(model: Any, pairs: tuple[tuple[Rows, Rows], ...]) -> Any:
    """A sigmoid behind the classifier itself: behind a pipeline, skl2onnx 1.20 gives it probabilities where it learnt from margins."""
    if isinstance(model, Pipeline):
        return Pipeline([*model.steps[:-1], ("sigmoid", add_sigmoid(model[-1], pairs))])
    return CalibratedClassifierCV(model, method="sigmoid", cv=pairs, ensemble=False)


def find_sigmoid(model: Any) -> Any:
    """The sigmoid that `add_sigmoid` put behind a model, fitted: a score is 1 / (1 + exp(a_ x margin + b_)), and rises where a_ < 0."""
    return (
        (model[-1] if isinstance(model, Pipeline) else model)
        .calibrated_classifiers_[0]
        .calibrators[0]
    )


def level_sigmoid(model: Any, outcomes: Outcomes) -> None:
    """Give everybody the response rate, in place, where the sigmoid falls.

    It falls where a model ranks people worse than a guess out of fold, as a model of noise often does. Such a sigmoid would turn the
    model around, and sell noise as a finding.
    """
    sigmoid = find_sigmoid(model)
    if sigmoid.a_ >= 0:
        rate = float(outcomes.mean())
        sigmoid.a_, sigmoid.b_ = 0.0, math.log((1 - rate) / rate)


def read_directions(spec: FeatureSpec) -> list[int] | None:
    """scikit-learn's constraint for each column; None where the spec has none."""
    directions = [
        DIRECTIONS.get(feature.monotonic, 0) for feature in spec.features for _ in feature.columns
    ]
    return directions if np.any(directions) else None
