"""What a training run learnt, as the entries of a manifest.

They hold no path, no person, and no time but `as_of`.
The same input gives the same manifest. The names of the entries are a fixed format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from model.bins import describe_column
from model.manifest import golden_as_data
from model.score_kind import RESPONSE
from model.training.config import TrainingConfig
from model.training.cross_validation import CrossValidation
from model.training.export import OPSETS, make_golden_rows, score_onnx
from model.training.folds import Rows
from model.training.measures import Scores, measure
from model.training.people import Join, People
from model.training.score_tables import (
    tabulate_calibration,
    tabulate_deciles,
    tabulate_decision,
    tabulate_scores,
    tabulate_subgroups,
    tabulate_top,
)
from model.training.threshold import (
    ThresholdGoal,
    choose_threshold,
    compute_profit,
    tabulate_thresholds,
)

# Libraries whose release can change the model.
SHAPING = ("numpy", "scikit-learn", "skl2onnx")


def describe_data(
    join: Join,
    responded: int,
    left_out: Sequence[str],
    notices: Sequence[str],
    reserved: int = 0,
) -> dict[str, Any]:
    """`data`: the counts of the join; `responded` and `reserved` are of the matched endpoints."""
    return {
        "endpoints": join.endpoints,
        "matched": join.matched,
        "responded": responded,
        "reserved": reserved,
        "users": join.users,
        "users_with_several_endpoints": join.shared,
        "without_outcome": join.without_outcome,
        "without_endpoint": join.without_endpoint,
        "repeated": join.repeated,
        "refused": join.refused,
        "left_out": list(left_out),
        "remarks": list(notices),
    }


def describe_scores(
    goal: ThresholdGoal,
    scores: Scores,
    people: People,
    rows: Rows,
    *,
    threshold: float,
    features: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """`evaluation`: the tables behind card and pictures. `scores[i]` is of row `rows[i]`."""
    outcomes = people.outcomes[rows]
    return {
        "deciles": tabulate_deciles(scores, outcomes),
        "top": tabulate_top(scores, outcomes),
        "decision": tabulate_decision(scores, outcomes, threshold),
        "calibration": tabulate_calibration(scores, outcomes),
        "histogram": tabulate_scores(scores, outcomes),
        "curve": tabulate_thresholds(goal, scores, outcomes),
        "profit": compute_profit(goal, scores, outcomes, threshold),
        **({"features": list(features)} if features is not None else {}),
        "by": tabulate_subgroups(
            scores, outcomes, people.subgroups, rows, groups=people.groups[rows]
        ),
    }


def describe_validation(
    config: TrainingConfig,
    people: People,
    validation: CrossValidation,
    alone: Mapping[str, float],
) -> dict[str, Any]:
    """The entries about the figures. `alone`: ROC AUC of each feature by itself."""
    rows, scores = validation.rows, validation.scores
    outcomes = people.outcomes[rows]
    threshold = choose_threshold(config.goal, scores, outcomes)
    ranked = sorted(validation.importance.items(), key=lambda pair: (-pair[1], pair[0]))
    features = [
        {"name": name, "importance": fall, "alone": alone.get(name)} for name, fall in ranked
    ]
    return {
        "name": config.name,
        "threshold": threshold,
        "threshold_rule": config.goal.rule.value,
        "threshold_for": config.goal.to_mapping(),
        "reserved": config.reserve,
        "metrics": {
            **measure(scores, outcomes, people.groups[rows], threshold, config.seed),
            "folds": validation.folds,
            "roc_auc_by_fold": list(validation.areas),
            "held_out": validation.scheme.value,
            "nested": validation.nested,
        },
        "evaluation": describe_scores(
            config.goal, scores, people, rows, threshold=threshold, features=features
        ),
    }


def describe_model(
    config: TrainingConfig,
    people: People,
    validation: CrossValidation,
    onnx: bytes,
) -> dict[str, Any]:
    """The entries about the model itself, except those that `write_bundle` adds."""
    choice = validation.choice
    spec = people.spec.to_mapping()
    golden = make_golden_rows(people.matrix, config.seed)
    # Quantiles are of people held out: a threshold by reach is for people that the model has not
    # seen, and it has seen all of these.
    quantiles = np.quantile(validation.scores, np.linspace(0, 1, 101)).round(6).tolist()
    return {
        "version": derive_version(onnx, spec),
        "columns": list(people.spec.columns),
        "spec": spec,
        "classes": [0, 1],
        "score": RESPONSE.to_mapping(),
        "model": {
            "kind": choice.model,
            "settings": choice.parameters,
            "asked": config.settings.model,
            "balanced": config.settings.balanced,
        },
        "calibration": "sigmoid" if validation.calibrated else "none",
        "golden": golden_as_data(golden, score_onnx(onnx, golden)),
        "versions": {**{library: version(library) for library in SHAPING}, "onnx_opset": OPSETS},
        "quantiles": quantiles,
        "drift": {
            "features": {
                name: describe_column(column)
                for name, column in zip(people.spec.columns, people.matrix.T, strict=True)
            },
            "score": describe_column(validation.scores.round(6)),
        },
    }


def derive_version(onnx: bytes, spec: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that change whenever the model or its features do."""
    return hashlib.sha256(onnx + json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]
