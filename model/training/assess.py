"""A bundle, endpoints and outcomes in; how good the bundle's scores are on these people out. Never fits anything."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from model.atomic import replace_atomically
from model.bundle import MANIFEST_FILE, load_bundle
from model.errors import DataError
from model.kinds import KINDS
from model.training.audit import describe_late_dates, describe_lines
from model.training.card import draw_card
from model.training.datasets import Progress, read_outcomes
from model.training.export import score_onnx
from model.training.gate import describe_coverage, prove_bundle
from model.training.measures import (
    compare_calibration,
    count_scores,
    cut_deciles,
    measure,
    tell_apart,
)
from model.training.people import Enrich, Join, gather_people
from model.training.threshold import ThresholdGoal, draw_curve, weigh_profit
from model.training.train import describe_data

EVALUATION = "EVALUATION.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Which bundle, on whom. `out`: a directory for EVALUATION.md and its pictures; `as_of` as in training."""

    bundle: Path
    endpoints: tuple[Path, ...]
    outcomes: Path
    out: Path | None = None
    as_of: float | None = None
    seed: int = 0
    goal: ThresholdGoal = field(default_factory=ThresholdGoal)
    enrich: Enrich | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The figures, under the names a manifest has for them, and what became of every line."""

    facts: Mapping[str, Any]
    join: Join


def assess_bundle(config: EvaluationConfig, progress: Progress) -> Assessment:
    """Score these people with the bundle as it would serve them, and measure. Raises SegmentScorerError."""
    if config.out is not None and (config.out / MANIFEST_FILE).exists():
        raise DataError(
            f"{config.out}: expected a directory of its own for the evaluation, not one that holds a bundle"
        )
    bundle = load_bundle(config.bundle)
    onnx = prove_bundle(bundle)
    outcome_table = read_outcomes(config.outcomes)
    people = gather_people(
        config.endpoints,
        outcome_table,
        bundle.spec,
        config.as_of,
        progress,
        enrich=config.enrich,
        whole=True,
    )
    progress("scoring", 0, 1)
    scores, outcomes = score_onnx(onnx, people.matrix), people.outcomes
    progress("scoring", 1, 1)
    remarks = [
        *describe_coverage(bundle, people.matrix),
        *describe_late_dates(bundle.spec, people.matrix),
        *describe_lines(people.join),
    ]
    if (
        any(KINDS[feature.kind].needs_time for feature in bundle.spec.features)
        and config.as_of is None
        and outcome_table.dates is None
    ):
        remarks.append("ages are missing without --as-of TIME or dated outcomes")
    facts = {
        "name": bundle.name,
        "version": bundle.version,
        "model": bundle.manifest.get("model", {}),
        "threshold": bundle.threshold,
        "threshold_rule": bundle.manifest.get("threshold_rule", ""),
        "threshold_for": bundle.manifest.get("threshold_for", {}),
        "metrics": {
            **measure(scores, outcomes, people.groups, bundle.threshold, config.seed),
            "held_out": "given",
        },
        "evaluation": {
            "deciles": cut_deciles(scores, outcomes),
            "calibration": compare_calibration(scores, outcomes),
            "histogram": count_scores(scores, outcomes),
            "curve": draw_curve(config.goal, scores, outcomes),
            "profit": weigh_profit(config.goal, scores, outcomes, bundle.threshold),
            "by": tell_apart(scores, outcomes, people.labels, np.arange(len(outcomes))),
        },
        "data": describe_data(people.join, int(outcomes.sum()), (), remarks),
    }
    if config.out is not None:
        write_files(config.out, draw_card(facts, EVALUATION))
    return Assessment(facts=facts, join=people.join)


def write_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into `directory`, none of them half. Raises DataError where the disk refuses."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for name, content in files.items():
                stack.enter_context(replace_atomically(directory / name)).write_bytes(content)
    except OSError as error:
        raise DataError(
            f"{directory}: expected a directory that can be written: {error.strerror}"
        ) from error
