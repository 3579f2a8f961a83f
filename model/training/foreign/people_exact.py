"""The people as a notebook has them: their numbers before rounding, and the original's scores.

Watches a gathering (`gather_people`), chunk by chunk, and keeps arrays alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.errors import DataError
from model.features import FeatureSpec, fill_columns
from model.kinds import Reference
from model.paths import find_user
from model.people.cells import read_plain_id
from model.people.opening import open_csv
from model.people.outcome_columns import find_id_column, find_one
from model.training.foreign.original import Exact
from model.training.join import Match
from model.training.measures import Scores
from model.values import parse_number

SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Scores that the original gave: by `key`, "Id" or "UserId"."""

    path: Path
    key: str
    scores: Mapping[str, float]


def read_predictions(path: Path) -> Predictions:
    """Read a CSV file `Id,score`; Id may be ProfileId or UserId. Raises DataError."""
    scores: dict[str, float] = {}
    with open_csv(path, "predictions") as (rows, _):
        header = next(rows, [])
        column, key = find_id_column(path, header, "")
        score = find_one(path, header, SCORE, "")
        if score is None:
            raise DataError(
                f"{path}: expected a CSV file with the header Id,score (Id may be UserId or "
                "ProfileId), found no column score"
            )
        width, place, value = len(header), header.index(column), header.index(score)
        for row in rows:
            number = parse_number(row[value]) if len(row) == width else None
            if row and (number is None or not 0 <= number <= 1):
                raise DataError(
                    f"{path}, line {rows.line_num}: expected an id and a score from 0 to 1, found "
                    "another row"
                )
            if row and number is not None:
                name = read_plain_id(row[place])
                if name in scores:
                    raise DataError(
                        f"{path}, line {rows.line_num}: expected each {column} once, found it again"
                    )
                scores[name] = number
    return Predictions(path=path, key=key, scores=scores)


class ExactPeople:
    """Collects the exact numbers of people, and their given scores, in the order of the rows."""

    def __init__(
        self, spec: FeatureSpec, predictions: Predictions | None, *, float32: bool = False
    ) -> None:
        """`float32`: the original reads numbers rounded to float32."""
        self._spec, self._predictions, self._float32 = spec, predictions, float32
        self._matrices: list[Exact] = []
        self._scores: list[float] = []

    def watch(self, chunk: Sequence[Match], against: Reference) -> None:
        """Take a chunk of people."""
        documents = [match.document for match in chunk]
        exact = fill_columns(documents, self._spec, against).T
        self._matrices.append(
            exact.astype(np.float32).astype(np.float64) if self._float32 else exact
        )
        if self._predictions is not None:
            find = find_user if self._predictions.key == "UserId" else lambda each: each.get("Id")
            given = self._predictions.scores
            self._scores += [
                given.get(read_plain_id(str(find(each))), math.nan) for each in documents
            ]

    @property
    def matrix(self) -> Exact:
        """float64 [n, f]."""
        return np.ascontiguousarray(np.concatenate(self._matrices))

    @property
    def scores(self) -> Scores | None:
        """The given scores, float64 [n]; None without predictions. Raises DataError for gaps."""
        if self._predictions is None:
            return None
        found = np.array(self._scores)
        missing = int(np.isnan(found).sum())
        if missing:
            raise DataError(
                f"{self._predictions.path}: expected a score for each of the {len(found):,} people "
                f"with an outcome, found none for {missing:,}"
            )
        return found
