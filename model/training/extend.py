"""An inferred spec and suggested features in; the spec with those that help out of fold, out.

A feature made of others is only worth its place if people who were held out are ranked better with
it. Reads no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from model.feature_paths import split_path
from model.features import FeatureSpec, Matrix, build_matrix
from model.kinds import KINDS, Feature, Reference
from model.people.naming import name_some
from model.training.candidates import Sample, suggest_features
from model.training.folds import FOLDS, Pair, Rows, split_rows
from model.training.infer import Inference
from model.training.measures import Ranking
from model.training.models import ModelSettings, make_boosting
from model.training.people import NO_JOIN, People, find_value, keep_features
from model.training.selection import CLEARLY, SEARCH_FOLDS, fill_absent, limit_threads
from model.training.target_rates import encode_for

TRIED_PEOPLE = 10_000
# With fewer people of either outcome, a difference of 0.001 in ROC AUC is chance.
LEAST_TRIED = 200
# Fewer trees than those that ship: only differences between features matter here.
FAST = {"max_iter": 50, "learning_rate": 0.1}
PERMUTED_PEOPLE = 2_000  # a fold
ERRORS = 2.0  # standard errors that a gain must exceed: features of noise seem to help by chance
LEAST_FALL = 0.0005  # of ROC AUC, when the feature is permuted
MOST_ADDED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The inference with the features added; a sentence about what was tried, if anything."""

    inference: Inference
    sentence: str = ""


def extend_inference(sample: Sample, groups: Rows, reference: Reference, seed: int) -> Extension:
    """See `try_features`, which this does on one thread, as few rows need."""
    with limit_threads(TRIED_PEOPLE):
        return try_features(sample, groups, reference, seed)


def try_features(sample: Sample, groups: Rows, reference: Reference, seed: int) -> Extension:
    """Try the suggested features on at most 10,000 of the people, and add those that help.

    The features are chosen by how much the ROC AUC falls when one is permuted, and then kept only
    if all of them together raise it in other folds.
    """
    inference = sample.inference
    ideas = suggest_features(sample)
    ones = int(sample.outcomes.sum())
    if not ideas or min(ones, len(sample.outcomes) - ones) < LEAST_TRIED:
        return Extension(inference=inference)
    spec = FeatureSpec((*inference.spec.features, *ideas))
    people = make_sample(sample, spec, groups, reference, seed)
    base = len(inference.spec.features)
    rows = np.arange(len(people.outcomes))
    first, other = (
        split_rows(people.outcomes, people.groups, rows, seed + at, parts)
        for at, parts in enumerate((SEARCH_FOLDS, FOLDS))
    )
    falls = measure_falls(people, first, base, seed)
    best = [at for at in np.argsort(-falls, kind="stable") if falls[at] > LEAST_FALL]
    kept = sorted(int(at) for at in best[:MOST_ADDED])
    tried = f"{len(ideas)} features made of others were tried on {len(rows):,} people"
    if not kept:
        return Extension(inference=inference, sentence=f"{tried}; none ranks people better")
    before = measure_areas(choose(people, range(base)), other, seed)
    after = measure_areas(choose(people, [*range(base), *(base + at for at in kept)]), other, seed)
    gains = after - before
    if gains.mean() - ERRORS * find_error(gains) <= 0 or gains.mean() <= CLEARLY:
        return Extension(inference=inference, sentence=f"{tried}; none ranks people better")
    added = tuple(ideas[at] for at in kept)
    names = name_some([feature.name for feature in added], MOST_ADDED)
    sentence = (
        f"{tried}; {names} raise the ROC AUC out of fold from {before.mean():.4f} to "
        f"{after.mean():.4f} and are used"
    )
    wider = replace(inference, spec=FeatureSpec((*inference.spec.features, *added)))
    return Extension(inference=wider, sentence=sentence)


def make_sample(
    sample: Sample, spec: FeatureSpec, groups: Rows, reference: Reference, seed: int
) -> People:
    """At most 10,000 of the people, by a spec whose vocabularies are learnt from them."""
    count = len(sample.documents)
    rows = np.sort(
        np.random.default_rng(seed).choice(count, min(TRIED_PEOPLE, count), replace=False)
    )
    documents = [sample.documents[row] for row in rows]
    learnt = FeatureSpec(tuple(learn(feature, documents) for feature in spec.features))
    against = reference[rows] if isinstance(reference, np.ndarray) else reference
    return People(
        spec=learnt,
        matrix=build_matrix(documents, learnt, against),
        outcomes=sample.outcomes[rows],
        join=NO_JOIN,
        groups=np.unique(groups[rows], return_inverse=True)[1].astype(np.int64),
    )


def learn(feature: Feature, documents: Sequence[object]) -> Feature:
    """The feature with the options that it lacks, learnt from these people alone."""
    learner = KINDS[feature.kind].learner(feature)
    if learner is None:
        return feature
    steps = [split_path(path) for path in feature.paths]
    for document in documents:
        learner.add([find_value(document, names) for names in steps], 0)
    return msgspec.structs.replace(feature, options={**feature.options, **learner.finish()})


def choose(people: People, features: Sequence[int] | range) -> People:
    """The people by some of the features."""
    keep = [at in set(features) for at in range(len(people.spec.features))]
    spec, matrix = keep_features(people.spec, people.matrix, keep)
    return replace(people, spec=spec, matrix=matrix)


def measure_areas(people: People, folds: Sequence[Pair], seed: int) -> npt.NDArray[np.float64]:
    """ROC AUC of boosted trees in each fold."""
    areas = []
    for train, test in folds:
        model, matrix = fit(people, train, seed)
        scores = model.predict_proba(matrix[test])[:, 1]
        areas.append(Ranking(scores, people.outcomes[test]).measure()[0])
    return np.array(areas)


def measure_falls(
    people: People, folds: Sequence[Pair], base: int, seed: int
) -> npt.NDArray[np.float64]:
    """How much the ROC AUC falls at least when a feature from `base` on is permuted.

    The mean of the folds less its standard error.
    """
    chance = np.random.default_rng(seed)
    starts = people.spec.starts[base:]
    falls = np.zeros((len(folds), len(starts)))
    for fold, (train, test) in enumerate(folds):
        model, matrix = fit(people, train, seed)
        drawn = chance.permutation(test)[:PERMUTED_PEOPLE]
        held_out, outcomes = matrix[drawn], people.outcomes[drawn]
        whole = Ranking(model.predict_proba(held_out)[:, 1], outcomes).measure()[0]
        for at, start in enumerate(starts):
            permuted = held_out.copy()
            permuted[:, start] = chance.permutation(permuted[:, start])
            scores = model.predict_proba(permuted)[:, 1]
            falls[fold, at] = whole - Ranking(scores, outcomes).measure()[0]
    least: npt.NDArray[np.float64] = falls.mean(axis=0) - find_error(falls)
    return least


def find_error(measured: npt.NDArray[np.float64]) -> Any:
    """The standard error of the mean of folds."""
    return measured.std(axis=0, ddof=1) / np.sqrt(len(measured))


def fit(people: People, train: Rows, seed: int) -> tuple[Any, Matrix]:
    """Boosted trees fitted on `train`, and the matrix with the rates that they learnt."""
    matrix = fill_absent(encode_for(people, train, seed).matrix, [train])
    model = make_boosting(ModelSettings(), None, len(people.outcomes), seed)
    model.set_params(**FAST)
    model.fit(matrix[train], people.outcomes[train])
    return model, matrix
