"""Endpoint documents and a feature spec in; a float32 matrix [n, f] out. The same code trains and serves.

Missing is NaN, always. Never raises for what a document holds, never reads a clock, never changes a document.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from model.errors import SpecError

Matrix: TypeAlias = npt.NDArray[np.float32]

# kind -> what it makes of the value at the path. A category makes one column a value and one for all others; the rest make one column.
KINDS = {
    "number": "a metric, or text that reads as a number",
    "category": "text, or a list of texts, one column a value of `values` and one, `other`, for any value not in it",
    "count": "how many values the list at the path has",
    "flag": "text or boolean that means yes or no",
    "age": "days between the date at the path and the reference time",
}
GROUPS = {"Attributes", "Metrics", "Demographic", "Location", "User", "External"}
TOP_LEVEL = {"ChannelType", "EndpointStatus", "OptOut", "EffectiveDate", "CreationDate", "CohortId"}
DIRECTIONS = {"increasing": 1, "decreasing": -1}
YES = frozenset({"true", "yes", "y", "on", "1"})
NO = frozenset({"false", "no", "n", "off", "0"})
OTHER = "(other)"
PLAIN_NUMBERS = frozenset({float, int, type(None)})
SECONDS_PER_DAY = 86_400.0
NOTHING: Mapping[str, Any] = {}
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature of a spec: where its value lies in the endpoint document and what is made of it.

    name       unique in the spec; its column has this name, a category's columns are `name=value`
    path       dotted, below the endpoint document: `Metrics.X`, `Attributes.X`, `User.UserAttributes.X`, `External.X`, `ChannelType` ...
    kind       a key of `KINDS`
    values     the vocabulary of a category, in column order; empty until the trainer has learnt it
    monotonic  "", "increasing" or "decreasing": what the trainer holds the score to (number, count and age only)
    """

    name: str
    path: str
    kind: str
    values: tuple[str, ...] = ()
    monotonic: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns this feature fills, in matrix order."""
        if self.kind == "category":
            return (*(f"{self.name}={value}" for value in self.values), f"{self.name}={OTHER}")
        return (self.name,)

    @property
    def keys(self) -> tuple[str, ...]:
        """The path as the steps to take; a name may itself contain dots (`Attributes.a.b` is the attribute `a.b`)."""
        if self.path.startswith("User.UserAttributes."):
            return ("User", "UserAttributes", self.path.removeprefix("User.UserAttributes."))
        return tuple(self.path.split(".", 1))


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The features in order. `columns` is the model's contract: what is trained on and what is served have the same."""

    features: tuple[Feature, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in matrix order."""
        return tuple(column for feature in self.features for column in feature.columns)

    @property
    def starts(self) -> tuple[int, ...]:
        """Index of each feature's first column: a feature is missing exactly where this column is NaN."""
        starts, at = [], 0
        for feature in self.features:
            starts.append(at)
            at += len(feature.columns)
        return tuple(starts)

    def to_mapping(self) -> dict[str, Any]:
        """The spec as plain data, as `read_spec` takes it."""
        rows: list[dict[str, Any]] = []
        for feature in self.features:
            row: dict[str, Any] = {"name": feature.name, "path": feature.path, "kind": feature.kind}
            if feature.values:
                row["values"] = list(feature.values)
            if feature.monotonic:
                row["monotonic"] = feature.monotonic
            rows.append(row)
        return {"feature": rows}


def load_spec(path: Path) -> FeatureSpec:
    """Read a feature spec from a TOML file. Raises SpecError naming every problem."""
    try:
        return read_spec(tomllib.loads(path.read_text("utf-8-sig")))
    except FileNotFoundError as error:
        raise SpecError(f"{path}: expected a feature spec (TOML), found no file") from error
    except (OSError, ValueError, RecursionError) as error:
        raise SpecError(f"{path}: expected a readable TOML file in UTF-8: {error}") from error
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def read_spec(mapping: Mapping[str, Any]) -> FeatureSpec:
    """Make a spec of plain data: `{"feature": [{name, path, kind, values?, monotonic?}, ...]}`. Raises SpecError naming every problem."""
    rows = mapping.get("feature")
    if set(mapping) != {"feature"} or not isinstance(rows, list) or not rows:
        raise SpecError("expected one or more [[feature]] tables and nothing else")
    problems: list[str] = []
    features = []
    for index, row in enumerate(rows):
        found = find_feature_problems(row)
        problems += [f"feature[{index}]: {problem}" for problem in found]
        if not found:
            features.append(Feature(**{**row, "values": tuple(row.get("values", ()))}))
    for what, names in (
        ("name", [f.name for f in features]),
        ("column", [c for f in features for c in f.columns]),
    ):
        repeated = sorted({name for name in names if names.count(name) > 1})
        problems += [f"expected every {what} once, found {name!r} twice" for name in repeated]
        if repeated:
            break
    if problems:
        raise SpecError("; ".join(problems))
    return FeatureSpec(tuple(features))


def find_feature_problems(row: object) -> list[str]:
    """Every reason why one `[[feature]]` table is none, as sentences that say what was expected."""
    if not isinstance(row, dict):
        return ["expected a table"]
    problems = [
        f"unknown key {key!r}"
        for key in row
        if key not in {"name", "path", "kind", "values", "monotonic"}
    ]
    problems += [
        f"expected {key} to be text of one character or more"
        for key in ("name", "path", "kind")
        if not isinstance(row.get(key), str) or not row[key]
    ]
    if problems:
        return problems
    kind, path, values, monotonic = (
        row["kind"],
        row["path"],
        row.get("values", []),
        row.get("monotonic", ""),
    )
    if kind not in KINDS:
        problems.append(f"expected kind to be one of {', '.join(KINDS)}")
    head, _, rest = path.partition(".")
    user_fields = ("UserId", "UserAttributes.")
    if path not in TOP_LEVEL and (
        head not in GROUPS or not rest or (head == "User" and not rest.startswith(user_fields))
    ):
        problems.append(
            f"expected path to be one of {', '.join(sorted(TOP_LEVEL))}, or below {', '.join(sorted(GROUPS))}"
        )
    if not isinstance(values, list) or any(
        not isinstance(value, str) or value == OTHER for value in values
    ):
        problems.append(f"expected values to be a list of texts other than {OTHER}")
    elif values and (kind != "category" or len(set(values)) != len(values)):
        problems.append("expected values only for a category, and each once")
    if monotonic not in {"", *DIRECTIONS} or (monotonic and kind not in {"number", "count", "age"}):
        problems.append(
            "expected monotonic to be increasing or decreasing, for a number, count or age"
        )
    return problems


def build_matrix(
    documents: Sequence[Mapping[str, Any]],
    spec: FeatureSpec,
    reference: float | npt.NDArray[np.float64] | None = None,
) -> Matrix:
    """Turn n endpoint documents into a C-contiguous float32 matrix [n, f], row i for document i, columns as `spec.columns`.

    `reference` is the time that ages are measured against, in seconds since 1970 UTC, one for all or one for each; without one every
    age is NaN.
    Whatever a path does not lead to, or leads to in a form its kind cannot use, is NaN (for a category in all its columns).
    """
    width = len(spec.columns)
    columns = np.full((width, len(documents)), nan)
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {(): list(documents)}
    at = 0
    for feature in spec.features:
        *parents, last = feature.keys
        found = [group.get(last) for group in _descend(groups, tuple(parents))]
        if feature.kind == "category":
            _fill_category(columns[at : at + len(feature.values) + 1], found, feature.values)
        elif feature.kind == "age":
            if reference is not None:
                columns[at] = (
                    reference - np.array([_read_time(value) for value in found])
                ) / SECONDS_PER_DAY
        elif feature.kind != "number" or not _fill_numbers(columns[at], found):
            columns[at] = [_READERS[feature.kind](value) for value in found]
        at += len(feature.values) + 1 if feature.kind == "category" else 1
    columns[np.abs(columns) > LARGEST_FLOAT32] = (
        nan  # a number beyond float32 is missing rather than infinite
    )
    return np.ascontiguousarray(columns.T, dtype=np.float32)


def share_present(matrix: Matrix, spec: FeatureSpec) -> npt.NDArray[np.float64]:
    """For each row of `matrix` [n, f] the share of features (not columns) that are present: float64 [n], 0 to 1."""
    starts = list(spec.starts)
    # Not 1 minus the share that is missing: 1 - 0.9 is less than 0.1, so that 1 of 10 would fall below `min_present = 0.1`.
    present: npt.NDArray[np.float64] = (~np.isnan(matrix[:, starts])).mean(axis=1, dtype=np.float64)
    return present


def read_texts(value: object) -> list[str]:
    """The texts at a path, tolerantly: a scalar counts as a list of one; null, empty text and what is no scalar do not count."""
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, int | float):
        return [f"{value:.15g}"] if -LARGEST_FLOAT32 <= value <= LARGEST_FLOAT32 else []
    if isinstance(value, list | tuple):
        return [
            text
            for item in value
            if not isinstance(item, list | tuple)
            for text in read_texts(item)
        ]
    return []


