"""Train a bundle from files: read, audit, cross-validate, compare, fit, export, check, write.

Holds the order of the steps; each step is a module of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from model.bundle import Bundle, check_destination
from model.people.progress import Progress
from model.score_kind import read_score_kind
from model.training.audit import Audit, audit_people, describe_leaks
from model.training.card import make_card
from model.training.comparisons import NewModel, list_earlier
from model.training.config import TrainingConfig
from model.training.cross_validation import CrossValidation, cross_validate
from model.training.datasets import OutcomeTable, read_outcomes
from model.training.directions import add_directions, trace_features
from model.training.export import check_parity, convert_model, make_parity_rows, score_onnx
from model.training.feature_choice import (
    FeatureChoice,
    choose_features,
    leave_out_leaks,
    write_inference,
)
from model.training.fit import fit_choice
from model.training.gate import Verdict, decide, load_checked
from model.training.gather import gather_people
from model.training.lineage import Incumbents
from model.training.manifest import describe_data, describe_model, describe_validation
from model.training.measures import describe_guess
from model.training.models import ModelSettings
from model.training.options import describe_options
from model.training.people import Join, People, reserve_users
from model.training.recipes import read_recipe
from model.training.reference import list_recorded, record_reference
from model.training.target_rates import apply_rates, encode_for, freeze_rates
from model.training.threshold import describe_rounding
from model.training.writing import record_descent, write_checked


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """The result of a training run.

    bundle    as written; None if the gate rejected the new model
    manifest  the description of the new model, written or not
    left_out  features left out, with the reason
    notices   what else the user should know about the data
    verdict   of the gate; None without an incumbent
    undated   of the notices, the one on dates that are left out: shown before anything else
    """

    bundle: Bundle | None
    manifest: Mapping[str, Any]
    join: Join
    left_out: tuple[str, ...]
    notices: tuple[str, ...]
    verdict: Verdict | None = None
    undated: tuple[str, ...] = ()

    @property
    def is_uplift(self) -> bool:
        """Whether the scores are effects of a message."""
        return read_score_kind(self.manifest).is_uplift


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The people, with everything that is known before a model is fitted."""

    people: People
    reserved: People | None
    audit: Audit
    choice: FeatureChoice
    left_out: tuple[str, ...]
    responded: int

    def freeze_rates(self) -> Material:
        """With the response rates of texts as they will be served."""
        people, reserved = freeze_rates(self.people), self.reserved
        aside = None if reserved is None else apply_rates(reserved, people.spec)
        return replace(self, people=people, reserved=aside)


def train_bundle(config: TrainingConfig, progress: Progress) -> TrainingResult:
    """Train and write a bundle. The same files and seed give the same bundle.

    Raises SegmentScorerError and then writes nothing. Writes nothing either if the gate keeps the
    bundle of `config.against`.
    """
    if config.uplift is not None:
        # Imported here because it puts these steps in another order.
        from model.training.uplift.train import train_uplift  # noqa: PLC0415

        return train_uplift(config, config.uplift, progress)
    check_destination(config.out)
    incumbents = load_checked(config.against)
    table = read_outcomes(config.outcomes, config.columns)
    outcome_table = replace(table, plain=config.plain_columns, naming=config.naming)
    material = prepare_people(config, outcome_table, incumbents, progress)
    people, settings = material.people, prefer_incumbent(config.settings, incumbents)
    validation = cross_validate(people, settings, config.seed, progress, quick=config.quick)
    result = describe_run(config, material, validation)
    progress("fitting on all people", 0, 1)
    whole = np.arange(len(people.outcomes))
    model = fit_choice(
        settings,
        encode_for(people, whole, config.seed),
        whole,
        validation.choice,
        config.seed,
        calibrated=validation.calibrated,
    )
    progress("fitting on all people", 1, 1)
    material = material.freeze_rates()
    people = material.people
    onnx = convert_model(model, people.matrix.shape[1])
    rows = make_parity_rows(people.matrix, people.spec, config.seed)
    parity = check_parity(model, onnx, rows)
    traces = trace_features(
        lambda matrix: score_onnx(onnx, matrix), people.matrix, people.spec, config.seed
    )
    add_directions(result.manifest["evaluation"]["features"], traces)
    verdict, best = pass_gate(
        config, material, validation, onnx=onnx, incumbents=incumbents, progress=progress
    )
    if verdict is not None and not verdict.passed:
        return replace(result, verdict=verdict)
    manifest, files = record_descent(
        {
            **result.manifest,
            **describe_model(config, people, validation, onnx),
            "parity": float(f"{parity:.0e}"),
        },
        verdict,
        incumbents,
        best,
        outcomes=config.outcomes,
        endpoints=config.endpoints,
    )
    card = {**make_card(manifest), **files}
    bundle = write_trained(config, material, onnx, manifest, card)
    return replace(result, bundle=bundle, manifest=manifest, verdict=verdict)


