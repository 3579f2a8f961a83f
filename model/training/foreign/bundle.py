"""Make a bundle of a foreign model: read, gather, convert, compare, judge, check, write.

Holds the order of the steps; each step is a module of its own. Never fits anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from model.bundle import Bundle, check_destination
from model.errors import DataError
from model.people.progress import Progress
from model.training.card import make_card
from model.training.comparisons import NewModel, list_earlier
from model.training.datasets import read_outcomes
from model.training.export import score_onnx
from model.training.folds import make_folds
from model.training.foreign.columns import check_columns, read_whole_spec
from model.training.foreign.config import BundleConfig
from model.training.foreign.conversion import convert_original
from model.training.foreign.judging import judge_model
from model.training.foreign.people_exact import ExactPeople, read_predictions
from model.training.foreign.readers import read_foreign
from model.training.gate import Verdict, decide, load_checked
from model.training.gather import gather_people
from model.training.lineage import Incumbents
from model.training.measures import Scores
from model.training.people import Join, People
from model.training.reference import list_recorded
from model.training.writing import record_descent, write_checked


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleResult:
    """The bundle as written, or None if the gate rejected it; and what is known about it."""

    bundle: Bundle | None
    manifest: Mapping[str, Any]
    join: Join
    notices: tuple[str, ...]
    verdict: Verdict | None = None


def bundle_model(config: BundleConfig, progress: Progress) -> BundleResult:
    """Write a bundle of the model. Raises SegmentScorerError and then writes nothing.

    Writes nothing either if the gate keeps the bundle of `config.against`.
    """
    check_destination(config.out)
    incumbents = load_checked(config.against)
    original = read_foreign(config.model, config.positive)
    if original.score is None and config.predictions is None:
        raise DataError(
            f"{config.model}: expected --predictions with the scores of the original (CSV "
            "Id,score): a bare ONNX file has nothing to be compared with"
        )
    table = read_outcomes(config.outcomes, config.columns)
    outcome_table = replace(table, plain=config.plain_columns, naming=config.naming)
    dated = config.as_of is not None or outcome_table.dates is not None
    spec = read_whole_spec(config.features, dated=dated)
    check_columns(original, spec)
    predictions = None if config.predictions is None else read_predictions(config.predictions)
    exact = ExactPeople(spec, predictions, float32=config.float32)
    people = gather_people(
        config.endpoints,
        outcome_table,
        spec,
        config.as_of,
        progress,
        enrich=config.enrich,
        others=list_recorded(() if incumbents is None else incumbents.earlier),
        whole=True,
        watch=exact.watch,
    )
    progress("converting and comparing", 0, 1)
    converted = convert_original(config, original, spec, exact)
    progress("converting and comparing", 1, 1)
    scores = score_onnx(converted.onnx, people.matrix)
    progress("judging", 0, 1)
    manifest, notices = judge_model(config, original, people, converted, scores)
    progress("judging", 1, 1)
    verdict, ahead = pass_gate(config, people, scores, incumbents, progress)
    manifest, files = record_descent(
        manifest,
        verdict,
        incumbents,
        ahead,
        outcomes=config.outcomes,
        endpoints=config.endpoints,
    )
    bundle = None
    if verdict is None or verdict.passed:
        card = {**make_card(manifest), **files}
        bundle = write_checked(config.out, converted.onnx, manifest, card)
    return BundleResult(
        bundle=bundle, manifest=manifest, join=people.join, notices=notices, verdict=verdict
    )


def pass_gate(
    config: BundleConfig,
    people: People,
    scores: Scores,
    incumbents: Incumbents | None,
    progress: Progress,
) -> tuple[Verdict | None, Bundle | None]:
    """The gate's verdict, and the earlier bundle that is still the best, if one is."""
    if incumbents is None:
        return None, None
    folds = make_folds(people.outcomes, people.groups, people.dates, config.seed)
    new = NewModel(
        people=people,
        rows=folds.scored,
        scores=scores[folds.scored],
        folds=folds,
        reserved=None,
        reserved_scores=None,
        share=0.0,
        fitted=False,
    )
    return decide(
        new,
        list_earlier(incumbents, people, None),
        margin=config.margin,
        if_unclear=config.if_unclear,
        seed=config.seed,
        started=lambda label: progress(f"comparing with {label} out of fold", 0, 1),
    )
