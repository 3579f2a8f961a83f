"""Files in; endpoint documents one at a time, and the table of outcomes, out. Knows no feature.

An unreadable record comes with the reason; an unusable file raises DataError.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from model.document import is_typed
from model.errors import DataError
from model.paths import ReadPath, find_problem
from model.people.cells import read_plain_id
from model.people.columns import PEOPLE, PLAIN_PEOPLE, RecordError
from model.people.files import open_people
from model.people.naming import name_some
from model.people.opening import open_csv
from model.people.outcome_columns import (
    USUAL_NAMES,
    WORDS,
    ColumnNames,
    describe_whole,
    find_outcome_columns,
)
from model.people.probe_file import MOST_BYTES, SKIPPED, is_test_file
from model.people.progress import Progress
from model.people.records import make_decoder
from model.profile_names import Naming, explain_ambiguous
from model.training.treatment import Treatment
from model.values import parse_time

PROGRESS_EVERY = 10_000  # records
NAMED_LINES = 5  # lines, and kinds of problems, that a message names before it only counts


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTable:
    """The outcomes of a file.

    key        "Id", or "UserId": the outcome of a user holds for every endpoint of the user
    outcomes   0 or 1 by that name, which has no `.0` behind a whole number
    dates      seconds since 1970 UTC by that name, when each outcome counts from; None without them
    readings   sentences on what was not read as written
    treatment  who took part in the campaign, and whom it messaged; None if nobody asked
    plain      whether columns such as `Age` of the endpoint tables beside it are attributes
    naming     of the attributes of customer profiles beside it; None: those of each tell it
    """

    key: str
    outcomes: dict[str, int]
    dates: dict[str, float] | None = None
    readings: tuple[str, ...] = ()
    treatment: Treatment | None = None
    plain: bool = False
    naming: Naming | None = None


class PeopleLine(NamedTuple):
    """One record of an endpoint file: a document, or None and the place and reason."""

    document: dict[str, Any] | None
    refusal: str


def read_outcomes(path: Path, names: ColumnNames = USUAL_NAMES) -> OutcomeTable:
    """Read a CSV file `Id,outcome` or `Id,outcome,date`; Id may be ProfileId or UserId.

    Other columns are ignored and named. Raises DataError naming the kind and the lines of every
    problem.
    """
    problems: dict[str, list[int]] = {}
    outcomes: dict[str, int] = {}
    dates: dict[str, float] = {}
    flags: dict[str, int] = {}
    whole = 0
    with open_csv(path, "outcomes") as (rows, _):
        header = next(rows, [])
        columns = find_outcome_columns(path, header, names)
        width, place = len(header), header.index(columns.id)
        answer = header.index(columns.outcome)
        since = None if columns.date is None else header.index(columns.date)
        flag = None if columns.treated is None else header.index(columns.treated)
        for row in rows:
            if not row:
                continue
            if len(row) != width:
                problem = f"expected {width} cells, found {len(row)}"
                problems.setdefault(problem, []).append(rows.line_num)
                continue
            date = None if since is None else row[since].strip()
            problem = find_row_problem(row[place], row[answer], date, columns.id)
            name = read_plain_id(row[place])
            whole += name != row[place]
            if not problem and name in outcomes:
                problem = f"expected each {columns.id} once, found it again"
            if not problem and flag is not None and row[flag].strip().lower() not in WORDS:
                found = _describe_cell(row[flag])
                problem = f"expected {columns.treated} 1 (messaged) or 0, found {found}"
            if problem:
                problems.setdefault(problem, []).append(rows.line_num)
                continue
            if flag is not None:
                flags[name] = WORDS[row[flag].strip().lower()]
            outcomes[name] = WORDS[row[answer].strip().lower()]
            if date is not None:
                dates[name] = parse_time(date)
    if problems:
        said = [f"{_name_lines(lines)}: {problem}" for problem, lines in problems.items()]
        more = len(said) - NAMED_LINES
        further = [f"{more} more kinds of problems"] if more > 0 else []
        raise DataError(f"{path}: {'; '.join([*said[:NAMED_LINES], *further])}")
    if not outcomes:
        raise DataError(f"{path}: expected a line for each outcome, found only the header")
    readings = [*columns.explain(), *([describe_whole(whole, columns.id)] if whole else [])]
    return OutcomeTable(
        key=columns.key,
        outcomes=outcomes,
        dates=None if since is None else dates,
        readings=tuple(f"{path}: {sentence}" for sentence in readings),
        treatment=Treatment(key=columns.key, flags=flags) if columns.treated else None,
    )


def find_row_problem(name: str, outcome: str, date: str | None, column: str) -> str:
    """Why a row of an outcomes file is unusable; empty if it is usable. Names no value."""
    if not name or "\n" in name:
        return f"expected an {column}, found {'a line break' if name else 'an empty cell'}"
    if outcome.strip().lower() not in WORDS:
        return f"expected the outcome 0 or 1, or yes or no, found {_describe_cell(outcome)}"
    if date is not None and math.isnan(parse_time(date)):
        return f"expected a date in ISO 8601, found {_describe_cell(date)}"
    return ""


def read_lines(
    paths: Sequence[Path],
    progress: Progress,
    stage: str = "reading endpoints",
    *,
    id_needed: bool = True,
    read: Sequence[ReadPath] = (),
    readings: list[str] | None = None,
    plain: bool = False,
    naming: Naming | None = None,
) -> Iterator[PeopleLine]:
    """Every record of the files, in order. Raises DataError for an unreadable or empty file.

    A record is refused if it cannot be used at one of the paths that are `read`, as in the
    function. Its other fields do not matter. Sentences on what was not read as written are added
    to `readings`. `plain`: a table's columns such as `Age` are attributes. `naming`: see
    `OutcomeTable`.
    """
    total, before = sum(_size(path) for path in paths), 0
    for path in paths:
        if len(paths) > 1 and (size := _find_test_file(path)):
            if readings is not None:
                readings.append(f"{path}: {SKIPPED.format(size=size)}")
            continue
        found = ambiguous = 0
        with open_people(path, PLAIN_PEOPLE if plain else PEOPLE) as file:
            decode = make_decoder(file.header, id_needed=id_needed, naming=naming)
            for number, raw in file:
                found += 1
                if found % PROGRESS_EVERY == 0:
                    progress(stage, before + file.position, total)
                try:
                    record = decode(raw)
                except RecordError as error:
                    yield PeopleLine(None, f"{path}, line {number}: {error}")
                    continue
                document = record.document
                ambiguous += record.ambiguous
                problem = None if is_typed(document) else find_problem(document, read)
                yield (
                    PeopleLine(None, f"{path}, line {number}: {problem}")
                    if problem
                    else PeopleLine(document, "")
                )
            if readings is not None:
                sentences = [*file.explain_reading(), *explain_ambiguous(ambiguous, found)]
                readings += [f"{path}: {sentence}" for sentence in sentences]
            before += file.size
        if not found:
            raise DataError(
                f"{path}: expected endpoints as JSON lines, CSV, Parquet or ORC, found no record"
            )
        progress(stage, before, total)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening it raises the error that explains


def _find_test_file(path: Path) -> int:
    """The size of a file that is the test file of an export, by its name; 0 for any other."""
    if not 0 < _size(path) <= MOST_BYTES or not path.is_file():
        return 0
    try:
        content = path.read_bytes()
    except OSError:
        return 0  # opening it again raises the error that explains
    return len(content) if is_test_file(str(path), content, found=False) else 0


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
