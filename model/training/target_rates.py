"""Response rates of texts: learnt from some people, put into a matrix for them and for others.

Until then the matrix holds the place of each text among the values. A person who is learnt from
gets the rates of the other people, never one that their own outcome went into: a model would take
such a rate for the outcome. Reads no file.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import numpy.typing as npt

from model.features import FeatureSpec, Matrix
from model.kinds import KINDS, Feature
from model.training.folds import FOLDS, Rows
from model.training.people import Outcomes, People

Rates = npt.NDArray[np.float64]
# So many people with the mean rate are added to those of each text: with few people, a rate is
# mostly chance.
ADDED = 20.0


def lacks_rates(feature: Feature) -> bool:
    """Whether a feature has rates that are still to be learnt."""
    return "rates" in KINDS[feature.kind].options and "rates" not in feature.options


def find_places(spec: FeatureSpec) -> list[tuple[int, int]]:
    """The column of each feature that lacks rates, and how many rates it needs."""
    return [
        (start, len(feature.options.get("values", ())) + 1)
        for feature, start in zip(spec.features, spec.starts, strict=True)
        if lacks_rates(feature)
    ]


def encode_for(people: People, train: Rows, seed: int) -> People:
    """Put the rates learnt from the rows `train` into the matrix, for all people.

    Rows of `train` get rates of the other users of `train`, five parts of them at a time.
    """
    places = find_places(people.spec)
    if not places:
        return people
    matrix = people.matrix.copy()
    chance = np.random.default_rng(seed)
    parts = chance.permutation(int(people.groups.max()) + 1)[people.groups[train]] % FOLDS
    for column, count in places:
        codes = people.matrix[:, column]
        learnt = learn_rates(codes[train], people.outcomes[train], count)
        matrix[:, column] = look_up(codes, learnt)
        for part in range(FOLDS):
            inside = parts == part
            others = train[~inside]
            rates = learn_rates(codes[others], people.outcomes[others], count)
            matrix[train[inside], column] = look_up(codes[train[inside]], rates)
    return replace(people, matrix=matrix)


def freeze_rates(people: People) -> People:
    """The rates of all these people in the spec, and in the matrix as it will be served."""
    places = dict(find_places(people.spec))
    if not places:
        return people
    features = []
    for feature, start in zip(people.spec.features, people.spec.starts, strict=True):
        if start in places:
            rates = learn_rates(people.matrix[:, start], people.outcomes, places[start])
            options = {**feature.options, "rates": tuple(map(float, rates))}
            features.append(msgspec.structs.replace(feature, options=options))
        else:
            features.append(feature)
    return apply_rates(people, FeatureSpec(tuple(features)))


def apply_rates(people: People, frozen: FeatureSpec) -> People:
    """These people by a spec that has the rates which theirs lacks."""
    if frozen == people.spec:
        return people
    matrix = people.matrix.copy()
    pairs = zip(people.spec.features, frozen.features, people.spec.starts, strict=True)
    for feature, after, start in pairs:
        if lacks_rates(feature):
            matrix[:, start] = look_up(matrix[:, start], np.array(after.options["rates"]))
    return replace(people, spec=frozen, matrix=matrix)


def learn_rates(codes: npt.NDArray[np.float32], outcomes: Outcomes, count: int) -> Rates:
    """The response rate of each code, drawn towards the mean where few people have it."""
    known = ~np.isnan(codes)
    places = codes[known].astype(np.int64)
    people = np.bincount(places, minlength=count)
    responders = np.bincount(places, weights=outcomes[known], minlength=count)
    mean = outcomes.mean() if len(outcomes) else 0.0
    rates: Rates = ((responders + ADDED * mean) / (people + ADDED)).round(6)
    return rates


def look_up(codes: npt.NDArray[np.float32], rates: Rates) -> Matrix:
    """The rate of each code; NaN for none."""
    known = ~np.isnan(codes)
    found = np.full(len(codes), np.nan, dtype=np.float32)
    found[known] = rates[codes[known].astype(np.int64)]
    return found
