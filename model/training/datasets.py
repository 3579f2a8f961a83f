"""Files in; endpoint documents line by line, and who responded, out. Knows the forms of files and nothing of features.

A record that is no endpoint document comes with the reason; a file that cannot be used is a DataError.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from model.document import find_problem
from model.errors import DataError
from model.people.columns import RecordError
from model.people.files import open_people, open_unpacked
from model.people.headers import find_separator
from model.people.naming import name_some
from model.people.records import make_decoder
from model.values import parse_time

# stage, how much of it is done, how much there is
Progress: TypeAlias = Callable[[str, int, int], None]

TOLD_EVERY = 10_000  # records between two reports of progress
NAMED_LINES = 5  # how many lines an error or a progress names before it only counts
# Whole numbers with a gap among them, and booleans, come out of data frames like this.
RESPONDED = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}
KEYS = {
    "Id": "Id",
    "ProfileId": "Id",
    "UserId": "UserId",
}  # a profile's document has its ProfileId as Id


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTable:
    """Who responded.

    key       "Id", or "UserId" where people are named by their User.UserId and every endpoint of theirs has their outcome
    outcomes  0 or 1 by that name
    dates     seconds since 1970 UTC by that name: the moment each outcome counts from; None where the file has none
    """

    key: str
    outcomes: dict[str, int]
    dates: dict[str, float] | None = None


class PeopleLine(NamedTuple):
    """One record of an endpoint file: a document, or which line it is and why it is none."""

    document: dict[str, Any] | None
    refusal: str


def read_outcomes(path: Path) -> OutcomeTable:
    """Read a CSV with the header `Id,outcome` or `Id,outcome,date`; Id may be ProfileId or UserId. Raises DataError naming wrong lines."""
    wrong: list[int] = []
    repeated: list[int] = []
    outcomes: dict[str, int] = {}
    dates: dict[str, float] = {}
    with open_unpacked(path, "outcomes") as (file, _):
        rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
        header = next(rows, [])
        if (
            not header
            or header[0] not in KEYS
            or header[1:] not in (["outcome"], ["outcome", "date"])
        ):
            between = find_separator(",".join(header))
            found = f"; its columns are separated by {between}" if between else ""
            raise DataError(
                f"{path}: expected outcomes: a CSV file whose first line is Id,outcome or Id,outcome,date "
                f"(or UserId or ProfileId for Id){found}"
            )
        dated = len(header) == 3
        for row in rows:
            if not row:
                continue
            moment = parse_time(row[2].strip()) if dated and len(row) == 3 else math.nan
            if (
                len(row) != len(header)
                or not row[0]
                or "\n" in row[0]
                or row[1].strip().lower() not in RESPONDED
                or (dated and math.isnan(moment))
            ):
                wrong.append(rows.line_num)
            elif row[0] in outcomes:
                repeated.append(rows.line_num)
            else:
                outcomes[row[0]] = RESPONDED[row[1].strip().lower()]
                if dated:
                    dates[row[0]] = moment
    problems = []
    if wrong:
        date = " and a date in ISO 8601" if dated else ""
        problems.append(
            f"expected an {header[0]} and an outcome of 0 or 1{date} in {_name_lines(wrong)}"
        )
    if repeated:
        problems.append(
            f"expected every {header[0]} once; it stands a second time in {_name_lines(repeated)}"
        )
    if not outcomes and not problems:
        problems.append("expected an outcome in each line, found no line after the header")
    if problems:
        raise DataError(f"{path}: {'; '.join(problems)}")
    return OutcomeTable(key=KEYS[header[0]], outcomes=outcomes, dates=dates if dated else None)


def read_lines(
    paths: Sequence[Path],
    progress: Progress,
    stage: str = "reading endpoints",
    *,
    id_needed: bool = True,
) -> Iterator[PeopleLine]:
    """Every record of the files, in order. Raises DataError for a file that cannot be read or holds none."""
    total, before = sum(_size(path) for path in paths), 0
    for path in paths:
        found = 0
        with open_people(path) as file:
            decode = make_decoder(file.header, id_needed=id_needed)
            for number, raw in file:
                found += 1
                if found % TOLD_EVERY == 0:
                    progress(stage, before + file.position, total)
                try:
                    document = decode(raw).document
                except RecordError as error:
                    yield PeopleLine(None, f"{path}, line {number}: {error}")
                    continue
                problem = find_problem(document)
                yield (
                    PeopleLine(None, f"{path}, line {number}: {problem}")
                    if problem
                    else PeopleLine(document, "")
                )
            before += file.size
        if not found:
            raise DataError(f"{path}: expected endpoints: JSON lines, CSV or Parquet, found nobody")
        progress(stage, before, total)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening it says what is wrong


def _name_lines(numbers: Sequence[int]) -> str:
    return f"line{'s' if len(numbers) > 1 else ''} {name_some([str(number) for number in numbers], NAMED_LINES)}"
