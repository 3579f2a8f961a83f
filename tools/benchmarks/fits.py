"""The shipped model's classifier, fitted for the usual handler and for foreign servers.

Each is fitted by the scikit-learn of its own environment, in a folder of `.cache/benchmarks/`.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from function.hosts.pinpoint import LARGEST_BATCH
from function.policy_file import load_policy
from function.settings import read_settings
from model.bundle import load_bundle
from model.feature_paths import split_path
from model.features import build_matrix
from model.training.models import ModelChoice, ModelSettings, make_model
from model.training.people import is_reserved
from tools.benchmarks.example import PLACE, ROOT, clean_environ, find_python, read_people

SEED = 0
MODEL, MADE_OF = "model.joblib", "made-of.txt"


def read_outcomes() -> dict[str, int]:
    """Id -> 1 if the customer bought again, else 0."""
    with (PLACE / "outcomes.csv").open(encoding="utf-8", newline="") as file:
        return {row["Id"]: int(row["outcome"]) for row in csv.DictReader(file)}


def read_learnt() -> list[dict[str, Any]]:
    """The people that the shipped model was trained on. The others were reserved for the gate."""
    reserved = load_bundle(read_settings({}).bundle).manifest["reserved"]
    return [
        document
        for document in read_people()
        if not is_reserved(document, document["Id"], reserved)
    ]


def read_parameters() -> dict[str, Any]:
    """The parameters of the shipped model's classifier."""
    spec = load_bundle(read_settings({}).bundle).spec
    plain = make_model(
        ModelSettings(), ModelChoice("boosting", {}), spec, len(read_learnt()), SEED
    ).get_params()
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in plain.items()
    }


@functools.cache
def fit_usual() -> Path:
    """Fit the usual handler's pipeline in its environment, on our features and threshold.

    Gives its folder.
    """
    folder = PLACE / "usual"
    folder.mkdir(parents=True, exist_ok=True)
    settings = read_settings({})
    bundle = load_bundle(settings.bundle)
    columns = [split_path(feature.path)[-1] for feature in bundle.spec.features]
    threshold = load_policy(
        settings.policy, threshold=bundle.threshold, quantiles=bundle.quantiles
    ).rules.threshold
    facts = {"columns": columns, "threshold": threshold, "parameters": read_parameters()}
    (folder / "settings.json").write_text(json.dumps(facts), encoding="utf-8")
    people, outcomes = read_learnt(), read_outcomes()
    with (folder / "people.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, [*columns, "outcome"])
        rows.writeheader()
        rows.writerows(
            {**document["Metrics"], "outcome": outcomes[document["Id"]]} for document in people
        )
    files = [folder / "settings.json", folder / "people.csv"]
    fit(find_python("usual"), Path(__file__).parent / "usual" / "fit.py", files)
    return folder


@functools.cache
def fit_peer(peer: str) -> Path:
    """Fit the same classifier in a foreign server's environment, as tests/interop does.

    Gives its joblib file.
    """
    folder = PLACE / peer
    folder.mkdir(parents=True, exist_ok=True)
    people, outcomes = read_learnt(), read_outcomes()
    matrix = build_matrix(people, load_bundle(read_settings({}).bundle).spec)
    np.savez(
        folder / "people.npz",
        matrix=matrix,
        outcomes=[outcomes[d["Id"]] for d in people],
        asked=matrix[:LARGEST_BATCH],
    )
    (folder / "params.json").write_text(json.dumps(read_parameters()), encoding="utf-8")
    files = [folder / "people.npz", folder / "params.json"]
    fit(find_python(f"interop/{peer}"), ROOT / "tests" / "interop" / "peers" / "fit.py", files)
    return folder / MODEL


def fit(python: Path, script: Path, files: Sequence[Path]) -> None:
    """Fit by a script from the files of a folder, unless its model is of the same already.

    python  of the environment that runs it; other packages make another model
    """
    folder = files[0].parent
    model, stamp = folder / MODEL, folder / MADE_OF
    made_of = digest_inputs(python, (script, *files))
    if model.exists() and stamp.exists() and stamp.read_text("ascii") == made_of:
        return
    stamp.unlink(missing_ok=True)
    subprocess.run([str(python), str(script), str(folder)], check=True, env=clean_environ())
    stamp.write_text(made_of, "ascii")


def digest_inputs(python: Path, files: Sequence[Path]) -> str:
    """A digest of files and of the packages, with versions, of an environment."""
    packages = python.parents[1].glob("lib/python*/site-packages/*.dist-info")
    digest = hashlib.sha256("\n".join(sorted(each.name for each in packages)).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
