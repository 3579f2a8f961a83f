"""Files in; endpoint documents one at a time, and the table of outcomes, out. Knows no feature.

An unreadable record comes with the reason; an unusable file raises DataError.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from model.document import is_typed
from model.errors import DataError
from model.paths import ReadPath, find_problem
from model.people.columns import RecordError
from model.people.files import open_people, open_unpacked
from model.people.headers import find_separator
from model.people.naming import name_some
from model.people.progress import Progress
from model.people.records import make_decoder
from model.values import parse_time

PROGRESS_EVERY = 10_000  # records
NAMED_LINES = 5  # lines, and kinds of problems, that a message names before it only counts
# Data frames write booleans, and integers beside missing values, like this.
OUTCOMES = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}
# A customer profile's document has its ProfileId as Id.
KEYS = {"Id": "Id", "ProfileId": "Id", "UserId": "UserId"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTable:
    """The outcomes of a file.

    key       "Id", or "UserId": the outcome of a user holds for every endpoint of the user
    outcomes  0 or 1 by that name
    dates     seconds since 1970 UTC by that name, when each outcome counts from; None without dates
    """

    key: str
    outcomes: dict[str, int]
    dates: dict[str, float] | None = None


class PeopleLine(NamedTuple):
    """One record of an endpoint file: a document, or None and the place and reason."""

    document: dict[str, Any] | None
    refusal: str


def read_outcomes(path: Path) -> OutcomeTable:
    """Read a CSV file `Id,outcome` or `Id,outcome,date`; Id may be ProfileId or UserId.

    Raises DataError naming the kind and the lines of every problem.
    """
    problems: dict[str, list[int]] = {}
    outcomes: dict[str, int] = {}
    dates: dict[str, float] = {}
    with open_unpacked(path, "outcomes") as (file, _):
        rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
        header = next(rows, [])
        check_header(path, header)
        dated = len(header) == 3
        for row in rows:
            if not row:
                continue
            problem = find_row_problem(row, header)
            if not problem and row[0] in outcomes:
                problem = f"expected each {header[0]} once, found it again"
            if problem:
                problems.setdefault(problem, []).append(rows.line_num)
                continue
            outcomes[row[0]] = OUTCOMES[row[1].strip().lower()]
            if dated:
                dates[row[0]] = parse_time(row[2].strip())
    if problems:
        said = [f"{_name_lines(lines)}: {problem}" for problem, lines in problems.items()]
        more = len(said) - NAMED_LINES
        further = [f"{more} more kinds of problems"] if more > 0 else []
        raise DataError(f"{path}: {'; '.join([*said[:NAMED_LINES], *further])}")
    if not outcomes:
        raise DataError(f"{path}: expected a line for each outcome, found only the header")
    return OutcomeTable(key=KEYS[header[0]], outcomes=outcomes, dates=dates if dated else None)


def check_header(path: Path, header: Sequence[str]) -> None:
    """Raise DataError unless these are the columns of an outcomes file."""
    if header and header[0] in KEYS and header[1:] in (["outcome"], ["outcome", "date"]):
        return
    separator = find_separator(",".join(header))
    found = (
        f"columns separated by {separator}"
        if separator
        else "other columns"
        if header
        else "an empty file"
    )
    raise DataError(
        f"{path}: expected a CSV file with the header Id,outcome or Id,outcome,date "
        f"(Id may be UserId or ProfileId), found {found}"
    )


def find_row_problem(row: Sequence[str], header: Sequence[str]) -> str:
    """Why a row of an outcomes file is unusable; empty if it is usable. Names no value."""
    if len(row) != len(header):
        return f"expected {len(header)} cells, found {len(row)}"
    if not row[0] or "\n" in row[0]:
        found = "a line break" if row[0] else "an empty cell"
        return f"expected an {header[0]}, found {found}"
    if row[1].strip().lower() not in OUTCOMES:
        return f"expected the outcome 0 or 1, found {_describe_cell(row[1])}"
    if len(row) == 3 and math.isnan(parse_time(row[2].strip())):
        return f"expected a date in ISO 8601, found {_describe_cell(row[2])}"
    return ""


def read_lines(
    paths: Sequence[Path],
    progress: Progress,
    stage: str = "reading endpoints",
    *,
    id_needed: bool = True,
    read: Sequence[ReadPath] = (),
    readings: list[str] | None = None,
) -> Iterator[PeopleLine]:
    """Every record of the files, in order. Raises DataError for an unreadable or empty file.

    A record is refused if it cannot be used at one of the paths that are `read`, as in the
    function. Its other fields do not matter. Sentences on what was not read as written are added
    to `readings`.
    """
    total, before = sum(_size(path) for path in paths), 0
    for path in paths:
        found = 0
        with open_people(path) as file:
            decode = make_decoder(file.header, id_needed=id_needed)
            for number, raw in file:
                found += 1
                if found % PROGRESS_EVERY == 0:
                    progress(stage, before + file.position, total)
                try:
                    document = decode(raw).document
                except RecordError as error:
                    yield PeopleLine(None, f"{path}, line {number}: {error}")
                    continue
                problem = None if is_typed(document) else find_problem(document, read)
                yield (
                    PeopleLine(None, f"{path}, line {number}: {problem}")
                    if problem
                    else PeopleLine(document, "")
                )
            if readings is not None:
                readings += [f"{path}: {sentence}" for sentence in file.explain_reading()]
            before += file.size
        if not found:
            raise DataError(
                f"{path}: expected endpoints as JSON lines, CSV or Parquet, found no record"
            )
        progress(stage, before, total)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening it raises the error that explains


def _describe_cell(text: str) -> str:
    if not text.strip():
        return "an empty cell"
    try:
        float(text)
    except ValueError:
        return "text"
    return "another number"


def _name_lines(numbers: Sequence[int]) -> str:
    lines = name_some([str(number) for number in numbers], NAMED_LINES)
    return f"line{'s' if len(numbers) > 1 else ''} {lines}"
