"""Endpoint documents, outcomes and a feature spec in; a float32 matrix, outcomes row for row and a progress of the join out.

Holds no more than a chunk of documents. Lines that cannot be used are counted, never guessed at.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.features import FeatureSpec, Matrix, build_matrix
from model.kinds import KINDS, split_path
from model.training.datasets import NAMED_LINES, OutcomeTable, PeopleLine, Progress, read_lines

Outcomes: TypeAlias = npt.NDArray[np.int64]
Document: TypeAlias = dict[str, Any]
Enrich: TypeAlias = Callable[[Sequence[Document]], Sequence[Document]]

CHUNK = 500  # documents held at a time: few, because Python looks through all that it holds again and again (10,000 take 1.5 times as long)
# Five folds need some people of both kinds in each; below 25 of a kind no figure of the evaluation would mean anything.
LEAST_OF_EACH = 25
LEAST_WITH_FEATURE = 20
SAMPLE = 20_000  # people that a spec is inferred from
BROKEN_DOWN_BY = {"channel": ("ChannelType",), "country": ("Location", "Country")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What became of every line. `refusals` describes the first refused lines: file, line number, sentence.

    nearly: of those without outcome, how many would have one if neither capitals nor blanks around an id counted.
    users, shared: how many different people the matched endpoints belong to, and how many of these have several endpoints.
    """

    endpoints: int
    matched: int
    without_outcome: int
    without_endpoint: int
    repeated: int
    refused: int
    refusals: tuple[str, ...]
    nearly: int = 0
    users: int = 0
    shared: int = 0


