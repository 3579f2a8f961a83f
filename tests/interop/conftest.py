"""The example's people, a model fitted in a peer's environment, and running peers."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.cdnow.make_endpoints import write_example
from model.bundle import load_bundle
from model.features import Matrix, build_matrix
from model.training.models import ModelChoice, ModelSettings, make_model
from model.training.people import is_reserved
from tests.interop.prepare import ROOT, find_python

PEERS = Path(__file__).parent / "peers"
ASKED = 500
SEED = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run interop tests only on request: they take minutes and environments of their own."""
    if "interop" not in config.getoption("markexpr"):
        for item in items:
            if item.get_closest_marker("interop"):
                item.add_marker(pytest.mark.skip(reason="foreign servers: make interop"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The example's people: fitted on those the shipped bundle learnt from, asked about any."""

    folder: Path
    asked: Matrix


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    folder = tmp_path_factory.mktemp("example")
    write_example(folder)
    bundle = load_bundle(ROOT / "model" / "artifact")
    with (folder / "outcomes.csv").open(newline="") as file:
        outcomes = {row["Id"]: int(row["outcome"]) for row in csv.DictReader(file)}
    with gzip.open(folder / "endpoints.jsonl.gz", "rt") as lines:
        documents: list[dict[str, Any]] = [json.loads(line) for line in lines]
    matrix = build_matrix(documents, bundle.spec)
    asked = matrix[np.random.default_rng(SEED).choice(len(matrix), ASKED, replace=False)]
    assert np.isnan(asked).any()
    # The shipped model never saw the reserved people, so the peers must not see them either.
    share = bundle.manifest["reserved"]
    learnt = [row for row, each in enumerate(documents) if not is_reserved(each, each["Id"], share)]
    assert len(learnt) == bundle.manifest["metrics"]["n"]
    np.savez(
        folder / "people.npz",
        matrix=matrix[learnt],
        outcomes=[outcomes[documents[row]["Id"]] for row in learnt],
        asked=asked,
    )
    params = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in make_model(
            ModelSettings(), ModelChoice("boosting", {}), bundle.spec, len(learnt), SEED
        )
        .get_params()
        .items()
    }
    (folder / "params.json").write_text(json.dumps(params))
    return Example(folder=folder, asked=asked)


def require_python(peer: str) -> Path:
    python = find_python(peer)
    if python is None:
        pytest.fail(f"needs .cache/interop/{peer}; run make interop")
    return python


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A model fitted in a peer's environment: its file, and its scores without a server."""

    file: Path
    scores: np.ndarray


def fit_in(peer: str, example: Example) -> Fitted:
    subprocess.run(
        [str(require_python(peer)), str(PEERS / "fit.py"), str(example.folder)], check=True
    )
    file = example.folder / f"{peer}.joblib"
    (example.folder / "model.joblib").replace(file)
    return Fitted(file=file, scores=np.load(example.folder / "scores.npy"))
