"""How a matrix is built: which columns each feature fills, and the paths that it reads.

Takes features, gives steps. Reads no document.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from model.feature_paths import is_number_path, split_path
from model.fills import fill_numbers
from model.kinds import KINDS, Feature

Names: TypeAlias = tuple[str, ...]
# The names to go through, and the last name
PathNames: TypeAlias = tuple[Names, str]


class Step(NamedTuple):
    """One feature's part of the work: its columns of the matrix, and the paths that it reads."""

    feature: Feature
    columns: slice
    paths: tuple[PathNames, ...]

    @property
    def reads_number(self) -> bool:
        """Whether the feature is a plain number."""
        return KINDS[self.feature.kind].fill is fill_numbers


class Numbers(NamedTuple):
    """Features of plain numbers in one object of a document, which are read all at once.

    documented  whether a document of the documented types has numbers there
    """

    rows: list[int] | slice
    parents: Names
    names: Names
    documented: bool


def compile_steps(features: Sequence[Feature]) -> tuple[Step, ...]:
    """The steps of features, in matrix order."""
    steps, start = [], 0
    for feature in features:
        end = start + len(feature.columns)
        names = [split_path(path) for path in feature.paths]
        paths = tuple((each[:-1], each[-1]) for each in names)
        steps.append(Step(feature, slice(start, end), paths))
        start = end
    return tuple(steps)


def gather_numbers(steps: Sequence[Step]) -> tuple[Numbers, ...]:
    """The steps that read plain numbers, by the object that they read."""
    groups: dict[tuple[Names, bool], dict[int, str]] = {}
    for step in steps:
        if step.reads_number:
            ((parents, last),) = step.paths
            key = parents, is_number_path(step.feature.path)
            groups.setdefault(key, {})[step.columns.start] = last
    return tuple(
        Numbers(join_rows(list(rows)), parents, tuple(rows.values()), documented)
        for (parents, documented), rows in groups.items()
    )


def join_rows(rows: list[int]) -> list[int] | slice:
    """Rows as one slice if they follow each other: numpy fills it at once."""
    first, end = rows[0], rows[-1] + 1
    return slice(first, end) if rows == list(range(first, end)) else rows
