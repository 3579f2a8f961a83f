from __future__ import annotations

import numpy as np
import pytest

from model.bins import count_bins, describe_column, find_edges

GAP = float("nan")


@pytest.mark.parametrize(
    ("column", "edges"),
    [
        ([], []),
        ([GAP, GAP], []),
        ([7.0, 7.0], []),
        ([0.0, 1.0, 1.0, GAP], [0.0]),
        (list(range(10)), list(range(9))),
        (list(range(1, 101)), [10, 20, 30, 40, 50, 60, 70, 80, 90]),
        ([0.0] * 989 + list(range(1, 12)), [0.0]),
    ],
)
def test_edges_are_the_largest_values_of_their_bins(
    column: list[float], edges: list[float]
) -> None:
    assert find_edges(np.array(column, dtype=np.float32)) == edges


def test_counts_a_value_on_an_edge_below_it_and_the_missing_last() -> None:
    column = np.array([-1e9, 1, 1.5, 2, 2.5, 1e9, GAP, GAP], dtype=np.float32)
    assert count_bins(column, [1.0, 2.0]).tolist() == [2, 2, 2, 2]


def test_what_is_described_adds_up_to_everybody() -> None:
    random = np.random.default_rng(0)
    column = np.where(random.random(1_000) < 0.3, np.nan, random.normal(size=1_000)).astype(
        np.float32
    )
    described = describe_column(column)
    assert len(described["shares"]) == len(described["edges"]) + 1 == 10
    assert sum(described["shares"]) + described["missing"] == pytest.approx(1, abs=1e-5)
    assert described["missing"] == round(float(np.isnan(column).mean()), 6)
