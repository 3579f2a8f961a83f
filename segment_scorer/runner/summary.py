"""The books of a run: counts that add up, and the summary made of them. Every endpoint has exactly one outcome.

Takes what each slice counted; gives `summary.json`'s content. Never guesses: what a hook does not show is null.
"""

from __future__ import annotations

from collections import Counter

import msgspec

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


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a whole run: the campaign that events speak of, and what is known of the hook.

    knows_decisions   whether the hook shows every decision; if not, the counts of reasons stay null
    knows_drops       whether it also shows what the rules say where the mode does not act on it
    has_log           whether the function's own log can be seen
    writes            whether people are written anywhere; a rehearsal writes nobody
    tables            whether the kept are to be written as a table, whose columns have to be known
    score_attribute   the attribute that carries the score, read where decisions are not shown; "" = none
    decimals          of the scores in files, where decisions are shown
    model, mode       as in the summary; None = unknown
    threshold, keep, on_error   rules of the policy that the report speaks of; None = unknown
    """

    host: str = "pinpoint"
    scheduled_time: str
    application_id: str = "segment-scorer"
    campaign_id: str = "segment-scorer"
    treatment_id: str = "0"
    activity_id: str
    include_opted_out: bool = False
    knows_decisions: bool = False
    knows_drops: bool = False
    has_log: bool = False
    writes: bool = True
    tables: bool = False
    metric: str = "Score"
    score_attribute: str = "Score"
    decimals: int = 4
    model: str | None = None
    mode: str | None = None
    threshold: float | None = None
    keep: str | None = None
    on_error: str | None = None


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


def close_books(counts: Counter[str], terms: Terms, seconds: float) -> Summary:
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
        model=terms.model,
        scheduled_time=terms.scheduled_time,
        mode=terms.mode,
        host=terms.host,
        would_filter=counts["would_filter"] if terms.knows_drops else None,
        **{
            name: counts[name] if terms.knows_decisions and not counts[SHADOW] else None
            for name in ONLY_FROM_DECISIONS
        },
    )
