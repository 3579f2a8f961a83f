"""Endpoint files, outcomes and a feature spec in; `People` (matrix, outcomes, users) out.

Learns the options, such as vocabularies, that the spec leaves open. Holds the matrix and one chunk
of documents.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from model.errors import DataError
from model.feature_paths import split_path
from model.features import FeatureSpec, Matrix, build_matrix
from model.kinds import KINDS, Reference
from model.paths import compile_paths
from model.people.progress import Progress
from model.training.datasets import OutcomeTable
from model.training.join import CHUNK, Document, Enrich, JoinCounts, Match, match_endpoints
from model.training.people import (
    LEAST_OF_EACH,
    Join,
    People,
    Subgroups,
    drop_absent,
    find_value,
    hash_to_fraction,
    name_user,
)
from model.training.reference import Recorded

SAMPLE = 20_000  # people that a spec is inferred from
# Takes a chunk of people, and the time or times that their ages are measured against.
Watch: TypeAlias = Callable[[Sequence[Match], Reference], None]
SUBGROUPS = {"channel": ("ChannelType",), "country": ("Location", "Country")}


def gather_people(
    paths: Sequence[Path],
    outcome_table: OutcomeTable,
    spec: FeatureSpec,
    reference: float | None,
    progress: Progress,
    *,
    enrich: Enrich | None = None,
    others: Sequence[Recorded] = (),
    whole: bool = False,
    watch: Watch | None = None,
) -> People:
    """Join endpoints with outcomes and build the matrix.

    `enrich` adds external attributes. Each of `others` makes a further matrix. Ages are measured
    against `reference`, or if it is None against each outcome's date. Without either, those of
    `others` are measured against the references that they record. `whole` keeps
    every feature, as a trained model needs. `watch` is told every chunk, with the times that ages
    are measured against. Raises DataError if nothing matches, or if fewer than 25 people have
    either outcome.
    """
    spec = learn_options(paths, outcome_table, spec, progress, enrich)
    counts = JoinCounts()
    rows = _Rows(outcome_table, spec, others, reference)
    matches = match_endpoints(
        paths,
        outcome_table,
        progress,
        stage="reading endpoints",
        enrich=enrich,
        counts=counts,
        read=compile_paths(spec.paths),
    )
    while chunk := list(islice(matches, CHUNK)):
        against = rows.add(chunk)
        if watch is not None:
            watch(chunk, against)
    join = rows.describe_join(counts)
    check_enough(join, outcome_table.key, rows.outcomes)
    people = rows.to_people(join)
    if whole:
        return people
    spec, matrix, left_out = drop_absent(people.spec, people.matrix)
    return replace(people, spec=spec, matrix=matrix, left_out=left_out)


class _Rows:
    """The rows gathered so far, a chunk at a time, in arrays that hold no Python object a row."""

    def __init__(
        self,
        outcome_table: OutcomeTable,
        spec: FeatureSpec,
        others: Sequence[Recorded],
        reference: float | None,
    ) -> None:
        self.table, self.spec, self.others = outcome_table, spec, others
        self.reference = reference
        self.matrices: list[Matrix] = []
        self.other_matrices: list[list[Matrix]] = [[] for _ in others]
        self.outcomes, self.groups, self.treated = array("q"), array("q"), array("q")
        self.dates, self.fractions = array("d"), array("d")
        self.users: dict[str, int] = {}
        self.users_found: set[str] = set()
        self.texts: dict[str, dict[str, int]] = {name: {} for name in SUBGROUPS}
        self.codes = {name: array("q") for name in SUBGROUPS}

    def add(self, chunk: Sequence[Match]) -> Reference:
        documents = [match.document for match in chunk]
        dates = self.table.dates
        moments = None if dates is None else [dates[match.name] for match in chunk]
        by_date = self.reference is None and moments is not None
        against: Reference = np.array(moments) if by_date else self.reference
        self.matrices.append(build_matrix(documents, self.spec, against))
        for (spec, recorded), matrices in zip(self.others, self.other_matrices, strict=True):
            then = recorded if against is None else against
            matrices.append(build_matrix(documents, spec, then))
        self.dates.extend(moments or ())
        self.outcomes.extend(self.table.outcomes[match.name] for match in chunk)
        self.treated.extend(match.treated for match in chunk)
        users = [name_user(match.document, match.name) for match in chunk]
        self.groups.extend(self.users.setdefault(user, len(self.users)) for user in users)
        self.fractions.extend(map(hash_to_fraction, users))
        for name, keys in SUBGROUPS.items():
            texts = self.texts[name]
            self.codes[name].extend(
                texts.setdefault(_find_text(document, keys), len(texts)) for document in documents
            )
        if self.table.key == "UserId":
            self.users_found.update(match.name for match in chunk)
        return against

    def describe_join(self, counts: JoinCounts) -> Join:
        answered = counts.matched if self.table.key == "Id" else len(self.users_found)
        return Join(
            endpoints=counts.endpoints,
            matched=counts.matched,
            without_outcome=counts.without_outcome,
            without_endpoint=len(self.table.outcomes) - answered,
            repeated=counts.repeated,
            refused=counts.refused,
            refusals=tuple(counts.refusals),
            nearly=counts.nearly,
            apart=counts.apart,
            readings=(*self.table.readings, *counts.readings),
            users=len(self.users),
            shared=sum(count > 1 for count in Counter(self.groups).values()),
        )

    def to_people(self, join: Join) -> People:
        return People(
            spec=self.spec,
            matrix=np.concatenate(self.matrices),
            outcomes=np.array(self.outcomes, dtype=np.int64),
            join=join,
            groups=np.array(self.groups, dtype=np.int64),
            dates=None if self.table.dates is None else np.array(self.dates, dtype=np.float64),
            subgroups={
                name: Subgroups(tuple(self.texts[name]), np.array(codes, dtype=np.int64))
                for name, codes in self.codes.items()
            },
            fractions=np.array(self.fractions, dtype=np.float64),
            treated=(
                None if self.table.treatment is None else np.array(self.treated, dtype=np.int64)
            ),
            others=tuple(np.concatenate(found) for found in self.other_matrices),
        )


def check_enough(join: Join, key: str, outcomes: Sequence[int]) -> None:
    """Raise DataError if the join leaves too few people to learn from."""
    if not join.endpoints:
        raise DataError(
            f"expected endpoints, found {join.refused} unreadable lines and no endpoint; "
            f"{join.refusals[0]}"
        )
    if join.refused > join.endpoints:
        lines = join.refused + join.endpoints
        raise DataError(
            f"expected most lines to be endpoints, found {join.refused} unreadable lines of "
            f"{lines}; {join.refusals[0]}"
        )
    if not join.matched:
        nearly = (
            f"; {join.nearly} would match if case and surrounding spaces were ignored"
            if join.nearly
            else ""
        )
        raise DataError(
            f"expected endpoints and outcomes to share {key}s, found no match between "
            f"{join.endpoints} endpoints and {join.without_endpoint} outcomes{nearly}"
        )
    ones = sum(outcomes)
    if min(ones, len(outcomes) - ones) < LEAST_OF_EACH:
        raise DataError(
            f"expected at least {LEAST_OF_EACH} people with each outcome, found {ones} with "
            f"outcome 1 and {len(outcomes) - ones} with outcome 0 among the matched endpoints"
        )


def sample_matches(
    paths: Sequence[Path],
    outcome_table: OutcomeTable,
    seed: int,
    progress: Progress,
    enrich: Enrich | None = None,
) -> list[Match]:
    """Up to 20,000 documents with an outcome, a uniform random sample (reservoir sampling)."""
    chance = random.Random(seed)  # noqa: S311  # a sample, not a secret
    held: list[Match] = []
    matches = match_endpoints(
        paths, outcome_table, progress, stage="sampling endpoints", enrich=enrich
    )
    for index, match in enumerate(matches):
        if index < SAMPLE:
            held.append(match)
        elif (slot := chance.randrange(index + 1)) < SAMPLE:
            held[slot] = match
    return held


def sample_people(
    paths: Sequence[Path],
    outcome_table: OutcomeTable,
    seed: int,
    progress: Progress,
    enrich: Enrich | None = None,
) -> list[Document]:
    """The documents of `sample_matches`."""
    return [
        match.document for match in sample_matches(paths, outcome_table, seed, progress, enrich)
    ]


def learn_options(
    paths: Sequence[Path],
    outcome_table: OutcomeTable,
    spec: FeatureSpec,
    progress: Progress,
    enrich: Enrich | None = None,
) -> FeatureSpec:
    """Learn the options that features lack, such as a category's values. See `Kind.learner`."""
    learners = {
        feature: learner
        for feature in spec.features
        if (learner := KINDS[feature.kind].learner(feature)) is not None
    }
    if not learners:
        return spec
    steps = {feature: [split_path(path) for path in feature.paths] for feature in learners}
    matches = match_endpoints(
        paths,
        outcome_table,
        progress,
        stage="learning vocabularies",
        enrich=enrich,
        read=compile_paths(spec.paths),
    )
    for document, name, _ in matches:
        for feature, learner in learners.items():
            found = [find_value(document, names) for names in steps[feature]]
            learner.add(found, outcome_table.outcomes[name])
    learnt = {feature: learner.finish() for feature, learner in learners.items()}
    return FeatureSpec(
        tuple(
            msgspec.structs.replace(feature, options={**feature.options, **learnt.get(feature, {})})
            for feature in spec.features
        )
    )


def _find_text(document: Mapping[str, Any], keys: Sequence[str]) -> str:
    value = find_value(document, keys)
    return value if isinstance(value, str) else ""
