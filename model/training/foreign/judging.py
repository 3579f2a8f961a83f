"""A converted model and people in; the manifest of its bundle, as a trained model's, out."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from model.features import Matrix
from model.training.audit import audit_people, describe_leaks
from model.training.config import TrainingConfig
from model.training.cross_validation import CrossValidation, permute_features
from model.training.export import score_onnx
from model.training.folds import Scheme
from model.training.foreign.config import BundleConfig
from model.training.foreign.conversion import Converted
from model.training.foreign.original import Original
from model.training.manifest import describe_data, describe_model, describe_validation
from model.training.measures import Scores, describe_guess
from model.training.models import ModelChoice
from model.training.people import LEAST_WITH_FEATURE, People
from model.training.phrases import GIVEN, format_count
from model.training.reference import record_reference
from model.training.threshold import describe_rounding

SEEN = (
    "the figures are of the people given; if the model learnt from some of them, it looks better "
    "than it is, here and in a comparison with another bundle"
)


class OnnxClassifier:
    """A converted model in the form that figures about features need."""

    def __init__(self, onnx: bytes) -> None:
        self._onnx = onnx

    def predict_proba(self, matrix: Matrix) -> npt.NDArray[np.float64]:
        """The probabilities of both classes, float64 [n, 2]."""
        scores = score_onnx(self._onnx, matrix)
        return np.stack([1 - scores, scores], axis=1)


def judge_model(
    config: BundleConfig, original: Original, people: People, converted: Converted, scores: Scores
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The manifest without what `write_bundle` adds, and the notices in it."""
    audit = audit_people(people, config.seed)
    training = TrainingConfig(
        endpoints=config.endpoints,
        outcomes=config.outcomes,
        out=config.out,
        as_of=config.as_of,
        columns=config.columns,
        name=config.name,
        seed=config.seed,
        goal=config.goal,
    )
    falls = permute_features(
        OnnxClassifier(converted.onnx), people.spec, people.matrix, people.outcomes, config.seed
    )
    measured = CrossValidation(
        rows=np.arange(len(scores)),
        scores=scores,
        calibrated=False,
        scheme=Scheme.SHUFFLED,
        folds=0,
        choice=ModelChoice(original.format, {}),
        areas=(),
        importance={
            feature.name: round(float(fall), 6)
            for feature, fall in zip(people.spec.features, falls, strict=True)
        },
    )
    validation = describe_validation(training, people, measured, audit.alone)
    metrics = {
        key: value
        for key, value in validation["metrics"].items()
        if key not in {"folds", "roc_auc_by_fold"}
    }
    model = describe_model(training, people, measured, converted.onnx)
    notices = (
        SEEN,
        *original.notices,
        *describe_absent(people),
        *describe_filled(config, people),
        *audit.notices,
        *describe_leaks(audit, people.spec),
        *describe_guess(metrics),
        *describe_rounding(scores, validation["threshold"]),
    )
    manifest = {
        **validation,
        **model,
        **record_reference(config.as_of, people.spec),
        "metrics": {**metrics, "held_out": GIVEN},
        "model": {
            "kind": original.format,
            "title": original.title,
            "settings": dict(original.settings),
            "missing": config.fill or "as the model takes them",
        },
        "calibration": "none",
        "options": describe_bundling(config),
        "versions": {
            "numpy": version("numpy"),
            **{library: version(library) for library in original.libraries},
        },
        "parity": float(f"{converted.parity:.0e}"),
        "data": describe_data(people.join, int(people.outcomes.sum()), (), notices),
    }
    return manifest, notices


def describe_bundling(config: BundleConfig) -> dict[str, Any]:
    """`options`: everything that was asked for and shapes the model, its figures or the gate."""
    return {
        "missing": config.fill,
        "float32": config.float32,
        "seed": config.seed,
        "external": config.enrich is not None,
        "threshold": config.goal.to_mapping(),
        "margin": config.margin,
        "if_unclear": config.if_unclear.value,
    }


def describe_absent(people: People) -> list[str]:
    """A sentence for each feature of the model that hardly anyone has."""
    present = (~np.isnan(people.matrix[:, list(people.spec.starts)])).sum(axis=0)
    return [
        f"{feature.name}: fewer than {LEAST_WITH_FEATURE} people have it; check its path"
        for feature, count in zip(people.spec.features, present.tolist(), strict=True)
        if count < LEAST_WITH_FEATURE
    ]


def describe_filled(config: BundleConfig, people: People) -> list[str]:
    """A sentence if missing values are filled before the model."""
    if not config.fill:
        return []
    count = int(np.isnan(people.matrix).any(axis=1).sum())
    return [
        (
            "missing values become the median of the people given before the model sees them; "
            f"{format_count(count, 'person has', 'people have')} a missing value"
        )
    ]
