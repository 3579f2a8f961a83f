"""The order of resort: the first scorer that answers within the time budget. Takes scorers, a matrix and a budget; keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from function.errors import ScorerError, ScorerUnavailable
from function.records import Scored, Scorer
from model.features import Matrix


def score_in_order(
    scorers: Sequence[Scorer],
    matrix: Matrix,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> Scored:
    """Score float32 [n, f] with the first scorer that can, all of them within `timeout` seconds.

    The last scorer is asked even when nothing of the budget is left: it is in process, and the budget holds back a reserve for it.
    Raises the first scorer's ScorerError when none can: it is the one somebody has to mend.
    """
    deadline = clock() + timeout
    first: ScorerError | None = None
    for scorer in scorers:
        try:
            scores = scorer.score_batch(matrix, max(0.0, deadline - clock()))
        except ScorerError as error:
            first = first or error
        else:
            return Scored(
                scores=scores, label=scorer.label, resorted=type(first).__name__ if first else ""
            )
    raise first or ScorerUnavailable("expected a scorer, none is configured")