def _descend(
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]], path: tuple[str, ...]
) -> list[Mapping[str, Any]]:
    """The maps at `path` for every document, an empty one where there is none, each group looked up once a batch."""
    if path not in groups:
        found = [group.get(path[-1]) for group in _descend(groups, path[:-1])]
        groups[path] = [value if isinstance(value, dict) else NOTHING for value in found]
    return groups[path]


def _fill_numbers(column: npt.NDArray[np.float64], found: Sequence[Any]) -> bool:
    """Fill a column with plain numbers, all at once; False where one of them has to be read by itself."""
    if not PLAIN_NUMBERS.issuperset(map(type, found)):
        return False
    try:
        column[:] = found  # numpy reads None as NaN
    except OverflowError:  # an integer beyond every float
        return False
    return True


def _read_number(value: Any) -> float:
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return float(value) if -LARGEST_FLOAT32 <= value <= LARGEST_FLOAT32 else nan
    if kind is list and value:
        return _read_number(value[0]) if type(value[0]) is not list else nan
    if kind is str and NUMBER.fullmatch(value):
        return float(value)
    return nan


def _read_count(value: Any) -> float:
    if isinstance(value, list | tuple):
        return float(len(value))
    return nan if value is None or isinstance(value, dict) else 1.0


def _read_flag(value: Any) -> float:
    texts = read_texts(value)
    text = texts[0].strip().lower() if texts else ""
    return 1.0 if text in YES else 0.0 if text in NO else nan


