"""An outcomes CSV in, hashes of ids and values out. Also counts ids that match only nearly."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.people.files import open_unpacked
from segment_scorer.lift.tables import (
    Hashes,
    Progress,
    hash_texts,
    match_hashes,
    name_rows,
    read_chunks,
)

# column of ids in an outcomes file -> the column of decisions.csv that it names
KEYS = {"Id": "Id", "ProfileId": "Id", "UserId": "UserId"}
WORDS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignOutcomes:
    """Outcomes by id, sorted by hash.

    key     "Id", or "UserId" where every outcome belongs to a user
    ids     int64 [n], sorted, all different
    values  float64 [n]: 0 or 1, or an amount
    """

    key: str
    ids: Hashes
    values: npt.NDArray[np.float64]

    @property
    def binary(self) -> bool:
        """Whether every outcome is 0 or 1."""
        return bool(np.isin(self.values, (0.0, 1.0)).all())

    @property
    def lists_only_responders(self) -> bool:
        """Whether no outcome is 0: the file then leaves out everybody who did not respond."""
        return not bool((self.values == 0.0).any())


def read_campaign_outcomes(path: Path, progress: Progress | None = None) -> CampaignOutcomes:
    """Read `Id,outcome` (or `UserId`, `ProfileId`): 0 or 1, or an amount. Raises DataError."""
    name = _find_key(path)
    ids: list[Hashes] = []
    values: list[npt.NDArray[np.float64]] = []
    for first, chunk in read_chunks(path, "outcomes", (name, "outcome"), progress=progress):
        if "" in chunk[name]:
            row = first + chunk[name].index("")
            raise DataError(f"{path}: {name}: expected text in row {row:,}")
        ids.append(hash_texts(chunk[name], len(chunk[name])))
        values.append(_read_amounts(path, chunk["outcome"], first))
    if not ids:
        raise DataError(f"{path}: expected an outcome in each row, found none below the header")
    hashes, amounts = np.concatenate(ids), np.concatenate(values)
    order = np.argsort(hashes, kind="stable")
    hashes, amounts = hashes[order], amounts[order]
    repeated = int((hashes[1:] == hashes[:-1]).sum())
    if repeated:
        raise DataError(
            f"{path}: expected every {name} once; {repeated:,} rows repeat one. "
            "Add up the amounts of each person first"
        )
    return CampaignOutcomes(key=KEYS[name], ids=hashes, values=amounts)


def count_near_matches(decisions: Sequence[Path], outcomes: Path, known: Hashes) -> int:
    """How many outcomes match nobody as written, but somebody when read loosely.

    Loosely: case, blanks around the id, a decimal `.0` and leading zeros do not count.
    known   hashes of the ids in the decisions, sorted
    """
    name = _find_key(outcomes)
    loose = np.unique(
        np.concatenate(
            [
                hash_texts(map(_loosen, chunk[KEYS[name]]), len(chunk[KEYS[name]]))
                for path in decisions
                for _, chunk in read_chunks(path, "decisions", (KEYS[name],))
            ]
        )
    )
    near = 0
    for _, chunk in read_chunks(outcomes, "outcomes", (name,)):
        texts = chunk[name]
        exact, _ = match_hashes(hash_texts(texts, len(texts)), known)
        similar, _ = match_hashes(hash_texts(map(_loosen, texts), len(texts)), loose)
        near += int((similar & ~exact).sum())
    return near


def _loosen(text: str) -> str:
    """An id without what spreadsheets and data frames do to ids."""
    text = text.strip().casefold()
    whole = text.removesuffix(".0")
    return (whole.lstrip("0") or "0") if whole.isdecimal() else text


def _find_key(path: Path) -> str:
    """Name of the column of ids. Raises DataError where there is none."""
    with open_unpacked(path, "outcomes") as (file, _):
        rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
        header = next(rows, [])
    found = [name for name in KEYS if name in header]
    if len(found) != 1 or "outcome" not in header:
        raise DataError(
            f"{path}: expected a CSV file whose first line names Id,outcome or UserId,outcome"
        )
    return found[0]


def _read_amounts(path: Path, texts: Sequence[str], first: int) -> npt.NDArray[np.float64]:
    """Outcomes as finite numbers. Raises DataError naming the rows that hold none."""
    try:
        values = np.array(texts, dtype=np.float64)
    except ValueError:
        values = np.array([_read_amount(text) for text in texts], dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise DataError(
            f"{path}: outcome: expected 0, 1 or an amount in "
            f"{name_rows([first + int(index) for index in wrong])}"
        )
    return values


def _read_amount(text: str) -> float:
    """One outcome as a number; NaN where it is none."""
    text = text.strip().lower()
    try:
        return WORDS[text] if text in WORDS else float(text)
    except ValueError:
        return math.nan
