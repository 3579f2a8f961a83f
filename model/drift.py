"""Bins in which the people of today are compared with those the model learnt from. The same code learns the bins and fills them.

Takes float columns, gives plain numbers; missing is a bin of its own. Never knows a threshold, a name or a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 10  # deciles: what the population stability index is usually computed over


def find_edges(column: npt.NDArray[np.floating[Any]]) -> list[float]:
    """The inner edges, ascending, that cut what is present of `column` [n] into up to 10 bins of about equal size.

    An edge is the largest value of its bin. A column with 10 values or fewer has a bin for each. Nothing present: no edge.
    """
    present = column[~np.isnan(column)]
    values = np.unique(present)
    if len(values) <= BINS:
        return [float(value) for value in values[:-1]]
    cuts = np.quantile(present, np.arange(1, BINS) / BINS, method="inverted_cdf")
    return [float(value) for value in np.unique(cuts) if value < values[-1]]


def count_bins(column: npt.NDArray[np.floating[Any]], edges: Sequence[float]) -> npt.NDArray[np.int64]:
    """How many of `column` [n] fall into each bin: int64 [len(edges) + 2], the last one counting the missing (NaN).

    Bin i holds edges[i - 1] < x <= edges[i]; the first and the last bin of values are open outwards.
    """
    missing = np.isnan(column)
    places = np.searchsorted(np.asarray(edges, dtype=np.float64), column[~missing].astype(np.float64), side="left")
    return np.append(np.bincount(places, minlength=len(edges) + 1), missing.sum()).astype(np.int64)


def describe_column(column: npt.NDArray[np.floating[Any]]) -> dict[str, Any]:
    """`{edges, shares, missing}`: how `column` [n] is spread; shares [len(edges) + 1] and missing add up to 1."""
    edges = find_edges(column)
    shares = [round(float(share), 6) for share in count_bins(column, edges) / max(1, len(column))]
    return {"edges": edges, "shares": shares[:-1], "missing": shares[-1]}
