"""Thresholds of trees as float32, so that the people given keep their side of each.

A model compares `x <= threshold` in float64; ONNX compares both as float32. Rounded to the nearest,
a threshold keeps an x that equals it (0.1) on its side. Rounded down, it keeps a larger float32 x
on its side. No other float32 can be right, and the people show which of the two is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.training.export import round_down
from model.training.foreign.original import Exact


class Rounder:
    """Rounds thresholds of columns by the people's exact values, float64 [n, f]."""

    def __init__(self, exact: Exact) -> None:
        self._exact = exact
        self._sorted: dict[int, tuple[Exact, bool]] = {}

    def round(self, columns: npt.NDArray[np.int64], thresholds: Exact) -> Exact:
        """The thresholds [k] of these columns [k], each a float32. Infinite ones stay."""
        rounded = thresholds.copy()
        for column in np.unique(columns).tolist():
            places = np.flatnonzero(columns == column)
            rounded[places] = self._round_column(column, thresholds[places])
        return rounded

    def _round_column(self, column: int, thresholds: Exact) -> Exact:
        values, whole = self._sort(column)
        down = round_down(thresholds)
        with np.errstate(over="ignore"):
            nearest = thresholds.astype(np.float32).astype(np.float64)
        # The first value above each threshold, and the last that is not, as ONNX reads them.
        place = np.searchsorted(values, thresholds, side="right")
        above = np.append(values, np.inf)[place].astype(np.float32)
        below = np.append(-np.inf, values)[place].astype(np.float32)
        # Where no person decides it: float32 values, as large whole numbers are, need it down.
        chosen = np.where(whole, down, nearest)
        return np.where(below > chosen, nearest, np.where(above <= chosen, down, chosen))

    def _sort(self, column: int) -> tuple[Exact, bool]:
        """The different values of a column in order, and whether all of them are float32."""
        if column not in self._sorted:
            values = np.unique(self._exact[:, column])
            values = values[~np.isnan(values)]
            whole = bool((values == values.astype(np.float32)).all())
            self._sorted[column] = (values, whole)
        return self._sorted[column]
