"""`decisions.csv` in, arrays out: one element an endpoint. Ids are kept as hashes only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.people.cells import read_plain_id
from segment_scorer.lift.tables import Hashes, Progress, hash_texts, read_chunks, read_values

NEEDED = ("Id", "UserId", "selected", "holdout")
OPTIONAL = ("sent", "reason", "score", "band", "treatment")
UNKNOWN = -1.0
FAILED = "failed"  # the reason of an endpoint for which the hook gave no valid answer
MOST_GROUPS = 1000
FLAGS = {"": UNKNOWN}
for _text, _value in (("true", 1.0), ("false", 0.0)):
    FLAGS |= dict.fromkeys((_text, _text.upper(), _text.title(), str(int(_value))), _value)

Flags = npt.NDArray[np.int8]
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """A text per row, by number: `names[codes[i]]`; -1 where there is none."""

    names: tuple[str, ...]
    codes: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Row i of every array is endpoint i, of one run or of several.

    ids, users  hashes; the user of an endpoint without a UserId is the endpoint itself
    selected    1 the rules would message the endpoint, the control group aside; 0 not; -1 unknown
    holdout     1 in the control group; 0 not; -1 unknown
    sent        1 the message was sent; 0 not; -1 unknown
    failed      the hook gave no valid answer for the endpoint
    scores      NaN where there is none
    runs        which run each row comes from, from 0
    """

    ids: Hashes
    users: Hashes
    selected: Flags
    holdout: Flags
    sent: Flags
    failed: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64]
    bands: Grouping
    treatments: Grouping
    runs: npt.NDArray[np.int16]


def read_decisions(paths: Sequence[Path], progress: Progress | None = None) -> Decisions:
    """Read the files of one campaign, one a run. Raises DataError for what is no such table."""
    names: dict[str, dict[str, int]] = {"band": {}, "treatment": {}}
    parts: list[tuple[npt.NDArray[np.generic], ...]] = []
    for run, path in enumerate(paths):
        before = len(parts)
        for first, chunk in read_chunks(path, "decisions", NEEDED, OPTIONAL, progress):
            parts.append(_read_part(path, chunk, run, first, names))
        if len(parts) == before:
            raise DataError(f"{path}: expected a decision in each row, found none below the header")
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    ids, users, selected, holdout, sent, failed, scores, bands, treatments, runs = columns
    return Decisions(
        ids=ids.astype(np.int64),
        users=users.astype(np.int64),
        selected=selected.astype(np.int8),
        holdout=holdout.astype(np.int8),
        sent=sent.astype(np.int8),
        failed=failed.astype(np.bool_),
        scores=scores.astype(np.float64),
        bands=Grouping(names=tuple(names["band"]), codes=bands.astype(np.int32)),
        treatments=Grouping(names=tuple(names["treatment"]), codes=treatments.astype(np.int32)),
        runs=runs.astype(np.int16),
    )


def _read_part(
    path: Path,
    chunk: dict[str, tuple[str, ...]],
    run: int,
    first: int,
    names: dict[str, dict[str, int]],
) -> tuple[npt.NDArray[np.generic], ...]:
    """One chunk's arrays, in the order of Decisions' fields."""
    rows = len(chunk["Id"])
    empty = ("",) * rows
    if "" in chunk["Id"]:
        raise DataError(f"{path}: Id: expected text in row {first + chunk['Id'].index(''):,}")
    ids = list(map(read_plain_id, chunk["Id"]))
    users = (
        read_plain_id(user) if user else f"\0{id_}"
        for user, id_ in zip(chunk["UserId"], ids, strict=True)
    )
    flags = [
        read_values(chunk.get(name, empty), FLAGS, path, name, first).astype(np.int8)
        for name in ("selected", "holdout", "sent")
    ]
    return (
        hash_texts(ids, rows),
        hash_texts(users, rows),
        *flags,
        np.array([reason == FAILED for reason in chunk.get("reason", empty)], dtype=bool),
        _read_scores(path, chunk.get("score", empty), first),
        *(_read_codes(path, chunk.get(name, empty), names[name], name) for name in names),
        np.full(rows, run, dtype=np.int16),
    )


def _read_scores(path: Path, texts: Sequence[str], first: int) -> npt.NDArray[np.float64]:
    """Scores as numbers. Raises DataError for one that is none."""
    try:
        return np.array([float(text) if text else np.nan for text in texts], dtype=np.float64)
    except ValueError as error:
        raise DataError(
            f"{path}: score: expected a number or nothing in rows {first:,} to "
            f"{first + len(texts) - 1:,}, found text"
        ) from error


def _read_codes(path: Path, texts: Sequence[str], known: dict[str, int], name: str) -> Codes:
    """Number the texts; new ones are added to `known`. Raises DataError for too many."""
    for text in dict.fromkeys(texts):
        if text and text not in known:
            known[text] = len(known)
    if len(known) > MOST_GROUPS:
        raise DataError(f"{path}: {name}: expected at most {MOST_GROUPS:,} different texts")
    return np.array([known.get(text, -1) for text in texts], dtype=np.int32)
