"""The people to learn from as arrays, one row per endpoint, and the counts of their join.

Values only: reads no file and fits nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.features import FeatureSpec, Matrix
from model.paths import find_user

Outcomes: TypeAlias = npt.NDArray[np.int64]

# Five folds need people with both outcomes in each; below 25 of either, no figure means anything.
LEAST_OF_EACH = 25
LEAST_WITH_FEATURE = 20  # people; a feature of fewer teaches nothing and may identify a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Counts of a join of endpoints with outcomes.

    endpoints         readable endpoints
    matched           endpoints with an outcome, each Id once
    without_outcome   endpoints without an outcome
    without_endpoint  outcomes without an endpoint
    repeated          endpoints whose Id came before
    refused           unreadable lines
    refusals          the first of them: file, line number, reason
    nearly            of `without_outcome`, how many match if case and outer spaces are ignored
    readings          what was not read as written: sentences, each with its file
    apart             endpoints with an outcome that took no part in the campaign
    users, shared     users of the matched endpoints, and how many of them have several endpoints
    """

    endpoints: int
    matched: int
    without_outcome: int
    without_endpoint: int
    repeated: int
    refused: int
    refusals: tuple[str, ...]
    nearly: int = 0
    apart: int = 0
    readings: tuple[str, ...] = ()
    users: int = 0
    shared: int = 0


# For people who are no join of files
NO_JOIN = Join(
    endpoints=0,
    matched=0,
    without_outcome=0,
    without_endpoint=0,
    repeated=0,
    refused=0,
    refusals=(),
)


class Subgroups(NamedTuple):
    """A text for each person, as a code: `names[codes[i]]`."""

    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What to learn from, row by row; columns as in `spec`.

    matrix            float32 [n, f]
    outcomes          int64 [n], 0 or 1
    join              how the rows came about
    groups            int64 [n], the number of the user: no split puts a user on both sides
    dates             float64 [n], seconds since 1970 UTC, when each outcome counts from; or None
    subgroups         the channel and country of each person
    fractions         float64 [n], a hash of the user from 0 to 1: the same in every training
    left_out          features of the given spec that hardly anyone has, with the reason
    treated           int64 [n], 1 messaged, 0 not; None if the outcomes do not say
    others            float32 [n, g] each: the same people by the specs of earlier bundles
    """

    spec: FeatureSpec
    matrix: Matrix
    outcomes: Outcomes
    join: Join
    groups: npt.NDArray[np.int64]
    dates: npt.NDArray[np.float64] | None = None
    subgroups: Mapping[str, Subgroups] = field(default_factory=dict)
    fractions: npt.NDArray[np.float64] | None = None
    left_out: tuple[str, ...] = ()
    treated: npt.NDArray[np.int64] | None = None
    others: tuple[Matrix, ...] = ()


def name_user(document: Mapping[str, Any], name: str) -> str:
    """The user an endpoint belongs to. Without a UserId the endpoint, called `name`, is a user."""
    user = find_user(document)
    return f"user {user}" if user else f"endpoint {name}"


def hash_to_fraction(user: str) -> float:
    """A number from 0 to 1 that depends on the user alone."""
    digest = hashlib.blake2b(user.encode(), digest_size=8, person=b"reserve").digest()
    return int.from_bytes(digest, "big") / 2**64


def is_reserved(document: Mapping[str, Any], name: str, share: float) -> bool:
    """Whether the endpoint's user is among the `share` of users that no training learns from."""
    return hash_to_fraction(name_user(document, name)) < share


def reserve_users(people: People, share: float) -> tuple[People, People]:
    """Split into people to learn from and reserved people, about `share` of the users.

    A user is reserved in every training or in none. Raises DataError if fewer than 25 reserved
    people have either outcome.
    """
    if people.fractions is None:
        raise ValueError("people were gathered without fractions")
    reserved = people.fractions < share
    ones, count = int(people.outcomes[reserved].sum()), int(reserved.sum())
    if min(ones, count - ones) < LEAST_OF_EACH:
        raise DataError(
            f"--reserve: expected at least {LEAST_OF_EACH} reserved people with each outcome, "
            f"found {ones} with outcome 1 and {count - ones} with outcome 0; "
            "reserve a larger share, or no one"
        )
    return (
        take_rows(people, np.flatnonzero(~reserved)),
        take_rows(people, np.flatnonzero(reserved)),
    )


def take_rows(people: People, rows: npt.NDArray[np.int64]) -> People:
    """These rows of people. The join still describes all of them."""
    return replace(
        people,
        matrix=people.matrix[rows],
        outcomes=people.outcomes[rows],
        groups=np.unique(people.groups[rows], return_inverse=True)[1].astype(np.int64),
        dates=None if people.dates is None else people.dates[rows],
        subgroups={
            name: Subgroups(column.names, column.codes[rows])
            for name, column in people.subgroups.items()
        },
        fractions=None if people.fractions is None else people.fractions[rows],
        treated=None if people.treated is None else people.treated[rows],
        others=tuple(matrix[rows] for matrix in people.others),
    )


def drop_absent(spec: FeatureSpec, matrix: Matrix) -> tuple[FeatureSpec, Matrix, tuple[str, ...]]:
    """Leave out the features that fewer than 20 people have; give a reason for each.

    Boosted trees cannot be fitted on a column without any value, in any fold. Raises DataError if
    no feature remains.
    """
    present = (~np.isnan(matrix[:, list(spec.starts)])).sum(axis=0) >= LEAST_WITH_FEATURE
    if not present.any():
        raise DataError(
            f"expected a feature that at least {LEAST_WITH_FEATURE} people have, found no such "
            "feature; check the paths in the feature spec"
        )
    left_out = tuple(
        f"{feature.name}: fewer than {LEAST_WITH_FEATURE} people have it"
        for feature, kept in zip(spec.features, present, strict=True)
        if not kept
    )
    return (*keep_features(spec, matrix, present.tolist()), left_out)


def keep_features(
    spec: FeatureSpec, matrix: Matrix, keep: Sequence[bool]
) -> tuple[FeatureSpec, Matrix]:
    """The features i whose `keep[i]` is true, and their columns."""
    if all(keep):
        return spec, matrix
    kept = FeatureSpec(
        tuple(feature for feature, there in zip(spec.features, keep, strict=True) if there)
    )
    widths = [len(feature.columns) for feature in spec.features]
    return kept, np.ascontiguousarray(matrix[:, np.repeat(np.array(keep), widths)])


def find_value(document: Any, keys: Sequence[str]) -> Any:
    """The value at the end of these steps through a document; None if a step leads nowhere."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
