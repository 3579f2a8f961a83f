"""A model of each format becomes a bundle that scores as the model does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import pytest
import skops.io
import xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType as Floats
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.runtime import OnnxModel
from model.training.foreign.original import ModelRefused
from tests.foreign.conftest import Folk, bundle_of, written

TRAINED_ON = np.float32


def fit_lightgbm(folk: Folk) -> Any:
    data = lightgbm.Dataset(
        folk.matrix.astype(TRAINED_ON), folk.outcomes, categorical_feature=[3], free_raw_data=False
    )
    return lightgbm.train({"objective": "binary", "verbosity": -1, "seed": 1}, data, 40)


def fit_xgboost(folk: Folk, **options: Any) -> Any:
    return xgboost.XGBClassifier(n_estimators=30, seed=1, **options).fit(
        folk.matrix.astype(TRAINED_ON), folk.outcomes
    )


def fit_logistic(folk: Folk) -> Any:
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(
        folk.matrix, folk.outcomes
    )


def save(format_: str, folk: Folk, path: Path) -> np.ndarray:
    """Save a model of the format; give its scores of the people."""
    if format_ == "lightgbm":
        booster = fit_lightgbm(folk)
        booster.save_model(path)
        return np.asarray(booster.predict(folk.matrix.astype(TRAINED_ON)))
    if format_ in {"xgboost.json", "xgboost.ubj"}:
        model = fit_xgboost(folk)
        model.save_model(path)
        return np.asarray(model.predict_proba(folk.matrix)[:, 1])
    if format_ == "hist":
        model = HistGradientBoostingClassifier(max_iter=30).fit(
            folk.matrix.astype(TRAINED_ON), folk.outcomes
        )
    elif format_ == "forest":
        model = make_pipeline(SimpleImputer(), RandomForestClassifier(20, random_state=1)).fit(
            folk.matrix, folk.outcomes
        )
    else:
        model = fit_logistic(folk)
    skops.io.dump(model, path)
    return np.asarray(model.predict_proba(folk.matrix.astype(TRAINED_ON))[:, 1])


FORMATS = {
    "lightgbm": "m.txt",
    "xgboost.json": "m.json",
    "xgboost.ubj": "m.ubj",
    "hist": "h.skops",
    "forest": "f.skops",
    "logistic": "l.skops",
}


@pytest.mark.parametrize("format_", FORMATS)
def test_a_model_becomes_a_bundle_that_loads_and_scores_as_it_does(
    format_: str, folk: Folk, tmp_path: Path
) -> None:
    expected = save(format_, folk, tmp_path / FORMATS[format_])
    result = bundle_of(folk, tmp_path / FORMATS[format_], tmp_path / "bundle", float32=True)
    bundle = written(result)
    model = OnnxModel(bundle)  # scores the golden rows, checks inputs and outputs
    assert model.facts.takes_missing
    assert np.abs(model.score(folk.matrix.astype(np.float32)) - expected).max() < 1e-5
    labels = model.compute(folk.matrix.astype(np.float32))["label"]
    assert (labels == (expected > 0.5)).mean() > 0.99


def test_the_manifest_has_everything_that_a_trained_one_has(folk: Folk, tmp_path: Path) -> None:
    save("logistic", folk, tmp_path / "m.skops")
    result = bundle_of(folk, tmp_path / "m.skops", tmp_path / "bundle")
    facts = json.loads((tmp_path / "bundle" / "manifest.json").read_text("utf-8"))
    trained = json.loads(Path("model/artifact/manifest.json").read_text("utf-8"))
    assert set(trained) - set(facts) <= {"reserved", "as_of"}
    assert facts["columns"] == ["visits", "spend", "joined", "plan"]
    assert facts["metrics"]["held_out"] == "given"
    assert facts["metrics"]["n"] == len(folk.outcomes)
    assert len(facts["quantiles"]) == 101
    assert len(facts["golden"]["rows"]) == 20
    assert set(facts["drift"]["features"]) == set(facts["columns"])
    assert {row["name"] for row in facts["evaluation"]["features"]} == set(facts["columns"])
    assert facts["model"]["settings"]["estimator"].startswith("Pipeline(SimpleImputer")
    assert {"scikit-learn", "skl2onnx", "skops"} <= set(facts["versions"])
    assert any("if the model learnt from some of them" in each for each in result.notices)
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text("utf-8")
    assert "A scikit-learn model. The score says" in card


def convert(kind: str, folk: Folk, *, zipmap: bool) -> tuple[Any, np.ndarray]:
    """A bare ONNX model and the original's scores."""
    if kind == "lightgbm":
        booster = fit_lightgbm(folk)
        model = convert_lightgbm(
            booster, initial_types=[("x", FloatTensorType([None, 4]))], zipmap=zipmap
        )
        return model, np.asarray(booster.predict(folk.matrix.astype(TRAINED_ON)))
    if kind == "xgboost":
        classifier = fit_xgboost(folk)
        model = convert_xgboost(classifier, initial_types=[("x", FloatTensorType([None, 4]))])
        return model, classifier.predict_proba(folk.matrix)[:, 1]
    pipeline = fit_logistic(folk)
    model = convert_sklearn(
        pipeline,
        initial_types=[("x", Floats([None, 4]))],
        options={id(pipeline): {"zipmap": zipmap}},
        target_opset=17,
    )
    return model, pipeline.predict_proba(folk.matrix)[:, 1]


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("kind", ["logistic", "xgboost"])
def test_an_onnx_file_becomes_a_bundle_with_a_zipmap_or_without(
    kind: str, zipmap: bool, folk: Folk, tmp_path: Path
) -> None:
    model, scores = convert(kind, folk, zipmap=zipmap)
    onnx.save(model, tmp_path / "m.onnx")
    bundle = written(
        bundle_of(
            folk,
            tmp_path / "m.onnx",
            tmp_path / "bundle",
            predictions=folk.write_scores(scores.tolist()),
        )
    )
    found = OnnxModel(bundle).score(folk.matrix.astype(np.float32))
    assert np.abs(found - scores).max() < 1e-5
    assert b"ZipMap" not in bundle.model


def test_an_onnx_file_whose_thresholds_were_rounded_to_the_nearest_is_refused(
    folk: Folk, tmp_path: Path
) -> None:
    model, scores = convert("lightgbm", folk, zipmap=False)
    onnx.save(model, tmp_path / "m.onnx")
    given = folk.write_scores(scores.tolist(), "rounded.csv")
    with pytest.raises(ModelRefused, match="stand out most in column joined"):
        bundle_of(folk, tmp_path / "m.onnx", tmp_path / "bundle", predictions=given)