class Labels(NamedTuple):
    """A text a person, told by number: `names[codes[i]]`."""

    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What to learn from, row for row; columns as `spec` says.

    matrix     float32 [n, f]; `rival` the same people as another spec sees them, where one was given
    outcomes   int64 [n], 0 or 1
    groups     int64 [n]: endpoints of the same user have the same number; never on both sides of a split
    dates      float64 [n], seconds since 1970 UTC: when each outcome counts from; None without dates
    labels     channel and country, to tell results apart by
    draws      float64 [n], 0 to 1: the same for a user in every file and at every training, so that some can be set aside for good
    left_out   the features of the spec given that nobody, or hardly anybody, has, with the reason
    """

    spec: FeatureSpec
    matrix: Matrix
    outcomes: Outcomes
    join: Join
    groups: npt.NDArray[np.int64]
    dates: npt.NDArray[np.float64] | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    draws: npt.NDArray[np.float64] | None = None
    left_out: tuple[str, ...] = ()
    rival: Matrix | None = None


class Match(NamedTuple):
    """A document with an outcome, and the name under which its outcome was found."""

    document: dict[str, Any]
    name: str


def gather_people(
    paths: Sequence[Path],
    outcome_table: OutcomeTable,
    spec: FeatureSpec,
    reference: float | None,
    progress: Progress,
    *,
    enrich: Enrich | None = None,
    rival: FeatureSpec | None = None,
    whole: bool = False,
) -> People:
    """Join endpoints with outcomes and build the matrix. Categories without a vocabulary learn theirs in a pass of their own.

    `enrich` adds to documents what is known about people elsewhere. Ages are measured against `reference`, or where it is None against
    each outcome's date. `whole`: every feature stays, as a model that is already trained needs it. Raises DataError when nothing matches,
    or when fewer than 25 people have either outcome.
    """
    counts: Counter[str] = Counter()
    refusals: list[str] = []
    found: list[str] = []
    spec = learn_options(paths, outcome_table, spec, progress, enrich)
    matrices, rivals = [], []
    outcomes, groups, dates, draws = array("q"), array("q"), array("d"), array("d")
    users: dict[str, int] = {}
    names: dict[str, dict[str, int]] = {label: {} for label in BROKEN_DOWN_BY}
    codes = {label: array("q") for label in BROKEN_DOWN_BY}
    matched = _enrich(
        _match(
            read_lines(paths, progress, id_needed=outcome_table.key == "Id"),
            outcome_table,
            counts,
            refusals,
            _find_loose(outcome_table),
        ),
        enrich,
    )
    while chunk := list(islice(matched, CHUNK)):
        documents = [match.document for match in chunk]
        moments = (
            [outcome_table.dates[match.name] for match in chunk]
            if outcome_table.dates is not None
            else None
        )
        against = reference if reference is not None or moments is None else np.array(moments)
        matrices.append(build_matrix(documents, spec, against))
        if rival is not None:
            rivals.append(build_matrix(documents, rival, against))
        dates.extend(moments or ())
        outcomes.extend(outcome_table.outcomes[match.name] for match in chunk)
        names_here = [name_user(match.document, match.name) for match in chunk]
        groups.extend(users.setdefault(user, len(users)) for user in names_here)
        draws.extend(map(hash_to_fraction, names_here))
        for label, keys in BROKEN_DOWN_BY.items():
            codes[label].extend(
                names[label].setdefault(_find_text(document, keys), len(names[label]))
                for document in documents
            )
        found.extend(match.name for match in chunk if outcome_table.key != "Id")
    people = Counter(groups)
    join = Join(
        endpoints=counts["endpoints"],
        matched=counts["matched"],
        without_outcome=counts["without_outcome"],
        without_endpoint=len(outcome_table.outcomes)
        - (counts["matched"] if outcome_table.key == "Id" else len(set(found))),
        repeated=counts["repeated"],
        refused=counts["refused"],
        refusals=tuple(refusals),
        nearly=counts["nearly"],
        users=len(people),
        shared=sum(count > 1 for count in people.values()),
    )
    _check_enough(join, outcome_table.key, outcomes)
    matrix = np.concatenate(matrices)
    left_out: tuple[str, ...] = ()
    if not whole:
        spec, matrix, left_out = drop_absent(spec, matrix)
    return People(
        spec=spec,
        matrix=matrix,
        outcomes=np.array(outcomes, dtype=np.int64),
        join=join,
        groups=np.array(groups, dtype=np.int64),
        dates=np.array(dates, dtype=np.float64) if outcome_table.dates is not None else None,
        labels={
            label: Labels(tuple(names[label]), np.array(codes[label], dtype=np.int64))
            for label in BROKEN_DOWN_BY
        },
        draws=np.array(draws, dtype=np.float64),
        left_out=left_out,
        rival=np.concatenate(rivals) if rivals else None,
    )


def name_user(document: Mapping[str, Any], name: str) -> str:
    """Whom an endpoint belongs to: the user, else the endpoint alone, by its own name."""
    user = _find(document, ("User", "UserId"))
    return f"user {user}" if user else f"endpoint {name}"


def hash_to_fraction(user: str) -> float:
    """A number from 0 to 1 that depends on the user alone."""
    return (
        int.from_bytes(
            hashlib.blake2b(user.encode(), digest_size=8, person=b"reserve").digest(), "big"
        )
        / 2**64
    )


def reserve_users(people: People, share: float) -> tuple[People, People]:
    """Two parts: those to learn from, and those set aside, about this share of users, the same ones whenever they come.

    Raises DataError where too few of either outcome are set aside to judge by.
    """
    if people.draws is None:
        raise ValueError("people were gathered without draws")
    aside = people.draws < share
    ones, count = int(people.outcomes[aside].sum()), int(aside.sum())
    if min(ones, count - ones) < LEAST_OF_EACH:
        raise DataError(
            f"expected {LEAST_OF_EACH} people or more with each outcome among those set aside, "
            f"found {ones} with 1 and {count - ones} with 0; set more aside, or nobody"
        )
    return take_rows(people, np.flatnonzero(~aside)), take_rows(people, np.flatnonzero(aside))


def take_rows(people: People, rows: npt.NDArray[np.int64]) -> People:
    """These rows of people; the progress of the join stays that of all."""
    return replace(
        people,
        matrix=people.matrix[rows],
        outcomes=people.outcomes[rows],
        groups=np.unique(people.groups[rows], return_inverse=True)[1].astype(np.int64),
        dates=None if people.dates is None else people.dates[rows],
        labels={
            label: Labels(labels.names, labels.codes[rows])
            for label, labels in people.labels.items()
        },
        draws=None if people.draws is None else people.draws[rows],
        rival=None if people.rival is None else people.rival[rows],
    )


def sample_people(
    paths: Sequence[Path],
    outcome_table: OutcomeTable,
    seed: int,
    progress: Progress,
    enrich: Enrich | None = None,
) -> list[Document]:
    """Up to 20,000 documents that have an outcome, each as likely as any other: what a spec is inferred from."""
    draw = random.Random(seed)  # noqa: S311  # a sample, not a secret
    held: list[dict[str, Any]] = []
    lines = read_lines(paths, progress, "looking at people", id_needed=outcome_table.key == "Id")
    for index, match in enumerate(_enrich(_match(lines, outcome_table, Counter(), []), enrich)):
        if index < SAMPLE:
            held.append(match.document)
        elif (place := draw.randrange(index + 1)) < SAMPLE:
            held[place] = match.document
    return held


def drop_absent(spec: FeatureSpec, matrix: Matrix) -> tuple[FeatureSpec, Matrix, tuple[str, ...]]:
    """Leave out the features that fewer than 20 people have, and say so: nothing can be learnt from a path that leads nowhere.

    Raises DataError when none is left. Boosting cannot be fitted on a column that is missing throughout, in any fold either.
    """
    present = (~np.isnan(matrix[:, list(spec.starts)])).sum(axis=0) >= LEAST_WITH_FEATURE
    if not present.any():
        raise DataError(
            f"expected a feature that {LEAST_WITH_FEATURE} people or more have, found none; see the paths of the feature spec"
        )
    left_out = tuple(
        f"{feature.name}: fewer than {LEAST_WITH_FEATURE} people have it"
        for feature, there in zip(spec.features, present, strict=True)
        if not there
    )
    return (*keep_features(spec, matrix, present.tolist()), left_out)


def keep_features(
    spec: FeatureSpec, matrix: Matrix, keep: Sequence[bool]
) -> tuple[FeatureSpec, Matrix]:
    """The features, and their columns, whose place in `keep` is true."""
    if all(keep):
        return spec, matrix
    kept = FeatureSpec(
        tuple(feature for feature, there in zip(spec.features, keep, strict=True) if there)
    )
    widths = [len(feature.columns) for feature in spec.features]
    return kept, np.ascontiguousarray(matrix[:, np.repeat(np.array(keep), widths)])


def learn_options(
    paths: Sequence[Path],
    outcome_table: OutcomeTable,
    spec: FeatureSpec,
    progress: Progress,
    enrich: Enrich | None = None,
) -> FeatureSpec:
    """Learn the options that some features lack, such as a category's values. See `Kind.learner`."""
    learners = {
        feature: learner
        for feature in spec.features
        if (learner := KINDS[feature.kind].learner(feature)) is not None
    }
    if not learners:
        return spec
    lines = read_lines(
        paths, progress, "learning vocabularies", id_needed=outcome_table.key == "Id"
    )
    steps = {feature: [split_path(path) for path in feature.paths] for feature in learners}
    for document, name in _enrich(_match(lines, outcome_table, Counter(), []), enrich):
        for feature, learner in learners.items():
            found = [_find(document, names) for names in steps[feature]]
            learner.add(found, outcome_table.outcomes[name])
    return FeatureSpec(
        tuple(
            replace(feature, options={**feature.options, **learners[feature].finish()})
            if feature in learners
            else feature
            for feature in spec.features
        )
    )


