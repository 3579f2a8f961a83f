"""Asks scorers in order until one answers within the time budget. Keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from function.correlation import NO_CORRELATION, Correlation
from function.errors import ScorerError, ScorerUnavailable
from function.records import Scored, Scorer
from model.features import Matrix


def score_in_order(
    scorers: Sequence[Scorer],
    matrix: Matrix,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    correlation: Correlation = NO_CORRELATION,
) -> Scored:
    """Score float32 [n, f] with the first scorer that can, within `timeout` seconds for all.

    The last scorer is asked even if no time is left: it runs in process, and the budget holds back
    a reserve for it. If none can, raises the first scorer's ScorerError: that is the one to fix.
    """
    deadline = clock() + timeout
    first: ScorerError | None = None
    for scorer in scorers:
        try:
            scores = scorer.score_batch(matrix, max(0.0, deadline - clock()), correlation)
        except ScorerError as error:
            first = first or error
        else:
            return Scored(
                scores=scores,
                label=scorer.label,
                source=scorer.source,
                first_error=type(first).__name__ if first else "",
                cause=str(first) if first else "",
            )
    raise first or ScorerUnavailable("expected a scorer, none is configured")
