"""An XGBoost model (JSON or UBJSON of `save_model`) in; an `Original` out. Runs no code of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from model.training.foreign.original import CONVERTER_OPSET, Exact, ModelRefused, Original
from model.training.measures import Scores

OBJECTIVES = ("binary:logistic", "reg:logistic", "multi:softprob")
TREES = ("gbtree", "dart")


def read_xgboost(data: bytes) -> Original:
    """Read the bytes. Raises ModelRefused for a model that gives no probability of two classes."""
    import xgboost  # noqa: PLC0415  # an extra of its own

    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(data))
        learner = json.loads(booster.save_config())["learner"]
        kind, objective = learner["gradient_booster"]["name"], learner["objective"]["name"]
        classes = int(learner["learner_model_param"]["num_class"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelRefused(
            "expected an XGBoost model, found a file that XGBoost refuses"
        ) from error
    if objective not in OBJECTIVES or classes not in {0, 2}:
        raise ModelRefused(
            "expected a classifier of two classes (objective binary:logistic), found the objective "
            f"{str(objective)[:40]!r}" + (f" of {classes} classes" if classes > 1 else "")
        )
    if kind not in TREES:
        raise ModelRefused(f"expected boosted trees, found the booster {str(kind)[:40]!r}")
    rounds, kept, notices = booster.num_boosted_rounds(), *find_rounds(booster)
    names, types = booster.feature_names, booster.feature_types
    if kept < rounds:
        booster = booster[:kept]

    def score(rows: Exact) -> Scores:
        people = xgboost.DMatrix(
            rows, feature_names=names, feature_types=types, enable_categorical=True
        )
        found = np.asarray(booster.predict(people), dtype=np.float64)
        return found if found.ndim == 1 else found[:, 1]

    return Original(
        format="xgboost",
        title="An XGBoost model",
        width=booster.num_features(),
        names=None if names is None else tuple(names),
        score=score,
        convert=lambda exact: convert_xgboost(booster, objective, exact.shape[1]),
        settings={"objective": objective, "trees": len(booster.get_dump())},
        libraries=(find_distribution(), "onnxmltools"),
        notices=notices,
    )


def find_rounds(booster: Any) -> tuple[int, tuple[str, ...]]:
    """How many rounds count after early stopping, and a sentence about it.

    XGBClassifier predicts by the best rounds, `Booster.predict` by all of them. A file of
    XGBClassifier says so in its attributes.
    """
    rounds, attributes = booster.num_boosted_rounds(), booster.attributes()
    best = attributes.get("best_iteration", "")
    if not best.isdigit() or int(best) + 1 >= rounds:
        return rounds, ()
    if "scikit_learn" in attributes:
        return int(best) + 1, (
            (
                f"early stopping: the first {int(best) + 1} of {rounds} rounds count, as "
                "XGBClassifier predicts"
            ),
        )
    return rounds, (
        (
            f"early stopping: all {rounds} rounds count, as Booster.predict does; the best were "
            f"the first {int(best) + 1}. To keep these alone, save booster[:{int(best) + 1}]"
        ),
    )


def find_distribution() -> str:
    """The package that brings `xgboost`, for its version."""
    from importlib.metadata import packages_distributions  # noqa: PLC0415

    return packages_distributions().get("xgboost", ["xgboost"])[0]


def convert_xgboost(booster: Any, objective: str, width: int) -> Any:
    """The model as ONNX by onnxmltools.

    onnxmltools 1.16 guesses what a Booster is, and from `n_estimators` how many classes there are:
    it is given a classifier that says both. It reads column names as numbers, so they are removed.
    """
    import xgboost  # noqa: PLC0415
    from onnxmltools import convert_xgboost as convert  # noqa: PLC0415
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415

    plain = booster.copy()
    plain.feature_names = None
    plain.set_attr(best_iteration=None, best_score=None, scikit_learn=None)
    count = len(plain.get_dump())
    classifier = xgboost.XGBClassifier(n_estimators=count, objective=objective)
    classifier.load_model(bytearray(plain.save_raw("json")))
    return convert(
        classifier,
        initial_types=[("input", FloatTensorType([None, width]))],
        target_opset=CONVERTER_OPSET,
    )
