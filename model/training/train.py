"""One training run from files to a bundle: read, evaluate out of fold, fit, export, prove, write. Holds the order, no step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle, check_destination, golden_as_data, load_bundle, write_bundle
from model.drift import describe_column
from model.errors import SpecError
from model.features import FeatureSpec, load_spec
from model.training.datasets import Report, read_outcomes
from model.training.evaluate import Evaluation, evaluate_out_of_fold
from model.training.export import OPSETS, check_parity, convert_model, make_golden_rows, make_parity_rows, score_onnx
from model.training.fit import fit_model
from model.training.people import Enrich, Join, People, gather_people

SHAPING = ("numpy", "scikit-learn", "skl2onnx")  # libraries whose release can change the model


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to train from, and where the bundle goes.

    `as_of` is the time ages are measured against, in seconds since 1970 UTC; `enrich` adds people's profiles to their documents.
    """

    endpoints: tuple[Path, ...]
    outcomes: Path
    out: Path
    features: Path | None = None
    as_of: float | None = None
    name: str = "segment-scorer"
    seed: int = 0
    enrich: Enrich | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The bundle as written, what became of every line, and the features left out with the reason."""

    bundle: Bundle
    join: Join
    left_out: tuple[str, ...]


def train_bundle(order: Order, report: Report) -> Result:
    """Train and write a bundle. The same files and seed give the same bundle. Raises SegmentScorerError; then nothing is written."""
    check_destination(order.out)
    spec, left_out = choose_features(order)
    outcomes = read_outcomes(order.outcomes)
    people = gather_people(order.endpoints, outcomes, spec, order.as_of, report, enrich=order.enrich)
    evaluation = evaluate_out_of_fold(people.spec, people.matrix, people.outcomes, order.seed, report)
    report("fitting on everybody", 0, 1)
    model = fit_model(people.spec, people.matrix, people.outcomes, order.seed, calibrated=evaluation.calibrated)
    report("fitting on everybody", 1, 1)
    onnx = convert_model(model, people.matrix.shape[1])
    parity = check_parity(model, onnx, make_parity_rows(people.matrix, people.spec, order.seed))
    write_bundle(order.out, onnx, describe_bundle(order, people, evaluation, onnx, parity))
    return Result(bundle=load_bundle(order.out), join=people.join, left_out=(*left_out, *people.left_out))


def choose_features(order: Order) -> tuple[FeatureSpec, tuple[str, ...]]:
    """The spec to train on, and what of the given one is left out and why. Without a reference time there are no ages."""
    if order.features is None:
        raise SpecError("expected --features FILE, a feature spec in TOML; examples/cdnow/features.toml is one to start from")
    given = load_spec(order.features)
    if order.as_of is not None:
        return given, ()
    kept = tuple(feature for feature in given.features if feature.kind != "age")
    if not kept:
        raise SpecError(f"{order.features}: expected --as-of TIME, since every feature is an age, measured against it")
    return FeatureSpec(kept), tuple(f"{feature.name}: an age needs --as-of TIME" for feature in given.features if feature.kind == "age")


def describe_bundle(order: Order, people: People, evaluation: Evaluation, onnx: bytes, parity: float) -> dict[str, Any]:
    """The manifest, but for what `write_bundle` fills in. It holds no time, no path and no person: the same input gives the same."""
    spec = people.spec.to_mapping()
    golden = make_golden_rows(people.matrix, order.seed)
    return {
        "name": order.name,
        "version": derive_version(onnx, spec),
        "columns": list(people.spec.columns),
        "spec": spec,
        "threshold": evaluation.threshold,
        "threshold_rule": "base_rate",
        "classes": [0, 1],
        "calibration": "sigmoid" if evaluation.calibrated else "none",
        "metrics": evaluation.metrics,
        "parity": float(f"{parity:.0e}"),
        "golden": golden_as_data(golden, score_onnx(onnx, golden)),
        "versions": {**{library: version(library) for library in SHAPING}, "onnx_opset": OPSETS},
        # Out of fold: how the shipped model spreads people it has not seen, whom a threshold by reach is for. It has seen these ones.
        "quantiles": np.quantile(evaluation.scores, np.linspace(0, 1, 101)).round(6).tolist(),
        "drift": {
            "features": {name: describe_column(column) for name, column in zip(people.spec.columns, people.matrix.T, strict=True)},
            "score": describe_column(evaluation.scores.round(6)),
        },
    }


def derive_version(onnx: bytes, spec: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that change whenever the model or its features do."""
    return hashlib.sha256(onnx + json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]
