"""The kinds of public reports of a converted model that scores otherwise, built small.

Each model is converted right or refused: no bundle scores otherwise than its original.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.runtime import OnnxModel
from model.training.foreign.original import ModelRefused
from tests.foreign.conftest import Folk, bundle_of, written

RIGHT = ""
Score = Callable[[np.ndarray], np.ndarray]


class Report(NamedTuple):
    """One kind of report: how to make the model, and "" or words of the refusal.

    Make takes people and a path without its ending; gives the file and the original's score.
    """

    make: Callable[[Folk, Path], tuple[Path, Score]]
    refused: str = RIGHT
    whole: bool = False  # trained on people without missing values
    options: dict[str, Any] = {}  # noqa: RUF012


def as_lightgbm(
    rounds: int = 20, *, codes: bool = False, float32: bool = True, **options: Any
) -> Callable[[Folk, Path], tuple[Path, Score]]:
    def make(folk: Folk, path: Path) -> tuple[Path, Score]:
        matrix = folk.matrix.astype(np.float32) if float32 else folk.matrix
        data = lightgbm.Dataset(matrix, folk.outcomes, categorical_feature=[3] if codes else "auto")
        parameters = {"objective": "binary", "verbosity": -1, "seed": 1, "num_threads": 1}
        booster = lightgbm.train({**parameters, **options}, data, rounds)
        booster.save_model(path.with_suffix(".txt"))
        return path.with_suffix(".txt"), lambda rows: np.asarray(booster.predict(rows))

    return make


def as_xgboost(**options: Any) -> Callable[[Folk, Path], tuple[Path, Score]]:
    codes, stop = options.pop("codes", False), options.pop("stop", False)

    def make(folk: Folk, path: Path) -> tuple[Path, Score]:
        if codes:
            options.update(feature_types=["q", "q", "q", "c"], enable_categorical=True)
        model = xgboost.XGBClassifier(
            **{"n_estimators": 20, "seed": 1, "n_jobs": 1, **options},
            **({"early_stopping_rounds": 2} if stop else {}),
        )
        half = len(folk.outcomes) // 2
        given = {"eval_set": [(folk.matrix[half:], folk.outcomes[half:])], "verbose": False}
        model.fit(folk.matrix, folk.outcomes, **(given if stop else {}))
        if stop:
            model.fit(folk.matrix[:half], folk.outcomes[:half], **given)
            assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
        model.save_model(path.with_suffix(".json"))
        return path.with_suffix(".json"), lambda rows: model.predict_proba(rows)[:, 1]

    return make


def as_booster(**options: Any) -> Callable[[Folk, Path], tuple[Path, Score]]:
    def make(folk: Folk, path: Path) -> tuple[Path, Score]:
        half = len(folk.outcomes) // 2
        parts = [
            xgboost.DMatrix(folk.matrix[rows], folk.outcomes[rows])
            for rows in (slice(half), slice(half, None))
        ]
        booster = xgboost.train(
            {"objective": "binary:logistic", "seed": 1, **options},
            parts[0],
            60,
            evals=[(parts[1], "later")],
            early_stopping_rounds=2,
            verbose_eval=False,
        )
        booster.save_model(path.with_suffix(".ubj"))
        return path.with_suffix(".ubj"), lambda rows: booster.predict(xgboost.DMatrix(rows))

    return make


def as_scikit(
    model: Any, labels: tuple[Any, ...] = (0, 1), *, float32: bool = True
) -> Callable[[Folk, Path], tuple[Path, Score]]:
    def make(folk: Folk, path: Path) -> tuple[Path, Score]:
        matrix = folk.matrix.astype(np.float32) if float32 else folk.matrix
        answers = np.array(labels)[folk.outcomes % len(labels)]
        if len(labels) == 3:
            answers = np.array(labels)[np.arange(len(answers)) % 3]
        model.fit(matrix, answers)
        skops.io.dump(model, path.with_suffix(".skops"))
        last = labels[-1]

        def score(rows: np.ndarray) -> np.ndarray:
            found: np.ndarray = model.predict_proba(rows)[:, model.classes_.tolist().index(last)]
            return found

        return path.with_suffix(".skops"), score

    return make


def as_regression(folk: Folk, path: Path) -> tuple[Path, Score]:
    model = HistGradientBoostingRegressor(max_iter=5).fit(folk.matrix, folk.outcomes)
    skops.io.dump(model, path.with_suffix(".skops"))
    return path.with_suffix(".skops"), model.predict


def in_pipe(model: Any) -> Any:
    return make_pipeline(SimpleImputer(), model)


FLOAT32 = {"float32": True}
HIST = HistGradientBoostingClassifier
REPORTS: dict[str, Report] = {
    # onnxmltools 708, 728: LightGBM's float64 thresholds, directions of missing values
    "lightgbm": Report(as_lightgbm(), options=FLOAT32),
    "lightgbm of float64": Report(as_lightgbm(float32=False)),
    "lightgbm without missing values": Report(as_lightgbm(), whole=True, options=FLOAT32),
    "lightgbm, zero as missing": Report(
        as_lightgbm(zero_as_missing=True), "within 1e-05, found", options=FLOAT32
    ),
    "lightgbm, no missing values": Report(as_lightgbm(use_missing=False), options=FLOAT32),
    "lightgbm, categorical splits": Report(
        as_lightgbm(codes=True, min_data_per_group=5, cat_smooth=1), options=FLOAT32
    ),
    "lightgbm, many to one": Report(
        as_lightgbm(codes=True, min_data_per_group=5, max_cat_to_onehot=1), options=FLOAT32
    ),
    "lightgbm, forest": Report(
        as_lightgbm(boosting="rf", bagging_freq=1, bagging_fraction=0.5), "within 1e-05, found"
    ),
    "lightgbm, dart": Report(as_lightgbm(boosting="dart"), options=FLOAT32),
    "lightgbm, another sigmoid": Report(as_lightgbm(sigmoid=2.0), "within 1e-05, found"),
    "lightgbm, unbalanced": Report(as_lightgbm(is_unbalance=True), options=FLOAT32),
    "lightgbm, linear trees": Report(as_lightgbm(linear_tree=True), "found linear trees"),
    "lightgbm, a regression": Report(as_lightgbm(objective="regression"), "objective 'regression'"),
    "lightgbm, cross entropy": Report(
        as_lightgbm(objective="cross_entropy"), "objective 'cross_entropy'"
    ),
    # onnxruntime 11892: base_score
    "xgboost": Report(as_xgboost()),
    "xgboost, a base score": Report(as_xgboost(base_score=0.2)),
    # from 100 rounds on, the converter would take the rounds for classes
    "xgboost, many rounds": Report(as_xgboost(n_estimators=230, max_depth=1)),
    # onnxmltools 667: columns sampled for each tree
    "xgboost, sampled columns": Report(as_xgboost(colsample_bytree=0.5, subsample=0.7)),
    "xgboost, categorical splits": Report(as_xgboost(codes=True, max_cat_to_onehot=1)),
    "xgboost, one category a split": Report(as_xgboost(codes=True, max_cat_to_onehot=50)),
    "xgboost, early stopping": Report(as_xgboost(stop=True, n_estimators=200)),
    "xgboost, early stopping of a booster": Report(as_booster()),
    "xgboost, a forest": Report(
        as_xgboost(num_parallel_tree=5, n_estimators=4, colsample_bynode=0.5, subsample=0.8)
    ),
    "xgboost, dart": Report(
        as_xgboost(booster="dart", rate_drop=0.5, n_estimators=10), "converter refuses"
    ),
    "xgboost, linear": Report(as_xgboost(booster="gblinear"), "found the booster 'gblinear'"),
    "xgboost, hinge": Report(as_xgboost(objective="binary:hinge"), "objective 'binary:hinge'"),
    "xgboost, margins": Report(
        as_xgboost(objective="binary:logitraw"), "objective 'binary:logitraw'"
    ),
    "xgboost, one leaf": Report(as_xgboost(gamma=1e9)),
    # sklearn-onnx 1192: HistGradientBoosting's float64 thresholds
    "hist": Report(as_scikit(HIST(max_iter=20)), options=FLOAT32),
    "hist of float64": Report(as_scikit(HIST(max_iter=20), float32=False)),
    "hist of float64 without missing values": Report(
        as_scikit(HIST(max_iter=20), float32=False), whole=True
    ),
    "hist behind an imputer": Report(as_scikit(in_pipe(HIST(max_iter=20))), options=FLOAT32),
    "hist, categorical splits": Report(
        as_scikit(HIST(max_iter=20, categorical_features=[3])), "types of scikit-learn alone"
    ),
    "hist, a regression": Report(as_regression, "classifier with predict_proba"),
    "boosting": Report(as_scikit(in_pipe(GradientBoostingClassifier(n_estimators=20)))),
    "forest": Report(as_scikit(in_pipe(RandomForestClassifier(20, random_state=1)))),
    "forest that takes missing values": Report(
        as_scikit(RandomForestClassifier(20, random_state=1)), "within 1e-05, found"
    ),
    "more trees": Report(as_scikit(in_pipe(ExtraTreesClassifier(20, random_state=1)))),
    "logistic": Report(
        as_scikit(make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()))
    ),
    "logistic that takes no missing values": Report(
        as_scikit(make_pipeline(StandardScaler(), LogisticRegression())),
        "refuses them; the function meets such people",
        whole=True,
    ),
    "logistic, missing values filled": Report(
        as_scikit(make_pipeline(StandardScaler(), LogisticRegression())),
        whole=True,
        options={"fill": "median"},
    ),
    "texts as labels": Report(as_scikit(in_pipe(LogisticRegression()), ("no", "yes"))),
    "texts as labels, the other way round": Report(
        as_scikit(in_pipe(RandomForestClassifier(10, random_state=1)), ("stays", "buys")),
        options={"positive": "buys"},
    ),
    "texts that say nothing": Report(
        as_scikit(in_pipe(LogisticRegression()), ("a", "b")), "--positive LABEL"
    ),
    "booleans as labels": Report(as_scikit(HIST(max_iter=10), (False, True)), options=FLOAT32),
    "a single class": Report(as_scikit(DummyClassifier(), (1,)), "two classes, found 1"),
    "three classes": Report(as_scikit(HIST(max_iter=5), (0, 1, 2)), "two classes, found 3"),
    "the same for everyone": Report(
        as_scikit(DummyClassifier(strategy="prior")), "converter refuses"
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_model_of_a_public_report_is_converted_right_or_refused(
    name: str, folk: Folk, whole_folk: Folk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = REPORTS[name]
    people = whole_folk if report.whole else folk
    path, score = report.make(people, tmp_path / "model")
    out = tmp_path / "bundle"
    if report.refused:
        with pytest.raises(ModelRefused, match=report.refused):
            bundle_of(people, path, out, **report.options)
        assert not out.exists()
        return
    bundle = written(bundle_of(people, path, out, **report.options))
    rows = people.matrix.astype(np.float32) if "float32" in report.options else people.matrix
    expected = score(rows)
    found = OnnxModel(bundle).score(people.matrix.astype(np.float32))
    assert np.abs(found - expected).max() <= 1e-5
