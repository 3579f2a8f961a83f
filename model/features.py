"""Builds a float32 matrix [n, f] of endpoint documents by a feature spec, for training and serving.

Missing is NaN. Never raises for a document's content, reads no clock, changes no document.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from math import nan
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from model.document_types import OBJECTS, Readable, are_exact, list_values
from model.errors import SpecError, name_failure
from model.feature_paths import find_path_problem
from model.fills import read_columns
from model.kinds import KINDS, Feature, Reference
from model.steps import Names, Numbers, Step, compile_steps, gather_numbers
from model.values import LARGEST_FLOAT32

if TYPE_CHECKING:
    import numpy.typing as npt

Matrix: TypeAlias = "npt.NDArray[np.float32]"

NEEDED_KEYS = ("name", "path", "kind")
DIRECTIONS = {"increasing": 1, "decreasing": -1}
NOTHING: Readable = dict[str, Any]()


class FeatureSpec(msgspec.Struct, frozen=True, dict=True):
    """The features, in order.

    `columns` is the model's contract: the same columns are trained on and served.
    """

    features: tuple[Feature, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in matrix order."""
        return tuple(column for feature in self.features for column in feature.columns)

    @cached_property
    def needs_time(self) -> bool:
        """Whether a feature is an age, which needs the event's time."""
        return any(KINDS[feature.kind].needs_time for feature in self.features)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The paths that the features read, each once."""
        return tuple(dict.fromkeys(path for feature in self.features for path in feature.paths))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Index of each feature's first column. A feature is missing where this column is NaN."""
        return tuple(step.columns.start for step in self.steps)

    @cached_property
    def counted(self) -> tuple[int, ...]:
        """The `starts` of the features that can be missing; all of them if there is none."""
        pairs = zip(self.features, self.starts, strict=True)
        missable = [start for feature, start in pairs if not KINDS[feature.kind].always]
        return tuple(missable) or self.starts

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """How to build a matrix, feature by feature."""
        return compile_steps(self.features)

    @cached_property
    def numbers(self) -> tuple[Numbers, ...]:
        """The steps that read plain numbers, together."""
        return gather_numbers(self.steps)

    @cached_property
    def documented(self) -> bool:
        """Whether every feature is a number in a document of the documented types."""
        return not self.others and all(group.documented for group in self.numbers)

    @cached_property
    def one_object(self) -> tuple[Callable[[Any], Any], Names] | None:
        """Where an ExactDocument has all features, if they are numbers of one object; else None.

        What gives the object (null or `UNSET` where there is none), and the names in it.
        """
        if not self.documented or len(self.numbers) != 1 or len(self.numbers[0].parents) != 1:
            return None
        return attrgetter(*self.numbers[0].parents), self.numbers[0].names

    @cached_property
    def others(self) -> tuple[Step, ...]:
        """The other steps."""
        return tuple(step for step in self.steps if not step.reads_number)

    def to_mapping(self) -> dict[str, Any]:
        """The spec as plain data, as `read_spec` takes it."""
        rows: list[dict[str, Any]] = []
        for feature in self.features:
            row: dict[str, Any] = {"name": feature.name, "path": feature.path, "kind": feature.kind}
            for key, value in feature.options.items():
                row[key] = list(value) if isinstance(value, tuple) else value
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
    except OSError as error:
        raise SpecError(
            f"{path}: expected a feature spec (TOML), found {name_failure(error)}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{path}: expected TOML in UTF-8: {error}") from error
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def read_spec(mapping: Mapping[str, Any]) -> FeatureSpec:
    """Make a spec of plain data: `{"feature": [{name, path, kind, monotonic?, ...}, ...]}`.

    Raises SpecError naming every problem.
    """
    rows = mapping.get("feature")
    if set(mapping) != {"feature"} or not isinstance(rows, list) or not rows:
        raise SpecError("expected one or more [[feature]] tables and nothing else")
    problems: list[str] = []
    features = []
    for index, row in enumerate(rows):
        found = find_feature_problems(row)
        problems += [f"feature[{index}]: {problem}" for problem in found]
        if not found:
            features.append(make_feature(row))
    problems += find_repeated("name", [feature.name for feature in features]) or find_repeated(
        "column", [column for feature in features for column in feature.columns]
    )
    if problems:
        raise SpecError("; ".join(problems))
    return FeatureSpec(tuple(features))


def make_feature(row: Mapping[str, Any]) -> Feature:
    """The feature of a `[[feature]]` table without problems."""
    return Feature(
        name=row["name"],
        path=row["path"],
        kind=row["kind"],
        options=read_options(row),
        monotonic=row.get("monotonic", ""),
    )