def prefer_incumbent(settings: ModelSettings, incumbents: Incumbents | None) -> ModelSettings:
    """The settings, with the model of the bundle in use as the one that "auto" keeps."""
    recipe = None if incumbents is None else read_recipe(incumbents.last.manifest)
    return settings if recipe is None else replace(settings, prior=recipe.choice)


def pass_gate(
    config: TrainingConfig,
    material: Material,
    validation: CrossValidation,
    *,
    onnx: bytes,
    incumbents: Incumbents | None,
    progress: Progress,
) -> tuple[Verdict | None, Bundle | None]:
    """The gate's verdict, and the earlier bundle that is still the best, if one is."""
    if incumbents is None or validation.split is None:
        return None, None
    people, reserved = material.people, material.reserved
    new = NewModel(
        people=people,
        rows=validation.rows,
        scores=validation.scores,
        folds=validation.split,
        reserved=reserved,
        reserved_scores=None if reserved is None else score_onnx(onnx, reserved.matrix),
        share=config.reserve,
    )
    earlier = list_earlier(incumbents, people, reserved)
    return decide(
        new,
        earlier,
        margin=config.margin,
        if_unclear=config.if_unclear,
        seed=config.seed,
        started=lambda label: progress(f"comparing with {label} out of fold", 0, 1),
    )


def prepare_people(
    config: TrainingConfig,
    outcome_table: OutcomeTable,
    incumbents: Incumbents | None,
    progress: Progress,
) -> Material:
    """Join the files, choose features, audit them, and set the reserved users aside."""
    choice = choose_features(config, outcome_table, progress)
    people = gather_people(
        config.endpoints,
        outcome_table,
        choice.spec,
        config.as_of,
        progress,
        enrich=config.enrich,
        others=list_recorded(() if incumbents is None else incumbents.earlier),
    )
    left_out = (*choice.left_out, *people.left_out)
    progress("auditing features", 0, 1)
    audit = audit_people(people, config.seed)
    if choice.inference is not None:
        people, leaks = leave_out_leaks(people, audit)
        left_out = (*left_out, *leaks)
    responded = int(people.outcomes.sum())
    reserved = None
    if config.reserve:
        people, reserved = reserve_users(people, config.reserve)
    progress("auditing features", 1, 1)
    return Material(
        people=people,
        reserved=reserved,
        audit=audit,
        choice=choice,
        left_out=left_out,
        responded=responded,
    )


def describe_run(
    config: TrainingConfig, material: Material, validation: CrossValidation
) -> TrainingResult:
    """The result before a model is fitted on all people: without a bundle and a verdict."""
    people, audit, reserved = material.people, material.audit, material.reserved
    choice = material.choice
    manifest = {
        **describe_validation(config, people, validation, audit.alone),
        **record_reference(config.as_of, people.spec),
        "options": describe_options(config),
    }
    notices = (
        *choice.undated,
        *choice.doubts,
        *audit.notices,
        *describe_leaks(audit, people.spec),
        *validation.notices,
        *describe_guess(manifest["metrics"]),
        *describe_rounding(validation.scores, manifest["threshold"]),
    )
    manifest["data"] = describe_data(
        people.join,
        material.responded,
        material.left_out,
        notices,
        0 if reserved is None else len(reserved.outcomes),
    )
    return TrainingResult(
        bundle=None,
        manifest=manifest,
        join=people.join,
        left_out=material.left_out,
        notices=notices,
        undated=choice.undated,
    )


def write_trained(
    config: TrainingConfig,
    material: Material,
    onnx: bytes,
    manifest: dict[str, Any],
    card: Mapping[str, bytes],
) -> Bundle:
    """Write model, manifest, card and the inferred spec; load and check what was written."""
    files = dict(card)
    inference = material.choice.inference
    if inference is not None:
        spec = material.people.spec
        files["features.toml"] = write_inference(inference, spec, material.left_out)
    return write_checked(config.out, onnx, manifest, files)
