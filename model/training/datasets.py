"""Endpoint files and an outcomes file in; a float32 matrix, outcomes row for row and a report of the join out.

Reads line by line, keeps no document. A line that is no endpoint document is counted and skipped; anything else wrong is a DataError.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from model.document import find_problem
from model.errors import DataError
from model.features import OTHER, FeatureSpec, Matrix, build_matrix, read_texts

# stage, how much of it is done, how much there is
Report: TypeAlias = Callable[[str, int, int], None]
Outcomes: TypeAlias = npt.NDArray[np.int64]

CHUNK = 10_000  # documents held at a time: 10,000 of 15 KB, Pinpoint's largest, are 150 MB
NAMED_LINES = 5  # how many lines an error or a report names before it only counts
# Five folds need some people of both kinds in each; below 25 of a kind no figure of the evaluation would mean anything.
LEAST_OF_EACH = 25
LEAST_OF_A_VALUE = 20  # a category's value that fewer people have teaches nothing and may name a person
MOST_VALUES = 50
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


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
    """What to learn from: matrix float32 [n, f] and outcomes int64 [n] (0 or 1), row for row; columns as `spec` says."""

    spec: FeatureSpec
    matrix: Matrix
    outcomes: Outcomes
    join: Join


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an endpoint file: a document with its Id, or why it is none."""

    place: str
    document: dict[str, Any] | None
    problem: str | None = None


def read_outcomes(path: Path) -> dict[str, int]:
    """Read a CSV with the header `Id,outcome`, outcome 0 or 1. Raises DataError naming the lines that are wrong."""
    wrong: list[int] = []
    repeated: list[int] = []
    outcomes: dict[str, int] = {}
    with _open(path, "outcomes") as (file, _):
        rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
        if next(rows, None) != ["Id", "outcome"]:
            raise DataError(f"{path}: expected outcomes: a CSV file whose first line is Id,outcome")
        for row in rows:
            if not row:
                continue
            if len(row) != 2 or not row[0] or row[1].strip() not in {"0", "1"}:
                wrong.append(rows.line_num)
            elif row[0] in outcomes:
                repeated.append(rows.line_num)
            else:
                outcomes[row[0]] = int(row[1])
    problems = []
    if wrong:
        problems.append(f"expected an Id and an outcome of 0 or 1 in {_name_lines(wrong)}")
    if repeated:
        problems.append(f"expected every Id once; it stands a second time in {_name_lines(repeated)}")
    if not outcomes and not problems:
        problems.append("expected an outcome in each line, found no line after the header")
    if problems:
        raise DataError(f"{path}: {'; '.join(problems)}")
    return outcomes


def read_lines(paths: Sequence[Path], report: Report, stage: str = "reading endpoints") -> Iterator[Line]:
    """Every line of the files that is not blank, in order. Raises DataError for a file that cannot be read or holds none."""
    decoder = msgspec.json.Decoder()
    total, before = sum(_size(path) for path in paths), 0
    for path in paths:
        found = False
        with _open(path, "endpoints") as (file, tell):
            for number, raw in enumerate(file, 1):
                text = raw.removeprefix(BOM) if number == 1 else raw
                if number % CHUNK == 0:
                    report(stage, before + tell(), total)
                if text.strip():
                    found = True
                    yield _read_line(f"{path}, line {number}", text, decoder)
        if not found:
            raise DataError(f"{path}: expected endpoints, one JSON object a line, found an empty file")
        before += _size(path)
        report(stage, before, total)


def gather_people(paths: Sequence[Path], outcomes: Mapping[str, int], spec: FeatureSpec, reference: float | None, report: Report) -> People:
    """Join endpoints with `outcomes` and build the matrix. Categories without a vocabulary learn theirs in a pass of their own.

    Raises DataError when nothing matches, or when fewer than 25 people have either outcome.
    """
    counts: Counter[str] = Counter()
    refusals: list[str] = []
    spec = learn_vocabularies(paths, outcomes, spec, report)
    matrices, labels = [], []
    matched = _match(read_lines(paths, report), outcomes, counts, refusals)
    while chunk := list(islice(matched, CHUNK)):
        matrices.append(build_matrix([document for document, _ in chunk], spec, reference))
        labels += [outcome for _, outcome in chunk]
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
    return People(spec=spec, matrix=np.concatenate(matrices), outcomes=np.array(labels, dtype=np.int64), join=join)


def learn_vocabularies(paths: Sequence[Path], outcomes: Mapping[str, int], spec: FeatureSpec, report: Report) -> FeatureSpec:
    """Give each category without values those that 20 people or more have, at most 50, the most frequent first."""
    counters = {feature: Counter[str]() for feature in spec.features if feature.kind == "category" and not feature.values}
    if not counters:
        return spec
    for document, _ in _match(read_lines(paths, report, "learning vocabularies"), outcomes, Counter(), []):
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


def _match(
    lines: Iterator[Line], outcomes: Mapping[str, int], counts: Counter[str], refusals: list[str]
) -> Iterator[tuple[dict[str, Any], int]]:
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


def _read_line(place: str, text: bytes, decoder: msgspec.json.Decoder[Any]) -> Line:
    try:
        value = decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Line(place, None, "Expected JSON")
    problem = find_problem(value)
    if problem is None and not value.get("Id"):
        problem = "$.Id: Expected the endpoint's Id, to find its outcome by"
    return Line(place, None, problem) if problem else Line(place, value)


@contextmanager
def _open(path: Path, what: str) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """The bytes of a file, gzip or not, and how many of the file's own are read; errors of reading become DataError."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield file, raw.tell  # type: ignore[misc]  # a GzipFile is a binary file, which its stub does not say
            else:
                yield raw, raw.tell
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a file of {what}, found none") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: expected a whole gzip file; it is cut off or damaged") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}: expected CSV: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: expected a readable file of {what}: {error.strerror}") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening it says what is wrong


def _name_lines(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:NAMED_LINES]))
    more = len(numbers) - NAMED_LINES
    return f"line{'s' if len(numbers) > 1 else ''} {named}" + (f" and {more} more" if more > 0 else "")
