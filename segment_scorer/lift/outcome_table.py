"""An outcomes CSV in, hashes of ids and values out. Also counts ids that match only nearly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import ne
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.people.cells import read_plain_id
from model.people.opening import open_csv
from model.people.outcome_columns import (
    USUAL_NAMES,
    WORDS,
    ColumnNames,
    OutcomeColumns,
    describe_whole,
    find_outcome_columns,
)
from segment_scorer.lift.tables import (
    Hashes,
    Progress,
    hash_ids,
    hash_texts,
    match_hashes,
    name_rows,
    read_chunks,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignOutcomes:
    """Outcomes by id, sorted by hash.

    key       "Id", or "UserId" where every outcome belongs to a user
    ids       int64 [n], sorted, all different
    values    float64 [n]: 0 or 1, or an amount
    readings  sentences on what was not read as written
    """

    key: str
    ids: Hashes
    values: npt.NDArray[np.float64]
    readings: tuple[str, ...] = ()

    @property
    def binary(self) -> bool:
        """Whether every outcome is 0 or 1."""
        return bool(np.isin(self.values, (0.0, 1.0)).all())

    @property
    def lists_only_responders(self) -> bool:
        """Whether no outcome is 0: the file then leaves out everybody who did not respond."""
        return not bool((self.values == 0.0).any())


def read_campaign_outcomes(
    path: Path, progress: Progress | None = None, names: ColumnNames = USUAL_NAMES
) -> CampaignOutcomes:
    """Read `Id,outcome` (or `UserId`, `ProfileId`): 0 or 1, yes or no, or an amount.

    Other columns are ignored and named. Raises DataError.
    """
    columns = find_columns(path, names)
    ids: list[Hashes] = []
    values: list[npt.NDArray[np.float64]] = []
    whole = 0
    needed = (columns.id, columns.outcome)
    for first, chunk in read_chunks(path, "outcomes", needed, progress=progress):
        texts = chunk[columns.id]
        if "" in texts:
            raise DataError(
                f"{path}: {columns.id}: expected text in row {first + texts.index(''):,}"
            )
        plain = [read_plain_id(text) for text in texts]
        whole += sum(map(ne, plain, texts))
        ids.append(hash_texts(plain, len(plain)))
        values.append(_read_amounts(path, chunk[columns.outcome], first))
    if not ids:
        raise DataError(f"{path}: expected an outcome in each row, found none below the header")
    hashes, amounts = np.concatenate(ids), np.concatenate(values)
    order = np.argsort(hashes, kind="stable")
    hashes, amounts = hashes[order], amounts[order]
    repeated = int((hashes[1:] == hashes[:-1]).sum())
    if repeated:
        raise DataError(
            f"{path}: expected every {columns.id} once; {repeated:,} rows repeat one. "
            "Add up the amounts of each person first"
        )
    readings = [*columns.explain(), *([describe_whole(whole, columns.id)] if whole else [])]
    return CampaignOutcomes(key=columns.key, ids=hashes, values=amounts, readings=tuple(readings))


def count_near_matches(
    decisions: Sequence[Path], outcomes: Path, known: Hashes, names: ColumnNames = USUAL_NAMES
) -> int:
    """How many outcomes match nobody as written, but somebody when read loosely.

    Loosely: case, blanks around the id, a decimal `.0` and leading zeros do not count.
    known   hashes of the ids in the decisions, sorted
    """
    columns = find_columns(outcomes, names)
    loose = np.unique(
        np.concatenate(
            [
                hash_texts(map(_loosen, chunk[columns.key]), len(chunk[columns.key]))
                for path in decisions
                for _, chunk in read_chunks(path, "decisions", (columns.key,))
            ]
        )
    )
    near = 0
    for _, chunk in read_chunks(outcomes, "outcomes", (columns.id,)):
        texts = chunk[columns.id]
        exact, _ = match_hashes(hash_ids(texts), known)
        similar, _ = match_hashes(hash_texts(map(_loosen, texts), len(texts)), loose)
        near += int((similar & ~exact).sum())
    return near


def _loosen(text: str) -> str:
    """An id without what spreadsheets and data frames do to ids."""
    text = text.strip().casefold()
    whole = text.removesuffix(".0")
    return (whole.lstrip("0") or "0") if whole.isdecimal() else text


def find_columns(path: Path, names: ColumnNames) -> OutcomeColumns:
    """The columns to read. Raises DataError where there are none."""
    with open_csv(path, "outcomes") as (rows, _):
        header = next(rows, [])
    return find_outcome_columns(path, header, names)


def _read_amounts(path: Path, texts: Sequence[str], first: int) -> npt.NDArray[np.float64]:
    """Outcomes as finite numbers. Raises DataError naming the rows that hold none."""
    try:
        values = np.array(texts, dtype=np.float64)
    except ValueError:
        values = np.array([_read_amount(text) for text in texts], dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise DataError(
            f"{path}: outcome: expected 0, 1, yes, no or an amount in "
            f"{name_rows([first + int(index) for index in wrong])}"
        )
    return values


def _read_amount(text: str) -> float:
    """One outcome as a number; NaN where it is none."""
    text = text.strip().lower()
    try:
        return float(WORDS[text]) if text in WORDS else float(text)
    except ValueError:
        return math.nan