def read_options(row: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a `[[feature]]` table. An empty list counts as left out."""
    readers = KINDS[row["kind"]].options
    options = {key: read(row[key]) for key, read in readers.items() if key in row}
    return {key: value for key, value in options.items() if value != ()}


def find_feature_problems(row: object) -> list[str]:
    """Every problem of one `[[feature]]` table, as sentences that say what was expected."""
    if not isinstance(row, dict):
        return ["expected a table"]
    optional = {key for kind in KINDS.values() for key in kind.options}
    known = {*NEEDED_KEYS, "monotonic", *optional}
    problems = [f"unknown key {key!r}" for key in row if key not in known]
    problems += [
        f"expected {key} to be text of one character or more"
        for key in NEEDED_KEYS
        if not isinstance(row.get(key), str) or not row[key]
    ]
    if problems:
        return problems
    if row["kind"] not in KINDS:
        problems.append(f"expected kind to be one of {', '.join(KINDS)}")
    problem = find_path_problem(row["path"])
    problems += [] if problem is None else [problem]
    problems += find_option_problems(row, sorted(optional & row.keys()))
    monotonic = row.get("monotonic", "")
    allowed = [name for name, kind in KINDS.items() if kind.rises_with]
    if monotonic not in {"", *DIRECTIONS} or (monotonic and row["kind"] not in allowed):
        problems.append(
            f"expected monotonic to be increasing or decreasing, for kind {', '.join(allowed)}"
        )
    return problems


def find_option_problems(row: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """The problems of the keys that only some kinds have."""
    problems = []
    for key in keys:
        owners = [name for name, kind in KINDS.items() if key in kind.options]
        if row["kind"] not in owners:
            problems.append(f"expected {key} only for kind {', '.join(owners)}")
            continue
        try:
            KINDS[row["kind"]].options[key](row[key])
        except ValueError as error:
            problems.append(f"expected {key} to be {error}")
    kind = KINDS.get(row["kind"])
    if kind is None or problems:
        return problems
    missing = [key for key in kind.needed if key not in row]
    problems += [f"expected {key}, which kind {row['kind']} needs" for key in missing]
    misfit = None if problems else kind.problem(read_options(row))
    return problems if misfit is None else [misfit]


def find_repeated(what: str, names: Sequence[str]) -> list[str]:
    """A sentence for each name that is there more than once."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    return [f"expected every {what} once, found {name!r} twice" for name in repeated]


def build_matrix(
    documents: Sequence[Readable], spec: FeatureSpec, reference: Reference = None
) -> Matrix:
    """Turn n endpoint documents into a C-contiguous float32 matrix [n, f].

    Row i is document i, columns are `spec.columns`. A feature is NaN, in all its columns, where its
    path leads nowhere or its kind cannot use the value. Features that need a time are NaN without
    `reference`.
    """
    if spec.one_object is not None and documents and are_exact(documents):
        find_object, names = spec.one_object
        # Numbers that float32 can hold, or None, which numpy reads as NaN.
        rows = [map((found or NOTHING).get, names) for found in map(find_object, documents)]
        values = np.fromiter(chain.from_iterable(rows), np.float32, len(rows) * len(names))
        return values.reshape(-1, len(names))
    columns = fill_columns(documents, spec, reference)
    return np.ascontiguousarray(columns.T, dtype=np.float32)


def fill_columns(
    documents: Sequence[Readable], spec: FeatureSpec, reference: Reference = None
) -> npt.NDArray[np.float64]:
    """The matrix before it is rounded to float32, transposed: float64 [f, n]."""
    groups: dict[tuple[str, ...], list[Readable]] = {(): list(documents)}

    def find(parents: Names, names: Names) -> list[list[Any]]:
        return list_values(_descend(groups, parents), names)

    columns = np.empty((len(spec.columns), len(documents)))
    exact = are_exact(documents)
    for rows, parents, names, documented in spec.numbers:
        columns[rows] = read_columns(find(parents, names), proven=exact and documented)
    for feature, place, paths in spec.others:
        columns[place] = nan
        found = [find(parents, (last,))[0] for parents, last in paths]
        KINDS[feature.kind].fill(columns[place], found, feature, reference)
    if not (exact and spec.documented):  # A number beyond float32 is missing, not infinite.
        columns[np.abs(columns) > LARGEST_FLOAT32] = nan
    return columns


def share_present(matrix: Matrix, spec: FeatureSpec) -> list[float]:
    """For each row of `matrix` [n, f], the share of features that are present, from 0 to 1.

    Counts features, not columns, and only those that can be missing.
    """
    features = len(spec.counted)
    part = matrix if features == len(spec.columns) else matrix[:, list(spec.counted)]
    # Not 1 minus the missing share: 1 - 0.9 < 0.1, so 1 of 10 would fail `min_present = 0.1`.
    return [row.count(True) / features for row in (part == part).tolist()]  # noqa: PLR0124  # False for NaN


def _descend(
    groups: dict[tuple[str, ...], list[Readable]], path: tuple[str, ...]
) -> list[Readable]:
    """The objects at `path`, one per document, else an empty one. Looked up once a batch."""
    if path not in groups:
        (found,) = list_values(_descend(groups, path[:-1]), path[-1:])
        groups[path] = [value if isinstance(value, OBJECTS) else NOTHING for value in found]
    return groups[path]