def _find_loose(outcome_table: OutcomeTable) -> frozenset[str]:
    """The names of the outcomes without capitals and blanks around them, where that changes them: no UUID's, as ids usually are."""
    return frozenset(
        loose for name in outcome_table.outcomes if (loose := name.strip().casefold()) != name
    )


def _match(
    lines: Iterator[PeopleLine],
    outcome_table: OutcomeTable,
    counts: Counter[str],
    refusals: list[str],
    loosely: frozenset[str] | None = None,
) -> Iterator[Match]:
    """The documents that have an outcome, each Id once; what became of the others goes into `counts` and `refusals`.

    `loosely` is what `_find_loose` gives, where it is to be counted who has an outcome but for capitals and blanks.
    """
    seen: set[str] = set()
    by_user = outcome_table.key == "UserId"
    for document, refusal in lines:
        if document is None:
            counts["refused"] += 1
            if len(refusals) < NAMED_LINES:
                refusals.append(refusal)
            continue
        counts["endpoints"] += 1
        id_ = document.get("Id")
        name = _find(document, ("User", "UserId")) if by_user else id_
        if name not in outcome_table.outcomes:
            counts["without_outcome"] += 1
            if loosely is not None and isinstance(name, str):
                loose = name.strip().casefold()
                counts["nearly"] += loose in loosely or loose in outcome_table.outcomes
        elif id_ is not None and id_ in seen:
            counts["repeated"] += 1
        else:
            if id_ is not None:
                seen.add(id_)
            counts["matched"] += 1
            yield Match(document, name)


def _enrich(matched: Iterator[Match], enrich: Enrich | None) -> Iterator[Match]:
    """The same, but with what is known about people elsewhere, asked for a chunk at a time."""
    if enrich is None:
        yield from matched
        return
    while chunk := list(islice(matched, CHUNK)):
        documents = enrich([match.document for match in chunk])
        yield from (
            Match(document, match.name) for document, match in zip(documents, chunk, strict=True)
        )


def _find_text(document: Mapping[str, Any], keys: Sequence[str]) -> str:
    value = _find(document, keys)
    return value if isinstance(value, str) else ""


def _find(document: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _check_enough(join: Join, key: str, outcomes: Sequence[int]) -> None:
    if not join.endpoints:
        raise DataError(
            f"expected an endpoint in each line, found none in {join.refused} lines; {join.refusals[0]}"
        )
    if join.refused > join.endpoints:
        lines = join.refused + join.endpoints
        raise DataError(
            f"expected most lines to be endpoints, found {join.refused} of {lines} that are none; {join.refusals[0]}"
        )
    if not join.matched:
        nearly = (
            f"; {join.nearly} would, if capitals and blanks around ids did not count"
            if join.nearly
            else ""
        )
        raise DataError(
            f"expected endpoints and outcomes to share {key}s, found none shared by {join.endpoints} endpoints and "
            f"{join.without_endpoint} outcomes{nearly}"
        )
    ones = sum(outcomes)
    if min(ones, len(outcomes) - ones) < LEAST_OF_EACH:
        raise DataError(
            f"expected {LEAST_OF_EACH} people or more with each outcome, found {ones} with 1 and {len(outcomes) - ones} with 0 "
            "among those whose endpoint is known"
        )
