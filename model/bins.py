"""Bins for drift: compares the distribution of a column today with the one in training.

The same code makes the bins and fills them. Takes float columns, gives plain numbers. Missing
values have a bin of their own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import itemgetter, sub
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from model.errors import BundleError, name_kind

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_EDGES = 100  # of a column in a manifest; a counter has room for all of them in every column
BINS = 10  # deciles, as is usual for the population stability index
SMALLEST_SHARE = 1e-4  # an empty bin would make the index infinite


def find_edges(column: npt.NDArray[np.floating[Any]]) -> list[float]:
    """The inner edges, ascending, of up to 10 bins of about equal size for `column` [n].

    An edge is the largest value of its bin. A column with at most 10 different values gets a bin
    for each. NaN is left out; a column of NaN has no edge.
    """
    present = column[~np.isnan(column)]
    values = np.unique(present)
    if len(values) <= BINS:
        return [float(value) for value in values[:-1]]
    cuts = np.quantile(present, np.arange(1, BINS) / BINS, method="inverted_cdf")
    return [float(value) for value in np.unique(cuts) if value < values[-1]]


def count_bins(
    column: npt.NDArray[np.floating[Any]], edges: Sequence[float]
) -> npt.NDArray[np.int64]:
    """Count the values of `column` [n] in each bin: int64 [len(edges) + 2].

    Bin i holds edges[i - 1] < x <= edges[i]; the first and the last bin of values are open. The
    last number counts NaN.
    """
    missing = np.isnan(column)
    present = column[~missing].astype(np.float64)
    bins = np.searchsorted(np.asarray(edges, dtype=np.float64), present, side="left")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    return np.append(counts, missing.sum()).astype(np.int64)


def count_numbers(numbers: Iterable[float], edges: Sequence[float]) -> list[int]:
    """The counts that `count_bins` gives, of a few numbers. None of them is NaN."""
    counts = [0] * (len(edges) + 2)
    for number in numbers:
        counts[bisect_left(edges, number)] += 1
    return counts


def describe_column(column: npt.NDArray[np.floating[Any]]) -> dict[str, Any]:
    """The distribution of `column` [n]: `{edges, shares, missing}`.

    shares [len(edges) + 1] and missing add up to 1.
    """
    edges = find_edges(column)
    shares = [round(float(share), 6) for share in count_bins(column, edges) / max(1, len(column))]
    return {"edges": edges, "shares": shares[:-1], "missing": shares[-1]}


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """The distribution of one column in training: inner edges, and each bin's share.

    The last share is that of missing values.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]


def read_distributions(
    described: object, columns: Sequence[str]
) -> tuple[tuple[Distribution, ...], Distribution] | None:
    """Read the manifest's `drift`: the distributions of `columns`, in order, and the score's.

    None if the manifest has no `drift`. Raises BundleError if it has another form.
    """
    if described is None:
        return None
    if not isinstance(described, dict):
        raise BundleError(f"drift: expected an object, found {name_kind(described)}")
    features = described.get("features")
    if not isinstance(features, dict) or list(features) != list(columns):
        found = f"{len(features)} others" if isinstance(features, dict) else name_kind(features)
        raise BundleError(
            f"drift: expected `features` to have the {len(columns)} columns in order, found {found}"
        )
    distributions = tuple(read_distribution(features[column]) for column in columns)
    return distributions, read_distribution(described.get("score"))


def read_distribution(described: object) -> Distribution:
    """Read what `describe_column` gave. Raises BundleError if it has another form."""
    try:
        edges = tuple(float(edge) for edge in described["edges"])  # type: ignore[index]  # see the errors below
        shares = tuple(float(share) for share in (*described["shares"], described["missing"]))  # type: ignore[index]
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise BundleError(
            "drift: expected edges, shares and missing, all of numbers, found another form"
        ) from error
    if len(edges) > MOST_EDGES:
        raise BundleError(f"drift: expected at most {MOST_EDGES} edges, found {len(edges)}")
    if (
        len(shares) != len(edges) + 2
        or sorted(set(edges)) != list(edges)
        or not all(0 <= share <= 1 for share in shares)
    ):
        raise BundleError(
            "drift: expected ascending edges, and one share more than edges, each from 0 to 1, "
            f"found {len(edges)} edges and {len(shares) - 1} shares"
        )
    return Distribution(edges=edges, shares=shares)


class BinCounter:
    """Counts the bins of all columns of a matrix at once."""

    def __init__(self, distributions: Sequence[Distribution]) -> None:
        inner = [len(distribution.edges) for distribution in distributions]
        width = len(inner)
        # One more than the most edges, all infinite: every number is at or below the last.
        self._edges = np.full((max(inner, default=0) + 1, width), np.inf)
        # Where the people at or below each edge of a column are counted, among those of all edges.
        # The first place is that of a 0.
        wanted: list[int] = []
        self._places: list[slice] = []
        for column, (distribution, edges) in enumerate(zip(distributions, inner, strict=True)):
            self._edges[:edges, column] = distribution.edges
            self._places.append(slice(len(wanted), len(wanted) + edges + 1))
            rows = (*range(edges), len(self._edges) - 1)
            wanted += [0, *(1 + row * width + column for row in rows)]
        self._pick = itemgetter(*wanted, 0, 0)  # gives a tuple, also without columns

    def count(self, matrix: npt.NDArray[np.floating[Any]]) -> list[list[int]]:
        """For each column of `matrix` [n, f], the counts that `count_bins` gives."""
        people = len(matrix)
        below = np.add.reduce(matrix[:, np.newaxis] <= self._edges, axis=0, dtype=np.intp)
        reached = self._pick([0, *below.ravel().tolist()])
        counts = [*map(sub, reached[1:], reached)]
        return [[*counts[place], people - reached[place.stop]] for place in self._places]


def measure_drift(expected: Sequence[float], counts: Sequence[int]) -> float:
    """The population stability index of `counts` against the `expected` shares.

    It is the sum of (actual - expected) * ln(actual / expected). Below 0.1 the population counts as
    stable, from 0.25 as another one. Source: Siddiqi, "Credit Risk Scorecards" (2006).
    """
    return float(measure_drifts(expected, np.asarray([counts]))[0])


def measure_drifts(
    expected: Sequence[float], counts: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """The index of each row of `counts` [n, bins]: float64 [n]. See `measure_drift`."""
    people = np.maximum(1, counts.sum(axis=1, keepdims=True))
    actual = np.maximum(counts / people, SMALLEST_SHARE)
    wanted = np.maximum(np.asarray(expected, dtype=np.float64), SMALLEST_SHARE)
    indices: npt.NDArray[np.float64] = ((actual - wanted) * np.log(actual / wanted)).sum(axis=1)
    return indices
