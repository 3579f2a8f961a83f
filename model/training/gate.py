"""Compare a new model with the bundles before it, and decide whether it may replace them.

First on the people set aside, whom no model has learnt from. If they cannot tell, out of fold on
all people, where the recipes of both are fitted without the people that they score. If that cannot
tell either, the caller's option decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from model.bundle import Bundle, check_golden
from model.errors import BundleError
from model.features import Matrix
from model.people.naming import name_some
from model.score_kind import RESPONSE, ScoreKind
from model.training.comparisons import (
    Earlier,
    NewModel,
    compare_on_given,
    compare_on_reserved,
    compare_out_of_fold,
)
from model.training.export import score_onnx
from model.training.lineage import Incumbents, load_incumbents
from model.training.people import LEAST_WITH_FEATURE
from model.training.verdict import (
    AREA,
    MARGIN,
    Finding,
    IfUnclear,
    ScoreComparison,
    Verdict,
    combine,
)

__all__ = [
    "MARGIN",
    "IfUnclear",
    "Verdict",
    "check_bundle",
    "decide",
    "load_checked",
]


def check_bundle(bundle: Bundle) -> bytes:
    """Read the bundle's model and score its golden rows. Raises BundleError if they differ."""
    onnx = bundle.model
    check_golden(bundle, score_onnx(onnx, bundle.golden_rows, bundle.score))
    return onnx


def load_checked(directory: Path | None, score: ScoreKind = RESPONSE) -> Incumbents | None:
    """The bundle in use and the best so far, both checked, of this kind of scores.

    Raises BundleError.
    """
    incumbents = load_incumbents(directory)
    for old in incumbents.earlier if incumbents is not None else ():
        if old.score.kind != score.kind:
            raise BundleError(
                f"{old.directory}: expected a bundle of {score.kind} scores, found "
                f"{old.score.kind}; two kinds of scores cannot be compared"
            )
        check_bundle(old)
    return incumbents


def describe_coverage(bundle: Bundle, matrix: Matrix) -> list[str]:
    """A sentence if fewer than 20 of these people have some feature of the bundle.

    `matrix` holds the people by the bundle's spec.
    """
    features = bundle.spec.features
    holders = (~np.isnan(matrix[:, list(bundle.spec.starts)])).sum(axis=0)
    missing = [
        feature.name
        for feature, count in zip(features, holders.tolist(), strict=True)
        if count < LEAST_WITH_FEATURE
    ]
    if not missing:
        return []
    found = len(features) - len(missing)
    effect = "its scores are less accurate" if found else "its scores mean nothing"
    sentence = (
        f"{found} of the {len(features)} features of {bundle.label} occur in at least "
        f"{LEAST_WITH_FEATURE} of these people, so {effect} for them; missing: {name_some(missing)}"
    )
    return [sentence]


def decide(
    new: NewModel,
    earlier: Sequence[Earlier],
    *,
    margin: float,
    if_unclear: IfUnclear,
    seed: int,
    started: Callable[[str], None] = lambda _: None,
) -> tuple[Verdict, Bundle | None]:
    """Measure the new model against every earlier one; the first is the bundle in use.

    The new model must be better than or equal to all of them. Gives the verdict, and the bundle
    that ranks people best if it ranks them better than the new model. `started` is told before a
    comparison that takes time.
    """
    verdicts = []
    for old in earlier:
        decisive, first = _compare(new, old, margin, seed, started)
        verdicts.append(_give_verdict(old, decisive, first, if_unclear))
    return combine_verdicts(verdicts), find_best([old.bundle for old in earlier], verdicts)


def _compare(
    new: NewModel, old: Earlier, margin: float, seed: int, started: Callable[[str], None]
) -> tuple[ScoreComparison, ScoreComparison | None]:
    """The comparison that decides, and the first one; None if there was no first one.

    A model that was brought along scores people as it is, and the earlier one may have learnt from
    them. The comparison out of fold then decides only if the earlier model's recipe can be fitted.
    """
    first = (compare_on_reserved if new.fitted else compare_on_given)(new, old, margin, seed)
    if first is not None and first.finding is not Finding.UNCLEAR:
        return first, first
    started(old.bundle.label)
    again = compare_out_of_fold(new, old, margin, seed)
    if first is not None and not (new.fitted or again.fair):
        return first, first
    return again, first


def find_best(earlier: Sequence[Bundle], verdicts: Sequence[Verdict]) -> Bundle | None:
    """The earlier bundle that ranks people best, if it ranks them better than the new model."""
    ahead = max(range(len(earlier)), key=lambda index: verdicts[index].behind)
    return earlier[ahead] if round(verdicts[ahead].behind, 6) > 0 else None


def combine_verdicts(verdicts: Sequence[Verdict]) -> Verdict:
    """The least favourable of one or two verdicts, with the figures of both."""
    if len(verdicts) == 1:
        return verdicts[0]
    last, best = verdicts
    return Verdict(
        passed=last.passed and best.passed,
        finding=combine([last.finding, best.finding]),
        against=last.against,
        sentence=f"{last.sentence}. Against the best bundle so far, {best.against}, "
        f"{best.finding}: {best.sentence}",
        figures={**last.figures, "best": best.figures},
        behind=max(last.behind, best.behind),
    )


def describe_needed(needed: int, responders: int) -> str:
    """How many responders it would take to tell."""
    return f"it takes about {needed:,} responders to tell, and these people have {responders:,}"


def _give_verdict(
    old: Earlier, decisive: ScoreComparison, first: ScoreComparison | None, if_unclear: IfUnclear
) -> Verdict:
    """`first`: the first comparison, on the people set aside or given, if there was one."""
    bundle, finding = old.bundle, decisive.finding
    unclear = finding is Finding.UNCLEAR
    parts = [*decisive.reasons, decisive.describe()]
    if unclear and decisive.needed:
        parts.append(describe_needed(decisive.needed, decisive.responders))
    if first is not None and first is not decisive:
        parts.append(f"before that, the {first.by} could not tell: {first.describe()}")
    return Verdict(
        passed=finding is Finding.EQUAL or (unclear and if_unclear is IfUnclear.REPLACE),
        finding=finding,
        against=bundle.label,
        sentence="; ".join([*parts, *describe_coverage(bundle, old.learnt)]),
        figures={"against": bundle.label, **decisive.to_mapping()},
        behind=decisive.old[AREA] - decisive.new[AREA],
    )
