"""The books of a run."""

from __future__ import annotations

from collections import Counter

import pytest

from segment_scorer.runner.summary import Terms, close_books

TERMS = Terms(scheduled_time="t", activity_id="a")


@pytest.mark.parametrize(
    ("counts", "status"), [({}, 0), ({"failed": 1, "received": 1}, 4), ({"rejected": 1}, 4)]
)
def test_the_status_says_whether_anybody_failed_or_a_line_was_rejected(
    counts: dict[str, int], status: int
) -> None:
    assert close_books(Counter(counts), TERMS, 1.0).status == status


def test_books_that_do_not_balance_are_never_published() -> None:
    with pytest.raises(AssertionError, match="do not balance"):
        close_books(Counter(received=2, kept=1), TERMS, 1.0)


def test_reasons_that_the_hook_does_not_show_are_unknown_not_zero() -> None:
    blind = close_books(Counter(), TERMS, 1.0)
    seeing = close_books(
        Counter(),
        Terms(scheduled_time="t", activity_id="a", knows_decisions=True, knows_drops=True),
        1.0,
    )
    for name in ("held_out", "unreadable", "unscored", "sparse", "would_filter"):
        assert (getattr(blind, name), getattr(seeing, name)) == (None, 0)
    assert (blind.opted_out, blind.model, blind.mode) == (0, None, None)


def test_a_function_in_shadow_on_connect_tells_no_reasons() -> None:
    terms = Terms(scheduled_time="t", activity_id="a", host="connect", knows_decisions=True)
    summary = close_books(Counter(received=1, kept=1, shadow=1), terms, 1.0)
    assert (summary.held_out, summary.sparse, summary.would_filter) == (None, None, None)
