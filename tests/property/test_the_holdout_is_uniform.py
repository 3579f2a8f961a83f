"""Each share of the holdout's draws is as long as any other: nobody is drawn more often."""

from __future__ import annotations

import numpy as np

from function.holdout import Holdout
from function.records import Endpoint


def test_the_holdout_is_uniform_to_within_sampling_error_over_a_million_ids() -> None:
    holdout = Holdout(percent=10, salt="a")
    people, bins = 1_000_000, 100
    counts = np.zeros(bins, dtype=np.int64)
    held = 0
    for number in range(people):
        fraction = holdout.draw(Endpoint(id=f"endpoint-{number}", document=None))
        counts[int(fraction * bins)] += 1
        held += fraction < 0.1
    # Four standard deviations of a binomial, and the 1 - 1e-5 quantile of chi squared with 99
    # degrees of freedom.
    assert abs(held - 100_000) < 4 * (people * 0.1 * 0.9) ** 0.5
    assert ((counts - people / bins) ** 2 / (people / bins)).sum() < 170
