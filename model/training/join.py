"""Endpoint files and outcomes in; the documents that have an outcome, in file order, out.

Counts all other lines. Holds the Ids seen so far and a chunk of documents, never a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from model.paths import ReadPath, find_user
from model.people.cells import read_plain_id
from model.people.progress import Progress
from model.training.datasets import NAMED_LINES, OutcomeTable, read_lines

Document: TypeAlias = dict[str, Any]
Enrich: TypeAlias = Callable[[Sequence[Document]], Sequence[Document]]

# Documents held at a time. Few, because the garbage collector visits all of them again and again:
# with 10,000 a training takes 1.5 times as long.
CHUNK = 500


class Match(NamedTuple):
    """A document with an outcome, and the name that the outcome is listed under.

    treated  1 if the campaign messaged it; 0 if not, or if the outcomes do not say
    """

    document: Document
    name: str
    treated: int = 0


@dataclass(slots=True)
class JoinCounts:
    """What became of each line so far; the fields of `Join`."""

    endpoints: int = 0
    matched: int = 0
    without_outcome: int = 0
    repeated: int = 0
    refused: int = 0
    nearly: int = 0
    apart: int = 0
    refusals: list[str] = field(default_factory=list)
    readings: list[str] = field(default_factory=list)


def match_endpoints(
    paths: Sequence[Path],
    outcome_table: OutcomeTable,
    progress: Progress,
    *,
    stage: str,
    enrich: Enrich | None = None,
    counts: JoinCounts | None = None,
    read: Sequence[ReadPath] = (),
) -> Iterator[Match]:
    """Yield each endpoint that has an outcome, once; with `enrich`, plus its external attributes.

    Refuses an endpoint that cannot be used at one of the paths that are `read`. Adds to `counts`.
    Raises DataError for a file that cannot be read.
    """
    lines = read_lines(
        paths,
        progress,
        stage,
        id_needed=outcome_table.key == "Id",
        read=read,
        readings=None if counts is None else counts.readings,
        plain=outcome_table.plain,
        naming=outcome_table.naming,
    )
    matched = _match(lines, outcome_table, counts)
    if enrich is None:
        yield from matched
        return
    while chunk := list(islice(matched, CHUNK)):
        documents = enrich([match.document for match in chunk])
        yield from (
            match._replace(document=document)
            for document, match in zip(documents, chunk, strict=True)
        )


def _match(
    lines: Iterator[tuple[Document | None, str]],
    outcome_table: OutcomeTable,
    counts: JoinCounts | None,
) -> Iterator[Match]:
    folded = _fold_names(outcome_table) if counts is not None else frozenset()
    counts = counts or JoinCounts()
    outcomes, by_user = outcome_table.outcomes, outcome_table.key == "UserId"
    seen: set[str] = set()
    for document, refusal in lines:
        if document is None:
            counts.refused += 1
            if len(counts.refusals) < NAMED_LINES:
                counts.refusals.append(refusal)
            continue
        counts.endpoints += 1
        id_ = document.get("Id")
        found = find_user(document) if by_user else id_
        name = read_plain_id(found) if isinstance(found, str) else found
        if name not in outcomes:
            counts.without_outcome += 1
            if isinstance(name, str):
                same = name.strip().casefold()
                counts.nearly += same in folded or same in outcomes
        elif (known := id_ if by_user else name) is not None and known in seen:
            counts.repeated += 1
        elif (treated := _find_treatment(document, name, outcome_table)) is None:
            counts.apart += 1
        else:
            if known is not None:
                seen.add(known)
            counts.matched += 1
            yield Match(document, name, treated)


def _find_treatment(document: Document, name: str, outcome_table: OutcomeTable) -> int | None:
    """1 if the endpoint was messaged, 0 if not; None if it took no part in the campaign."""
    treatment = outcome_table.treatment
    if treatment is None:
        return 0
    listed = name if treatment.key == outcome_table.key else document.get("Id")
    return treatment.flags.get(read_plain_id(listed)) if isinstance(listed, str) else None


def _fold_names(outcome_table: OutcomeTable) -> frozenset[str]:
    """The names without case and surrounding spaces, where that changes them.

    Most ids are UUIDs, which it does not change, so this set is usually small.
    """
    return frozenset(
        folded for name in outcome_table.outcomes if (folded := name.strip().casefold()) != name
    )
