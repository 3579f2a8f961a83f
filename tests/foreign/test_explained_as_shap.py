"""Our reasons for a score beside those of shap's TreeExplainer, on CDNOW and Hillstrom.

Run by `make foreign`: only its environment has shap. A rank correlation is of one person's
features, and the figure is the mean over people.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingClassifier

from examples.cdnow import make_endpoints as cdnow
from examples.hillstrom import make_endpoints as hillstrom
from model.bundle import Bundle, load_bundle, write_bundle
from model.features import FeatureSpec, Matrix, build_matrix, load_spec, read_spec
from model.manifest import golden_as_data
from model.runtime import OnnxModel
from model.training.export import convert_model, make_golden_rows, score_onnx
from segment_scorer.monitoring.attribution import (
    attribute_score,
    draw_references,
    make_references,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # shap asks matplotlib for what will be deprecated
    shap: Any = importlib.import_module("shap")  # mypy runs without it

PEOPLE, BACKGROUND = 60, 100
# data -> the least rank correlation with TreeExplainer: against real people, as `--among` gives,
# and against people made of the golden rows, which is the default
LEAST = {"cdnow": (0.9, 0.85), "hillstrom": (0.9, 0.9)}
HILLSTROM_SPEC = {
    "feature": [
        {"name": "recency", "path": "Metrics.RecencyMonths", "kind": "number"},
        {"name": "history", "path": "Metrics.History", "kind": "number"},
        {"name": "mens", "path": "Attributes.Mens", "kind": "flag"},
        {"name": "womens", "path": "Attributes.Womens", "kind": "flag"},
        {"name": "newbie", "path": "Attributes.Newbie", "kind": "flag"},
        {
            "name": "zip",
            "path": "Attributes.ZipCode",
            "kind": "category",
            "values": ["Rural", "Suburban", "Urban"],
        },
        {
            "name": "channel",
            "path": "Attributes.Channel",
            "kind": "category",
            "values": ["Multichannel", "Phone", "Web"],
        },
    ]
}


def read_cdnow(folder: Path) -> tuple[Matrix, np.ndarray, FeatureSpec]:
    cdnow.write_example(folder)
    with gzip.open(folder / "endpoints.jsonl.gz", "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    with (folder / "outcomes.csv").open() as file:
        outcomes = {row["Id"]: int(row["outcome"]) for row in csv.DictReader(file)}
    spec = load_spec(Path(cdnow.__file__).with_name("features.toml"))
    return build_matrix(documents, spec), np.array([outcomes[d["Id"]] for d in documents]), spec


def read_hillstrom(_: Path) -> tuple[Matrix, np.ndarray, FeatureSpec]:
    rows = hillstrom.read_customers()
    documents = [hillstrom.make_endpoint(number, row) for number, row in enumerate(rows)]
    spec = read_spec(HILLSTROM_SPEC)
    return build_matrix(documents, spec), np.array([int(row["visit"]) for row in rows]), spec


READERS = {"cdnow": read_cdnow, "hillstrom": read_hillstrom}


class Judged:
    """A boosted model of a data set, its bundle, and people to explain."""

    def __init__(self, name: str, folder: Path) -> None:
        matrix, outcomes, spec = READERS[name](folder)
        self.spec = spec
        self.model = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=150, max_leaf_nodes=15, random_state=0
        ).fit(matrix, outcomes)
        self.bundle = self.write(folder / "bundle", matrix)
        random = np.random.default_rng(0)
        self.people = matrix[random.choice(len(matrix), PEOPLE, replace=False)]
        self.others = matrix[random.choice(len(matrix), BACKGROUND, replace=False)]
        self.among = draw_references(matrix[random.choice(len(matrix), 10_000, replace=False)])

    def write(self, folder: Path, matrix: Matrix) -> Bundle:
        onnx = convert_model(self.model, matrix.shape[1])
        golden = make_golden_rows(matrix, 0)
        write_bundle(
            folder,
            onnx,
            {
                "name": "judged",
                "version": "1",
                "columns": list(self.spec.columns),
                "spec": self.spec.to_mapping(),
                "threshold": 0.5,
                "metrics": {},
                "golden": golden_as_data(golden, score_onnx(onnx, golden)),
                "versions": {},
                "quantiles": [0.0, 1.0],
            },
        )
        return load_bundle(folder)

    def explain(self, references: Matrix) -> np.ndarray:
        score = OnnxModel(self.bundle).score
        return np.stack(
            [
                attribute_score(
                    row[np.newaxis], references, self.spec, score, self.bundle.score
                ).moved
                for row in self.people
            ]
        )

    def explain_by_shap(self, **options: Any) -> np.ndarray:
        explainer = shap.TreeExplainer(self.model, **options)
        values = explainer.shap_values(self.people, check_additivity=False)
        return np.stack([values[:, step.columns].sum(axis=1) for step in self.spec.steps], axis=1)


@pytest.fixture(scope="module", params=sorted(READERS))
def judged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Judged]:
    return request.param, Judged(request.param, tmp_path_factory.mktemp(request.param))


def correlate(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(
        np.mean([spearmanr(a, b).statistic for a, b in zip(ours, theirs, strict=True) if np.ptp(a)])
    )


def test_reasons_rank_features_as_shap_does(judged: tuple[str, Judged]) -> None:
    name, data = judged
    theirs = data.explain_by_shap(data=data.others, feature_perturbation="interventional")
    paths = data.explain_by_shap()
    found = {
        "among people": correlate(data.explain(data.among), theirs),
        "by golden rows": correlate(data.explain(make_references(data.bundle)), theirs),
    }
    print(
        name,
        {key: round(value, 3) for key, value in found.items()},
        "shap's two explainers with each other:",
        round(correlate(paths, theirs), 3),
        "among people, with the explainer by paths:",
        round(correlate(data.explain(data.among), paths), 3),
    )
    assert (found["among people"] >= LEAST[name][0], found["by golden rows"] >= LEAST[name][1]) == (
        True,
        True,
    ), found
