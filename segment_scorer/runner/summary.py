"""What can happen to a person, and the summary of a run.

Input: counts. Output: the content of `summary.json`. Values that the hook does not report are null.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import msgspec

from function.records import Reason
from segment_scorer.runner.config import RunConfig


class Status(StrEnum):
    """What happened to one person of the segment: exactly one of these."""

    KEPT = "kept"
    FILTERED = "filtered"
    FAILED = "failed"


class UnsentReason(StrEnum):
    """Why the runner did not send a person to the hook. The function's own reasons are `Reason`."""

    OPTED_OUT = "opted_out"
    SUPPRESSED = "suppressed"
    # These two were sent to the hook and then not chosen.
    ONE_PER_USER = "one_per_user"
    BUDGET = "budget"


# reason -> its count in the summary; the other reasons are not counted there
REASON_COUNTS: dict[Reason | UnsentReason, str] = {
    Reason.HOLDOUT: "held_out",
    Reason.EXCLUDED: "excluded",
    Reason.UNREADABLE: "unreadable",
    Reason.NO_SCORES: "unscored",
    Reason.SPARSE: "sparse",
    UnsentReason.OPTED_OUT: "opted_out",
    UnsentReason.SUPPRESSED: "suppressed",
    UnsentReason.ONE_PER_USER: "one_per_user",
    UnsentReason.BUDGET: "budget",
    Reason.SHADOW: "shadow",  # not in the summary: it says that the other counts are unknown
}
ONLY_FROM_DECISIONS = ("held_out", "excluded", "unreadable", "unscored", "sparse")
# The counts of single exclude rules begin so; the rule follows.
BY_RULE = "excluded:"
# Those of treatments; the treatment, a colon and the count follow.
TREATMENT = "treatment:"
CLEAN, INCOMPLETE = 0, 4
# From this share of unreadable endpoints on, an import has broken, not a few records.
FAIL_UNREADABLE = 0.5


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`summary.json`. received = kept + filtered + failed; None (null) = unknown.

    received             endpoints; users: different users among them, by UserId, else by Id
    rejected             lines that were never sent, which are not part of `received`
    holdout_percent      size of the control group; 0 = no control group
    holdout_salt_digest  of the policy's salt: same percent and digest, same control group
    policy_digest        SHA-256 of the policy file
    suppressed, one_per_user, budget  people left out by the option of that name
    budget_users         selected users whom the budget lets stay, the control group's with them
    users_selected, users_kept, users_held_out  different users with such an endpoint
    treatments           treatment -> its counts; None without --treatments
    excluded_by          the policy's exclude rules -> people whose reason they are
    options              option -> digest of its value, which a later --resume compares
    """

    received: int
    kept: int
    filtered: int
    failed: int
    held_out: int | None
    excluded: int | None = None
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
    threshold: float | None
    keep: str | None
    holdout_percent: float | None
    holdout_salt_digest: str | None
    policy_digest: str | None
    users: int
    excluded_by: dict[str, int] | None = None
    suppressed: int = 0
    one_per_user: int = 0
    budget: int = 0
    budget_users: int | None = None
    users_selected: int | None = None
    users_kept: int = 0
    users_held_out: int | None = None
    treatments: dict[str, dict[str, int]] | None = None
    options: dict[str, str] | None = None

    @property
    def exit_status(self) -> int:
        """0: clean. 4: complete, but endpoints failed or lines were rejected."""
        return INCOMPLETE if self.failed or self.rejected else CLEAN

    def judge(self, fail_unreadable: float) -> int:
        """The exit status; also 4 if this share of the endpoints, or more, is unreadable.

        A share of 0 stands for any unreadable endpoint. Unknown counts are not judged.
        """
        unreadable = self.unreadable or 0
        is_spoilt = unreadable > 0 and unreadable >= fail_unreadable * self.received
        return INCOMPLETE if is_spoilt else self.exit_status


def make_summary(counts: Counter[str], config: RunConfig, seconds: float) -> Summary:
    """Make the summary of a whole run.

    Raises AssertionError if the counts do not add up: a defect must not be printed as a result.
    """
    if counts["received"] != sum(counts[status] for status in Status):
        raise AssertionError("the counts do not add up: received is not kept + filtered + failed")
    knows_reasons = config.knows_decisions and not counts["shadow"]
    return Summary(
        received=counts["received"],
        kept=counts[Status.KEPT],
        filtered=counts[Status.FILTERED],
        failed=counts[Status.FAILED],
        opted_out=counts["opted_out"],
        rejected=counts["rejected"],
        batches=counts["batches"],
        attempts=counts["attempts"],
        seconds=round(seconds, 3),
        model=config.model,
        scheduled_time=config.scheduled_time,
        mode=config.mode,
        host=config.host,
        threshold=config.threshold,
        keep=config.keep,
        holdout_percent=config.holdout_percent,
        holdout_salt_digest=config.holdout_salt_digest,
        policy_digest=config.policy_digest,
        users=counts["users"],
        suppressed=counts["suppressed"],
        one_per_user=counts["one_per_user"],
        budget=counts["budget"],
        budget_users=counts["budget_users"] if config.budget else None,
        users_selected=counts["users_selected"] if knows_reasons else None,
        users_kept=counts["users_kept"],
        users_held_out=counts["users_held_out"] if knows_reasons else None,
        treatments=count_treatments(counts, config),
        excluded_by=count_rules(counts, config) if knows_reasons else None,
        options=None,
        would_filter=counts["would_filter"] if config.in_process else None,
        **{name: counts[name] if knows_reasons else None for name in ONLY_FROM_DECISIONS},
    )


def count_rules(counts: Counter[str], config: RunConfig) -> dict[str, int]:
    """The people of each exclude rule: of every rule of the policy, and of those in replies."""
    found = {
        name.removeprefix(BY_RULE): count
        for name, count in counts.items()
        if name.startswith(BY_RULE)
    }
    return dict.fromkeys((name for _, name, _ in config.excludes), 0) | found


def count_treatments(counts: Counter[str], config: RunConfig) -> dict[str, dict[str, int]] | None:
    """The outcomes of each treatment; None if the run has one treatment for all."""
    if not config.treatments:
        return None
    return {
        name: {
            word: counts[f"{TREATMENT}{name}:{word}"] for word in ("received", *Status, "held_out")
        }
        for name, _ in config.treatments
    }
