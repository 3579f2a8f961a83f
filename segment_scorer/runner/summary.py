"""The books of a run: counts that add up, and the summary made of them. Every endpoint has exactly one outcome.

Takes what each slice counted; gives `summary.json`'s content. Never guesses: what a hook does not show is null.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from segment_scorer.runner.config import RunConfig

# The policy's reason -> its count in the summary; the reason "score" needs none.
REASON_COUNTS = {
    "holdout": "held_out",
    "unreadable": "unreadable",
    "no_scores": "unscored",
    "sparse": "sparse",
}
ONLY_FROM_DECISIONS = ("held_out", "unreadable", "unscored", "sparse")
SHADOW = "shadow"  # Connect's reason in that mode: the function then tells nothing of its decisions
CLEAN, INCOMPLETE = 0, 4


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`summary.json`. received = kept + filtered + failed; `rejected` lines were never sent and are outside it; null = unknown."""

    received: int
    kept: int
    filtered: int
    failed: int
    held_out: int | None
    unreadable: int | None
    unscored: int | None
    sparse: int | None
    opted_out: int
    would_filter: int | None
    rejected: int
    batches: int
    attempts: int
    seconds: float
    model: str | None
    scheduled_time: str
    mode: str | None
    host: str

    @property
    def status(self) -> int:
        """The exit status: 0 clean, 4 complete but with endpoints that failed or lines that were rejected."""
        return INCOMPLETE if self.failed or self.rejected else CLEAN


def make_summary(counts: Counter[str], config: RunConfig, seconds: float) -> Summary:
    """Make the summary of a whole run's counts. They are wrong only by a defect of ours, which must not be printed as a result."""
    if counts["received"] != counts["kept"] + counts["filtered"] + counts["failed"]:
        raise AssertionError("the books do not balance: received is not kept + filtered + failed")
    return Summary(
        received=counts["received"],
        kept=counts["kept"],
        filtered=counts["filtered"],
        failed=counts["failed"],
        opted_out=counts["opted_out"],
        rejected=counts["rejected"],
        batches=counts["batches"],
        attempts=counts["attempts"],
        seconds=round(seconds, 3),
        model=config.model,
        scheduled_time=config.scheduled_time,
        mode=config.mode,
        host=config.host,
        would_filter=counts["would_filter"] if config.knows_drops else None,
        **{
            name: counts[name] if config.knows_decisions and not counts[SHADOW] else None
            for name in ONLY_FROM_DECISIONS
        },
    )
