"""Endpoint documents, outcomes and a feature spec in; a float32 matrix, outcomes row for row and a report of the join out.

Holds no more than a chunk of documents. Lines that cannot be used are counted, never guessed at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.features import OTHER, FeatureSpec, Matrix, build_matrix, read_texts
from model.training.datasets import NAMED_LINES, Line, Report, read_lines

Outcomes: TypeAlias = npt.NDArray[np.int64]
Document: TypeAlias = dict[str, Any]
Enrich: TypeAlias = Callable[[Sequence[Document]], Sequence[Document]]

CHUNK = 500  # documents held at a time: few, because Python looks through all that it holds again and again (10,000 take 1.5 times as long)
# Five folds need some people of both kinds in each; below 25 of a kind no figure of the evaluation would mean anything.
LEAST_OF_EACH = 25
LEAST_OF_A_VALUE = 20  # a category's value that fewer people have teaches nothing and may name a person
MOST_VALUES = 50
LEAST_WITH_FEATURE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What became of every line. `refusals` describes the first refused lines: file, line number, sentence."""

    endpoints: int
    matched: int
    without_outcome: int
    without_endpoint: int
    repeated: int
    refused: int
    refusals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What to learn from: matrix float32 [n, f] and outcomes int64 [n] (0 or 1), row for row; columns as `spec` says.

    `left_out` names the features of the spec given that nobody, or hardly anybody, has.
    """

    spec: FeatureSpec
    matrix: Matrix
    outcomes: Outcomes
    join: Join
    left_out: tuple[str, ...]


def gather_people(
    paths: Sequence[Path],
    outcomes: Mapping[str, int],
    spec: FeatureSpec,
    reference: float | None,
    report: Report,
    *,
    enrich: Enrich | None = None,
) -> People:
    """Join endpoints with `outcomes` and build the matrix. Categories without a vocabulary learn theirs in a pass of their own.

    `enrich` adds to documents what is known about people elsewhere. Raises DataError when nothing matches, or when fewer than 25 people
    have either outcome.
    """
    counts: Counter[str] = Counter()
    refusals: list[str] = []
    spec = learn_vocabularies(paths, outcomes, spec, report, enrich)
    matrices, labels = [], []
    for documents, responded in _take_chunks(_match(read_lines(paths, report), outcomes, counts, refusals), enrich):
        matrices.append(build_matrix(documents, spec, reference))
        labels += responded
    join = Join(
        endpoints=counts["endpoints"],
        matched=counts["matched"],
        without_outcome=counts["without_outcome"],
        without_endpoint=len(outcomes) - counts["matched"],
        repeated=counts["repeated"],
        refused=counts["refused"],
        refusals=tuple(refusals),
    )
    _check_enough(join, labels)
    spec, matrix, left_out = drop_absent(spec, np.concatenate(matrices))
    return People(spec=spec, matrix=matrix, outcomes=np.array(labels, dtype=np.int64), join=join, left_out=left_out)


def drop_absent(spec: FeatureSpec, matrix: Matrix) -> tuple[FeatureSpec, Matrix, tuple[str, ...]]:
    """Leave out the features that fewer than 20 people have, and say so: nothing can be learnt from a path that leads nowhere.

    Raises DataError when none is left. Boosting cannot be fitted on a column that is missing throughout, in any fold either.
    """
    present = (~np.isnan(matrix[:, list(spec.starts)])).sum(axis=0) >= LEAST_WITH_FEATURE
    if not present.any():
        raise DataError(f"expected a feature that {LEAST_WITH_FEATURE} people or more have, found none; see the paths of the feature spec")
    if present.all():
        return spec, matrix, ()
    kept = FeatureSpec(tuple(feature for feature, there in zip(spec.features, present, strict=True) if there))
    widths = [len(feature.columns) for feature in spec.features]
    left_out = tuple(
        f"{feature.name}: fewer than {LEAST_WITH_FEATURE} people have it"
        for feature, there in zip(spec.features, present, strict=True)
        if not there
    )
    return kept, np.ascontiguousarray(matrix[:, np.repeat(present, widths)]), left_out


def learn_vocabularies(
    paths: Sequence[Path], outcomes: Mapping[str, int], spec: FeatureSpec, report: Report, enrich: Enrich | None = None
) -> FeatureSpec:
    """Give each category without values those that 20 people or more have, at most 50, the most frequent first."""
    counters = {feature: Counter[str]() for feature in spec.features if feature.kind == "category" and not feature.values}
    if not counters:
        return spec
    matched = _match(read_lines(paths, report, "learning vocabularies"), outcomes, Counter(), [])
    for document in chain.from_iterable(documents for documents, _ in _take_chunks(matched, enrich)):
        for feature, counter in counters.items():
            value: Any = document
            for key in feature.keys:
                value = value.get(key) if isinstance(value, dict) else None
            counter.update(set(read_texts(value)) - {OTHER})
    learnt = {
        feature: tuple(
            value
            for value, count in sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_VALUES]
            if count >= LEAST_OF_A_VALUE
        )
        for feature, counter in counters.items()
    }
    return FeatureSpec(tuple(replace(feature, values=learnt.get(feature, feature.values)) for feature in spec.features))


def _take_chunks(matched: Iterator[tuple[Document, int]], enrich: Enrich | None) -> Iterator[tuple[Sequence[Document], list[int]]]:
    """Documents, enriched a chunk at a time, and their outcomes."""
    while chunk := list(islice(matched, CHUNK)):
        documents = [document for document, _ in chunk]
        yield enrich(documents) if enrich else documents, [outcome for _, outcome in chunk]


def _match(lines: Iterator[Line], outcomes: Mapping[str, int], counts: Counter[str], refusals: list[str]) -> Iterator[tuple[Document, int]]:
    """The documents that have an outcome, each Id once; what became of the others goes into `counts` and `refusals`."""
    seen: set[str] = set()
    for line in lines:
        if line.document is None:
            counts["refused"] += 1
            if len(refusals) < NAMED_LINES:
                refusals.append(f"{line.place}: {line.problem}")
            continue
        counts["endpoints"] += 1
        name = line.document["Id"]
        if name not in outcomes:
            counts["without_outcome"] += 1
        elif name in seen:
            counts["repeated"] += 1
        else:
            seen.add(name)
            counts["matched"] += 1
            yield line.document, outcomes[name]


def _check_enough(join: Join, labels: Sequence[int]) -> None:
    if not join.endpoints:
        raise DataError(f"expected an endpoint in each line, found none in {join.refused} lines; {join.refusals[0]}")
    if not join.matched:
        raise DataError(
            f"expected endpoints and outcomes to share Ids, found none shared by {join.endpoints} endpoints and "
            f"{join.without_endpoint} outcomes"
        )
    ones = sum(labels)
    if min(ones, len(labels) - ones) < LEAST_OF_EACH:
        raise DataError(
            f"expected {LEAST_OF_EACH} people or more with each outcome, found {ones} with 1 and {len(labels) - ones} with 0 "
            "among those whose endpoint is known"
        )
