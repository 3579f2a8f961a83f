"""What an uplift training learnt, as the entries of a manifest: no path, no time, no person."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from model.bins import describe_column
from model.features import Matrix
from model.manifest import golden_as_data
from model.score_kind import UPLIFT
from model.training.config import TrainingConfig
from model.training.export import OPSETS, make_golden_rows, score_onnx
from model.training.folds import Scheme
from model.training.manifest import SHAPING, derive_version
from model.training.models import AUTO
from model.training.people import People
from model.training.uplift.campaign import UpliftPeople
from model.training.uplift.cross_validation import UpliftValidation
from model.training.uplift.judge import judge_effects
from model.training.uplift.learners import EffectModel
from model.training.uplift.threshold import choose_effect_threshold


def describe_validation(
    config: TrainingConfig,
    people: People,
    campaign: UpliftPeople,
    validation: UpliftValidation,
    alone: Mapping[str, float],
) -> dict[str, Any]:
    """The entries about the figures. `alone`: ROC AUC of each feature by itself, for responses."""
    effects = validation.effects
    threshold, rule = choose_effect_threshold(config.goal, effects)
    metrics, evaluation = judge_effects(
        effects,
        campaign,
        threshold,
        config.seed,
        responses=validation.responses,
        money=config.goal.money,
    )
    ranked = sorted(validation.importance.items(), key=lambda pair: (-pair[1], pair[0]))
    shared = len(people.groups) > int(people.groups.max()) + 1
    return {
        "name": config.name,
        "score": UPLIFT.to_mapping(),
        "threshold": threshold,
        "threshold_rule": rule,
        "threshold_for": config.goal.to_mapping(),
        "reserved": config.reserve,
        "metrics": {
            **metrics,
            "folds": validation.folds,
            "held_out": (Scheme.BY_USER if shared else Scheme.SHUFFLED).value,
        },
        "evaluation": {
            **evaluation,
            "features": [
                {"name": name, "importance": move, "alone": alone.get(name)}
                for name, move in ranked
            ],
            "learners": validation.learners,
        },
    }


def describe_model(
    config: TrainingConfig,
    people: People,
    validation: UpliftValidation,
    onnx: bytes,
    model: EffectModel,
) -> dict[str, Any]:
    """The entries about the model itself, except those that `write_bundle` adds."""
    spec = people.spec.to_mapping()
    golden: Matrix = make_golden_rows(people.matrix, config.seed)
    effects = validation.effects.round(6)
    return {
        "version": derive_version(onnx, spec),
        "columns": list(people.spec.columns),
        "spec": spec,
        "model": {
            "kind": model.learner,
            "settings": {"offset": round(model.offset, 9), "slope": round(model.slope, 9)},
            "asked": AUTO if config.uplift is None else config.uplift.learner,
            "balanced": False,
        },
        "calibration": "slope",
        "golden": golden_as_data(golden, score_onnx(onnx, golden, UPLIFT)),
        "versions": {**{library: version(library) for library in SHAPING}, "onnx_opset": OPSETS},
        "quantiles": np.quantile(effects, np.linspace(0, 1, 101)).round(6).tolist(),
        "drift": {
            "features": {
                name: describe_column(column)
                for name, column in zip(people.spec.columns, people.matrix.T, strict=True)
            },
            "score": describe_column(effects),
        },
    }
