"""Measure how good a bundle's scores are on people with known outcomes. Never fits anything."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.atomic import replace_atomically
from model.bundle import Bundle, load_bundle
from model.errors import DataError
from model.manifest import MANIFEST_FILE
from model.people.outcome_columns import USUAL_NAMES, ColumnNames
from model.people.progress import Progress
from model.profile_names import Naming
from model.training.audit import describe_late_dates, describe_lines
from model.training.card import make_card
from model.training.config import UpliftConfig
from model.training.datasets import OutcomeTable
from model.training.export import score_onnx
from model.training.gate import check_bundle, describe_coverage
from model.training.gather import gather_people
from model.training.join import Enrich
from model.training.manifest import describe_data, describe_scores
from model.training.measures import Scores, measure
from model.training.options import describe_seen, digest_data
from model.training.people import Join, People
from model.training.phrases import GIVEN
from model.training.reference import find_recorded, list_recorded, record_reference
from model.training.threshold import ThresholdGoal
from model.training.uplift.card import make_card as make_effect_card
from model.training.uplift.evaluation import check_kind, load_response, measure_effects
from model.training.uplift.people import read_campaign

EVALUATION_FILE = "EVALUATION.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Which bundle to evaluate on which people.

    out      a directory for EVALUATION.md and its pictures
    as_of    reference time of ages; None for the outcomes' dates, else what the bundle records
    columns  what the columns of the outcomes file are called
    uplift   who was messaged; needed for an uplift bundle, and for no other
    against  a response bundle to compare an uplift bundle with
    """

    bundle: Path
    endpoints: tuple[Path, ...]
    outcomes: Path
    out: Path | None = None
    as_of: float | None = None
    seed: int = 0
    goal: ThresholdGoal = field(default_factory=ThresholdGoal)
    enrich: Enrich | None = None
    columns: ColumnNames = USUAL_NAMES
    uplift: UpliftConfig | None = None
    against: Path | None = None
    plain_columns: bool = False
    naming: Naming | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """The figures, named as in a manifest, and the counts of the join."""

    facts: Mapping[str, Any]
    join: Join


def evaluate_bundle(config: EvaluationConfig, progress: Progress) -> EvaluationResult:
    """Score these people as the bundle would serve them, and measure. Raises SegmentScorerError."""
    if config.out is not None and (config.out / MANIFEST_FILE).exists():
        raise DataError(
            f"{config.out}: expected a directory for the evaluation alone, found a bundle"
        )
    bundle = load_bundle(config.bundle)
    onnx = check_bundle(bundle)
    check_kind(bundle, config.uplift)
    response = load_response(bundle, config.against)
    table = read_campaign(config.outcomes, config.columns, config.uplift)
    outcome_table = replace(table, plain=config.plain_columns, naming=config.naming)
    undated = config.as_of is None and outcome_table.dates is None
    as_of = find_recorded(bundle.manifest) if undated else config.as_of
    people = gather_people(
        config.endpoints,
        outcome_table,
        bundle.spec,
        as_of,
        progress,
        enrich=config.enrich,
        others=list_recorded([] if response is None else [response]),
        whole=True,
    )
    progress("scoring", 0, 1)
    scores = score_onnx(onnx, people.matrix, bundle.score)
    progress("scoring", 1, 1)
    notices = [
        *describe_seen(bundle, digest_data(config.outcomes, config.endpoints)),
        *describe_coverage(bundle, people.matrix),
        *describe_late_dates(bundle.spec, people.matrix),
        *describe_lines(people.join),
    ]
    metrics, evaluation, doubts = measure_scores(
        config, bundle, people, outcome_table, scores=scores, response=response
    )
    notices += doubts
    if undated and as_of is None and bundle.spec.needs_time:
        notices.append("ages are missing: they need --as-of TIME or dated outcomes")
    facts = {
        "name": bundle.name,
        "version": bundle.version,
        "model": bundle.manifest.get("model", {}),
        "threshold": bundle.threshold,
        "threshold_rule": bundle.manifest.get("threshold_rule", ""),
        "threshold_for": bundle.manifest.get("threshold_for", {}),
        "score": bundle.score.to_mapping(),
        "metrics": {**metrics, "held_out": GIVEN},
        "evaluation": evaluation,
        "data": describe_data(people.join, int(people.outcomes.sum()), (), notices),
        **({} if undated and as_of is None else record_reference(as_of, bundle.spec)),
    }
    if config.out is not None:
        draw_card = make_effect_card if bundle.score.is_uplift else make_card
        write_evaluation(config.out, draw_card(facts, EVALUATION_FILE))
    return EvaluationResult(facts=facts, join=people.join)


def measure_scores(
    config: EvaluationConfig,
    bundle: Bundle,
    people: People,
    outcome_table: OutcomeTable,
    *,
    scores: Scores,
    response: Bundle | None,
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """`metrics` and `evaluation` as the kind of the scores asks for, and notices."""
    if bundle.score.is_uplift:
        return measure_effects(
            bundle,
            people,
            outcome_table,
            scores,
            response=response,
            seed=config.seed,
            money=config.goal.money,
        )
    outcomes, threshold = people.outcomes, bundle.threshold
    metrics = measure(scores, outcomes, people.groups, threshold, config.seed)
    rows = np.arange(len(outcomes))
    evaluation = describe_scores(config.goal, scores, people, rows, threshold=threshold)
    return metrics, evaluation, []


def write_evaluation(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into `directory`, each of them whole. Raises DataError if that fails."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for name, content in files.items():
                stack.enter_context(replace_atomically(directory / name)).write_bytes(content)
    except OSError as error:
        raise DataError(f"{directory}: expected a writable directory: {error.strerror}") from error