def _read_time(value: Any) -> float:
    """Seconds since 1970 UTC of the first ISO 8601 text at a path; NaN for anything else."""
    if type(value) is str:
        return parse_time(value)
    texts = read_texts(value)
    return parse_time(texts[0]) if texts else nan


def parse_time(text: str) -> float:
    """Seconds since 1970 UTC of an ISO 8601 text; without a zone it is UTC (Pinpoint writes Z). NaN when it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return nan


def _fill_category(
    block: npt.NDArray[np.float64], found: Sequence[Any], values: tuple[str, ...]
) -> None:
    """Fill a category's rows of the transposed matrix: 1 where a value is among a person's, 0 where it is not."""
    places = {value: index for index, value in enumerate(values)}
    other = len(values)
    rows, columns = [], []
    for row, value in enumerate(found):
        texts = (
            value
            if type(value) is list and len(value) == 1 and type(value[0]) is str and value[0]
            else read_texts(value)
        )
        for text in texts:
            rows.append(row)
            columns.append(places.get(text, other))
    block[:, rows] = 0.0
    block[columns, rows] = 1.0


# Decimal numbers only: float() would also take "nan", "infinity" and "1_000", none of which is a measurement.
NUMBER = re.compile(r"\s*[+-]?(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE][+-]?\d{1,4})?\s*", re.ASCII)
_READERS: dict[str, Callable[[Any], float]] = {
    "number": _read_number,
    "count": _read_count,
    "flag": _read_flag,
}
