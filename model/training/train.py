"""One training run from files to a bundle: read, look, evaluate, compare, fit, export, prove, write. Holds the order, no step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from model.bins import describe_column
from model.bundle import Bundle, check_destination, golden_as_data, load_bundle, write_bundle
from model.errors import DataError, SpecError
from model.features import FeatureSpec, load_spec
from model.kinds import KINDS
from model.training.audit import Audit, audit_people, describe_leaks
from model.training.card import draw_card
from model.training.datasets import OutcomeTable, Progress, read_outcomes
from model.training.evaluate import Evaluation, evaluate_out_of_fold
from model.training.export import (
    OPSETS,
    check_parity,
    convert_model,
    make_golden_rows,
    make_parity_rows,
    score_onnx,
)
from model.training.fit import ModelChoice, ModelSettings, fit_model
from model.training.gate import MARGIN, Verdict, judge_against, prove_bundle
from model.training.infer import Inference, infer_spec, write_features
from model.training.measures import (
    compare_calibration,
    count_scores,
    cut_deciles,
    describe_guess,
    measure,
    tell_apart,
)
from model.training.people import (
    Enrich,
    Join,
    People,
    gather_people,
    keep_features,
    reserve_users,
    sample_people,
    take_rows,
)
from model.training.threshold import (
    ThresholdGoal,
    choose_threshold,
    describe_rounding,
    draw_curve,
    weigh_profit,
)

SHAPING = ("numpy", "scikit-learn", "skl2onnx")  # libraries whose release can change the model


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """What to train from, and where the bundle goes.

    features  feature spec; None to infer one
    as_of     the time ages are measured against, in seconds since 1970 UTC; None for the outcomes' dates, if there are any
    against   the bundle in use; margin: by how much the new model may be worse to take its place
    enrich    adds people's profiles to their documents
    reserve   share of users never learnt from, so that this model and those to come can be compared on people that none has seen
    """

    endpoints: tuple[Path, ...]
    outcomes: Path
    out: Path
    features: Path | None = None
    as_of: float | None = None
    name: str = "segment-scorer"
    seed: int = 0
    settings: ModelSettings = field(default_factory=ModelSettings)
    goal: ThresholdGoal = field(default_factory=ThresholdGoal)
    against: Path | None = None
    margin: float = MARGIN
    reserve: float = 0.0
    enrich: Enrich | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What came of a run.

    bundle    as written; None where the gate kept it back
    manifest  the description of the new model, written or not
    left_out  features left out, with the reason; remarks: what else the data made us say
    """

    bundle: Bundle | None
    manifest: Mapping[str, Any]
    join: Join
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]
    verdict: Verdict | None


