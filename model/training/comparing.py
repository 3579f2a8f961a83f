"""Two bundles scored on the same people: figures, gains, and who changes sides at the threshold.

Never fits anything. The facts hold counts and figures, never a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle, load_bundle
from model.errors import BundleError
from model.people.outcome_columns import USUAL_NAMES, ColumnNames
from model.people.progress import Progress
from model.profile_names import Naming
from model.score_kind import RESPONSE
from model.training.audit import describe_lines
from model.training.comparisons import score_bundle
from model.training.datasets import read_outcomes
from model.training.gate import check_bundle, describe_coverage
from model.training.gather import gather_people
from model.training.join import Enrich
from model.training.manifest import describe_data
from model.training.measures import Scores, measure
from model.training.options import describe_seen, digest_data
from model.training.people import Join, Outcomes
from model.training.reference import list_recorded
from model.training.score_tables import tabulate_deciles, tabulate_top
from model.training.threshold import ThresholdGoal, tabulate_thresholds
from model.training.verdict import Gain, compare_scores

SIDES = ("both keep", "only A keeps", "only B keeps", "neither keeps")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparingConfig:
    """Which two bundles to compare, on which people. `as_of`: as in training."""

    a: Path
    b: Path
    endpoints: tuple[Path, ...]
    outcomes: Path
    as_of: float | None = None
    seed: int = 0
    enrich: Enrich | None = None
    columns: ColumnNames = USUAL_NAMES
    plain_columns: bool = False
    naming: Naming | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparingResult:
    """The facts, as `comparison.json` has them, and the counts of the join."""

    facts: Mapping[str, Any]
    join: Join


def compare_bundles(config: ComparingConfig, progress: Progress) -> ComparingResult:
    """Score these people by both bundles, as each would serve them. Raises SegmentScorerError."""
    bundles = [load_comparable(directory) for directory in (config.a, config.b)]
    table = read_outcomes(config.outcomes, config.columns)
    outcome_table = replace(table, plain=config.plain_columns, naming=config.naming)
    first, second = bundles
    people = gather_people(
        config.endpoints,
        outcome_table,
        first.spec,
        config.as_of,
        progress,
        enrich=config.enrich,
        others=list_recorded(bundles),
        whole=True,
    )
    outcomes, groups = people.outcomes, people.groups
    progress("scoring", 0, 1)
    scored = [score_bundle(*pair) for pair in zip(bundles, people.others, strict=True)]
    progress("scoring", 1, 1)
    digest = digest_data(config.outcomes, config.endpoints)
    notices = describe_lines(people.join)
    for bundle, matrix in zip(bundles, people.others, strict=True):
        notices += describe_coverage(bundle, matrix)
        notices += describe_seen(bundle, digest)
    comparison = compare_scores(
        scored[1],
        scored[0],
        outcomes,
        groups,
        margin=0.0,
        seed=config.seed,
        by="people given",
        where="",
        fair=True,
    )
    facts = {
        "people": len(outcomes),
        "responders": int(outcomes.sum()),
        "a": describe_side(bundles[0], scored[0], outcomes, groups, config.seed),
        "b": describe_side(bundles[1], scored[1], outcomes, groups, config.seed),
        "difference": {
            "roc_auc": name_gain(comparison.area),
            "brier_lower_by": name_gain(comparison.brier),
        },
        "rank_correlation": correlate_ranks(*scored),
        "sides": count_sides(outcomes, scored[0] >= first.threshold, scored[1] >= second.threshold),
        "data_sha256": digest,
        "data": describe_data(people.join, int(outcomes.sum()), (), notices),
    }
    return ComparingResult(facts=facts, join=people.join)


def load_comparable(directory: Path) -> Bundle:
    """A checked bundle whose scores are of responses. Raises BundleError."""
    bundle = load_bundle(directory)
    if bundle.score.kind != RESPONSE.kind:
        raise BundleError(
            f"{directory}: expected a bundle whose scores are of responses, found "
            f"{bundle.score.kind}"
        )
    check_bundle(bundle)
    return bundle


def describe_side(
    bundle: Bundle, scores: Scores, outcomes: Outcomes, groups: Any, seed: int
) -> dict[str, Any]:
    """Figures, deciles and curve of one bundle, and what its manifest says of its training."""
    manifest = bundle.manifest
    return {
        "bundle": bundle.label,
        "threshold": bundle.threshold,
        "model": manifest.get("model", {}),
        "options": manifest.get("options"),
        "trained_on": manifest.get("data_sha256"),
        "metrics": measure(scores, outcomes, groups, bundle.threshold, seed),
        "deciles": tabulate_deciles(scores, outcomes),
        "top": tabulate_top(scores, outcomes),
        "curve": tabulate_thresholds(ThresholdGoal(), scores, outcomes),
    }


def count_sides(outcomes: Outcomes, a: Any, b: Any) -> list[dict[str, Any]]:
    """How many people both, one or neither bundle keeps, and how many of them responded."""
    parts = (a & b, a & ~b, ~a & b, ~a & ~b)
    return [
        {"side": name, "people": int(part.sum()), "responders": int(outcomes[part].sum())}
        for name, part in zip(SIDES, parts, strict=True)
    ]


def correlate_ranks(first: Scores, second: Scores) -> float | None:
    """Spearman's correlation of the two orders; None if a bundle gives everyone the same score."""
    from scipy.stats import spearmanr  # noqa: PLC0415  # a second to import

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return round(float(spearmanr(first, second).statistic), 4)


def name_gain(gain: Gain) -> dict[str, float]:
    """Value and 95 % interval, of B minus A."""
    return {name: round(number, 6) for name, number in gain._asdict().items()}
