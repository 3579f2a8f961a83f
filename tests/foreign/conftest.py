"""Invented people for models that somebody else trained, as files and as arrays.

Run by `make foreign`, in an environment with the libraries of these models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bundle import Bundle
from model.training.foreign.bundle import BundleResult, bundle_model
from model.training.foreign.config import BundleConfig
from tests.training_people import ignore_progress

PLANS = ("basic", "plus", "pro", "team", "trial")
PEOPLE = 600


def describe_feature(name: str, path: str, kind: str, **options: Any) -> str:
    lines = [f'name = "{name}"', f'path = "{path}"', f'kind = "{kind}"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    return "\n".join(["[[feature]]", *lines, ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Folk:
    """People in files, and the same people as a notebook has them.

    matrix    float64 [n, 4]: visits, spend, joined (a large whole number), plan (a code); NaN
    outcomes  int64 [n]
    """

    folder: Path
    matrix: np.ndarray
    outcomes: np.ndarray

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def write_scores(self, scores: Sequence[float], name: str = "scores.csv") -> Path:
        rows = [f"p{index},{score:.9f}" for index, score in enumerate(scores)]
        return self.write(name, "\n".join(["Id,score", *rows, ""]))


Make = Callable[..., BundleResult]


def make_folk(folder: Path, *, gaps: bool, seed: int = 0) -> Folk:
    random = np.random.default_rng(seed)
    visits = random.integers(0, 40, PEOPLE).astype(float)
    spend = random.gamma(2, 30, PEOPLE).round(2)
    joined = 1_700_000_000.0 + random.integers(0, 400, PEOPLE) * 128  # neighbouring float32
    plan = random.integers(0, len(PLANS), PEOPLE)
    logit = 0.05 * visits - 0.01 * spend + (plan % 2) - 1
    outcomes = (random.random(PEOPLE) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    matrix = np.column_stack([visits, spend, joined, plan])
    if gaps:
        matrix[random.random(matrix.shape) < 0.1] = np.nan
    documents = []
    for index, row in enumerate(matrix.tolist()):
        metrics = dict(zip(("Visits", "Spend", "Joined"), row, strict=False))
        document: dict[str, Any] = {
            "Id": f"p{index}",
            "Metrics": {name: value for name, value in metrics.items() if not np.isnan(value)},
        }
        if not np.isnan(row[3]):
            document["Attributes"] = {"Plan": [PLANS[int(row[3])]]}
        documents.append(json.dumps(document))
    folk = Folk(folder=folder, matrix=matrix, outcomes=outcomes)
    folk.write("people.jsonl", "\n".join(documents) + "\n")
    rows = [f"p{index},{outcome}" for index, outcome in enumerate(outcomes.tolist())]
    folk.write("outcomes.csv", "\n".join(["Id,outcome", *rows, ""]))
    folk.write(
        "features.toml",
        "\n".join(
            [
                describe_feature("visits", "Metrics.Visits", "number"),
                describe_feature("spend", "Metrics.Spend", "number"),
                describe_feature("joined", "Metrics.Joined", "number"),
                describe_feature("plan", "Attributes.Plan", "code", values=list(PLANS)),
            ]
        ),
    )
    return folk


@pytest.fixture(scope="session")
def folk(tmp_path_factory: pytest.TempPathFactory) -> Folk:
    """People with missing values."""
    return make_folk(tmp_path_factory.mktemp("folk"), gaps=True)


@pytest.fixture(scope="session")
def whole_folk(tmp_path_factory: pytest.TempPathFactory) -> Folk:
    """People without missing values."""
    return make_folk(tmp_path_factory.mktemp("whole"), gaps=False)


def bundle_of(folk: Folk, model: Path, out: Path, **options: Any) -> BundleResult:
    given: dict[str, Any] = {
        "features": folk.folder / "features.toml",
        "endpoints": (folk.folder / "people.jsonl",),
        "outcomes": folk.folder / "outcomes.csv",
        "model": model,
        "out": out,
        **options,
    }
    return bundle_model(BundleConfig(**given), ignore_progress)


def written(result: BundleResult) -> Bundle:
    assert result.bundle is not None
    return result.bundle