def train_bundle(config: TrainingConfig, progress: Progress) -> TrainingResult:
    """Train and write a bundle. The same files and seed give the same bundle. Raises SegmentScorerError; then nothing is written.

    With `config.against` nothing is written either where the new model is worse than that bundle by more than the margin.
    """
    check_destination(config.out)
    rival = load_bundle(config.against) if config.against is not None else None
    if rival is not None:
        prove_bundle(rival)
    outcome_table = read_outcomes(config.outcomes)
    spec, inference, left_out = choose_features(config, outcome_table, progress)
    seen_by = rival.spec if rival is not None else None
    people = gather_people(
        config.endpoints,
        outcome_table,
        spec,
        config.as_of,
        progress,
        enrich=config.enrich,
        rival=seen_by,
    )
    left_out = (*left_out, *people.left_out)
    progress("looking at features", 0, 1)
    audit = audit_people(people, config.seed)
    if inference is not None:
        people, telling = leave_out_leaks(people, audit)
        left_out = (*left_out, *telling)
    judges, responded = None, int(people.outcomes.sum())
    if config.reserve:
        people, judges = reserve_users(people, config.reserve)
    progress("looking at features", 1, 1)
    evaluation = evaluate_out_of_fold(people, config.settings, config.seed, progress)
    verdict = None
    if rival is not None and judges is None:
        held_out = take_rows(people, evaluation.rows)
        verdict = judge_against(
            rival, evaluation.scores, held_out, config.margin, config.seed, unseen=False
        )
    manifest = describe_evaluation(config, people, evaluation, audit.alone)
    noticed = (
        *evaluation.remarks,
        *describe_guess(manifest["metrics"]),
        *describe_rounding(evaluation.scores, manifest["threshold"]),
    )
    remarks = (*audit.remarks, *describe_leaks(audit, people.spec), *noticed)
    manifest["data"] = describe_data(
        people.join, responded, left_out, remarks, 0 if judges is None else len(judges.outcomes)
    )
    kept_back = TrainingResult(
        bundle=None,
        manifest=manifest,
        join=people.join,
        left_out=left_out,
        remarks=remarks,
        verdict=verdict,
    )
    if verdict is not None and not verdict.passed:
        return kept_back
    progress("fitting on everybody", 0, 1)
    model, choice = fit_model(
        config.settings, people, config.seed, calibrated=evaluation.calibrated
    )
    progress("fitting on everybody", 1, 1)
    onnx = convert_model(model, people.matrix.shape[1])
    parity = check_parity(model, onnx, make_parity_rows(people.matrix, people.spec, config.seed))
    if rival is not None and judges is not None:
        unseen = rival.manifest.get("reserved", 0) >= config.reserve
        verdict = judge_against(
            rival,
            score_onnx(onnx, judges.matrix),
            judges,
            config.margin,
            config.seed,
            unseen=unseen,
        )
        if not verdict.passed:
            return replace(kept_back, verdict=verdict)
    manifest |= describe_model(config, people, evaluation, onnx, choice)
    manifest["parity"] = float(f"{parity:.0e}")
    if verdict is not None:
        manifest["gate"] = verdict.figures
    files = draw_card(manifest)
    if inference is not None:
        files["features.toml"] = write_inference(inference, people.spec, left_out)
    write_bundle(config.out, onnx, manifest, files)
    bundle = load_bundle(config.out)
    prove_bundle(bundle)
    return TrainingResult(
        bundle=bundle,
        manifest=manifest,
        join=people.join,
        left_out=left_out,
        remarks=remarks,
        verdict=verdict,
    )


def choose_features(
    config: TrainingConfig, outcome_table: OutcomeTable, progress: Progress
) -> tuple[FeatureSpec, Inference | None, tuple[str, ...]]:
    """The spec to train on, how it was inferred where none is given, and what is left out and why. Ages need a time to be measured at."""
    dated = config.as_of is not None or outcome_table.dates is not None
    if config.features is None:
        documents = sample_people(
            config.endpoints, outcome_table, config.seed, progress, config.enrich
        )
        if not documents:  # gathering says what is wrong, better than an inference from nobody
            gather_people(
                config.endpoints, outcome_table, FeatureSpec(()), None, progress, whole=True
            )
            raise DataError("expected endpoints and outcomes to share Ids")
        inference = infer_spec(documents, dated=dated)
        return (
            inference.spec,
            inference,
            tuple(f"{path}: {reason}" for path, reason in inference.left_out),
        )
    given = load_spec(config.features)
    if dated:
        return given, None, ()
    kept = tuple(feature for feature in given.features if not KINDS[feature.kind].needs_time)
    if not kept:
        raise SpecError(
            f"{config.features}: expected --as-of TIME or dated outcomes, since every feature is an age"
        )
    left_out = tuple(
        f"{feature.name}: an age needs --as-of TIME or dated outcomes"
        for feature in given.features
        if KINDS[feature.kind].needs_time
    )
    return FeatureSpec(kept), None, left_out


def leave_out_leaks(people: People, audit: Audit) -> tuple[People, tuple[str, ...]]:
    """Without the features that tell the outcome by themselves, unless there are no others. Nobody asked for them by name."""
    keep = [feature.name not in audit.telltale for feature in people.spec.features]
    if all(keep) or not any(keep):
        return people, ()
    spec, matrix = keep_features(people.spec, people.matrix, keep)
    telling = tuple(
        f"{feature.name}: alone it ranks people with a ROC AUC of {audit.alone[feature.name]:.3f}, so it probably knows the outcome; "
        "put it into a feature spec if it is known before the message is sent"
        for feature, kept in zip(people.spec.features, keep, strict=True)
        if not kept
    )
    return replace(people, spec=spec, matrix=matrix), telling


