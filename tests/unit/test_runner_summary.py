"""The summary of a run."""

from __future__ import annotations

from collections import Counter

import pytest

from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.summary import make_summary

CONFIG = RunConfig(scheduled_time="t", activity_id="a")


@pytest.mark.parametrize(
    ("counts", "status"), [({}, 0), ({"failed": 1, "received": 1}, 4), ({"rejected": 1}, 4)]
)
def test_the_exit_status_says_whether_anyone_failed_or_a_line_was_rejected(
    counts: dict[str, int], status: int
) -> None:
    assert make_summary(Counter(counts), CONFIG, 1.0).exit_status == status


def test_counts_that_do_not_add_up_are_never_published() -> None:
    with pytest.raises(AssertionError, match="do not add up"):
        make_summary(Counter(received=2, kept=1), CONFIG, 1.0)


def test_reasons_that_the_hook_does_not_report_are_unknown_not_zero() -> None:
    blind = make_summary(Counter(), CONFIG, 1.0)
    seeing = make_summary(
        Counter(),
        RunConfig(scheduled_time="t", activity_id="a", knows_decisions=True, in_process=True),
        1.0,
    )
    for name in ("held_out", "unreadable", "unscored", "sparse", "would_filter"):
        assert (getattr(blind, name), getattr(seeing, name)) == (None, 0)
    assert (blind.opted_out, blind.model, blind.mode) == (0, None, None)


def test_a_function_in_shadow_on_connect_reports_no_reasons() -> None:
    config = RunConfig(scheduled_time="t", activity_id="a", host="connect", knows_decisions=True)
    summary = make_summary(Counter(received=1, kept=1, shadow=1), config, 1.0)
    assert (summary.held_out, summary.sparse, summary.would_filter) == (None, None, None)


@pytest.mark.parametrize(
    ("unreadable", "share", "status"),
    [(6, 0.5, 4), (4, 0.5, 4), (3, 0.5, 0), (1, 0.0, 4), (0, 0.0, 0), (8, 1.0, 4), (7, 1.0, 0)],
)
def test_the_exit_status_is_4_from_a_share_of_unreadable_people_on(
    unreadable: int, share: float, status: int
) -> None:
    config = RunConfig(scheduled_time="t", activity_id="a", knows_decisions=True)
    counts = Counter(received=8, kept=8, unreadable=unreadable)
    assert make_summary(counts, config, 1.0).judge(share) == status


def test_an_unknown_number_of_unreadable_people_is_not_judged() -> None:
    summary = make_summary(Counter(received=8, kept=8), CONFIG, 1.0)
    assert summary.unreadable is None
    assert summary.judge(0.0) == 0
