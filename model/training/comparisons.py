"""A new model and a bundle before it, compared on people whom the new model has not learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from model.bundle import Bundle
from model.features import Matrix
from model.training.export import score_onnx
from model.training.folds import Folds, Rows
from model.training.lineage import Incumbents
from model.training.measures import Scores
from model.training.people import People
from model.training.recipes import score_by_recipe
from model.training.verdict import ScoreComparison, compare_scores


class Earlier(NamedTuple):
    """A bundle that a new model is measured against, and people by its spec.

    learnt    matrix of the people that the new model learnt from
    reserved  matrix of the people set aside; None without any
    """

    bundle: Bundle
    learnt: Matrix
    reserved: Matrix | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModel:
    """The new model's scores of people whom it has not learnt from.

    rows, scores     out of fold: `scores[i]` is of row `rows[i]` of `people`
    folds            the folds that they were scored in
    reserved_scores  of the people set aside, or None
    share            the share of users set aside
    fitted           whether it is fitted in each fold; a model that was brought along scores as
                     it is
    """

    people: People
    rows: Rows
    scores: Scores
    folds: Folds
    reserved: People | None
    reserved_scores: Scores | None
    share: float
    fitted: bool = True


def list_earlier(
    incumbents: Incumbents, people: People, reserved: People | None
) -> tuple[Earlier, ...]:
    """The bundle in use, and the best so far if that is another, with people by their specs."""
    earlier = incumbents.earlier
    aside = (None,) * len(earlier) if reserved is None else reserved.others
    rows = zip(earlier, people.others, aside, strict=True)
    return tuple(Earlier(*row) for row in rows)


def score_bundle(bundle: Bundle, matrix: Matrix) -> Scores:
    """Scores float64 [n] of people by the bundle's own spec."""
    return score_onnx(bundle.model, matrix, bundle.score)


def is_unseen(bundle: Bundle, share: float) -> bool:
    """Whether the bundle was trained without the people whom `share` sets aside."""
    reserved = bundle.manifest.get("reserved", 0)
    return isinstance(reserved, int | float) and reserved >= share


def compare_on_reserved(
    new: NewModel, old: Earlier, margin: float, seed: int
) -> ScoreComparison | None:
    """Compare the two models on the people set aside; None without any."""
    if new.reserved is None or new.reserved_scores is None or old.reserved is None:
        return None
    people = new.reserved
    fair = is_unseen(old.bundle, new.share)
    seen = "" if fair else ", some of whom the old bundle may have learnt from"
    return compare_scores(
        new.reserved_scores,
        score_bundle(old.bundle, old.reserved),
        people.outcomes,
        people.groups,
        margin=margin,
        seed=seed,
        by="people set aside",
        where=f"on the same {len(people.outcomes):,} people set aside{seen}",
        fair=fair,
    )


def compare_on_given(new: NewModel, old: Earlier, margin: float, seed: int) -> ScoreComparison:
    """Compare two models as they are; either may have learnt from some of the people."""
    people, rows = new.people, new.rows
    return compare_scores(
        new.scores,
        score_bundle(old.bundle, old.learnt[rows]),
        people.outcomes[rows],
        people.groups[rows],
        margin=margin,
        seed=seed,
        by="people given",
        where=f"on the same {len(rows):,} people, some of whom either model may have learnt from",
        fair=False,
    )


def compare_out_of_fold(new: NewModel, old: Earlier, margin: float, seed: int) -> ScoreComparison:
    """Compare the recipes of both on all people, each scored by models of others.

    People set aside count with the scores of the two models themselves. A bundle whose recipe
    cannot be fitted, such as one that was brought along, is scored as it is.
    """
    people, rows = new.people, new.rows
    theirs = score_by_recipe(old.bundle, old.learnt, people, new.folds, seed)
    fitted = theirs is not None
    before = theirs[rows] if theirs is not None else score_bundle(old.bundle, old.learnt[rows])
    scores, outcomes, groups = new.scores, people.outcomes[rows], people.groups[rows]
    if new.reserved is not None and new.reserved_scores is not None and old.reserved is not None:
        unseen = is_unseen(old.bundle, new.share)
        if unseen or not fitted:
            before = np.concatenate([before, score_bundle(old.bundle, old.reserved)])
            scores = np.concatenate([scores, new.reserved_scores])
            outcomes = np.concatenate([outcomes, new.reserved.outcomes])
            groups = np.concatenate([groups, new.reserved.groups + int(groups.max()) + 1])
    how = (
        "some of whom the old bundle may have learnt from: its recipe cannot be fitted here"
        if not fitted
        else "each scored by models of the same recipes that were fitted without them"
        if new.fitted
        else "by models of the old recipe that were fitted without them, and by the new model"
    )
    return compare_scores(
        scores,
        before,
        outcomes,
        groups,
        margin=margin,
        seed=seed,
        by="out of fold",
        where=f"on the same {len(outcomes):,} people, {how}",
        fair=fitted,
    )