def write_inference(inference: Inference, spec: FeatureSpec, left_out: tuple[str, ...]) -> bytes:
    """The TOML of what was trained on, with every reason; a category learns its vocabulary again at the next training."""
    names = {feature.name for feature in spec.features}
    kept = FeatureSpec(
        tuple(feature for feature in inference.spec.features if feature.name in names)
    )
    reasons = tuple(
        (path, reason) for path, _, reason in (sentence.partition(": ") for sentence in left_out)
    )
    return write_features(Inference(spec=kept, left_out=reasons)).encode()


def describe_data(
    join: Join, responded: int, left_out: Sequence[str], remarks: Sequence[str], aside: int = 0
) -> dict[str, Any]:
    """What the manifest says about what was read: how many `responded` of all that matched, how many of these were set `aside`."""
    return {
        "endpoints": join.endpoints,
        "matched": join.matched,
        "responded": responded,
        "reserved": aside,
        "users": join.users,
        "users_with_several_endpoints": join.shared,
        "without_outcome": join.without_outcome,
        "without_endpoint": join.without_endpoint,
        "repeated": join.repeated,
        "refused": join.refused,
        "left_out": list(left_out),
        "remarks": list(remarks),
    }


def describe_evaluation(
    config: TrainingConfig, people: People, evaluation: Evaluation, alone: Mapping[str, float]
) -> dict[str, Any]:
    """What the manifest says about figures. It holds no time, no path and no person: the same input gives the same."""
    rows, scores = evaluation.rows, evaluation.scores
    outcomes = people.outcomes[rows]
    threshold = choose_threshold(config.goal, scores, outcomes)
    ranked = sorted(evaluation.importance.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "name": config.name,
        "threshold": threshold,
        "threshold_rule": config.goal.rule,
        "threshold_for": config.goal.to_mapping(),
        "reserved": config.reserve,
        "metrics": {
            **measure(scores, outcomes, people.groups[rows], threshold, config.seed),
            "folds": evaluation.folds,
            "roc_auc_by_fold": list(evaluation.areas),
            "held_out": evaluation.scheme,
        },
        "evaluation": {
            "deciles": cut_deciles(scores, outcomes),
            "calibration": compare_calibration(scores, outcomes),
            "histogram": count_scores(scores, outcomes),
            "curve": draw_curve(config.goal, scores, outcomes),
            "profit": weigh_profit(config.goal, scores, outcomes, threshold),
            "features": [
                {"name": name, "importance": fall, "alone": alone.get(name)}
                for name, fall in ranked
            ],
            "by": tell_apart(scores, outcomes, people.labels, rows),
        },
    }


def describe_model(
    config: TrainingConfig, people: People, evaluation: Evaluation, onnx: bytes, choice: ModelChoice
) -> dict[str, Any]:
    """What the manifest says about the model itself, but for what `write_bundle` fills in."""
    spec = people.spec.to_mapping()
    golden = make_golden_rows(people.matrix, config.seed)
    return {
        "version": derive_version(onnx, spec),
        "columns": list(people.spec.columns),
        "spec": spec,
        "classes": [0, 1],
        "model": {
            "kind": choice.model,
            "settings": choice.settings,
            "asked": config.settings.model,
            "balanced": config.settings.balanced,
        },
        "calibration": "sigmoid" if evaluation.calibrated else "none",
        "golden": golden_as_data(golden, score_onnx(onnx, golden)),
        "versions": {**{library: version(library) for library in SHAPING}, "onnx_opset": OPSETS},
        # Of people held out: how the shipped model spreads those it has not seen, whom a threshold by reach is for. It has seen these.
        "quantiles": np.quantile(evaluation.scores, np.linspace(0, 1, 101)).round(6).tolist(),
        "drift": {
            "features": {
                name: describe_column(column)
                for name, column in zip(people.spec.columns, people.matrix.T, strict=True)
            },
            "score": describe_column(evaluation.scores.round(6)),
        },
    }


def derive_version(onnx: bytes, spec: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that change whenever the model or its features do."""
    return hashlib.sha256(onnx + json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]
