"""Finds what is wrong with a whole batch, as sentences for its log.

Takes the account of a batch. A sentence holds counts, and nothing of a person.
"""

from __future__ import annotations

from function.errors import EventTimeMissing, ExternalError
from function.records import Account, HostName
from model.profile_names import explain_ambiguous

# From this share of people on, a feature that is missing is the import's fault, not the person's.
ALARMING_SHARE = 0.5
WHERE_TIME_IS: dict[HostName, str] = {
    "pinpoint": "$.ScheduledTime: expected a time (ISO 8601)",
    "connect": (
        "$.InvocationMetadata.CampaignContext.RunId: expected a RunId that ends in the start of "
        "the run, such as #2026-07-03T10-04-00Z"
    ),
    "web": "$.campaign.scheduled_time: expected a time (ISO 8601)",
}


def find_concerns(account: Account) -> list[str]:
    """Sentences on what is wrong with a batch; none if it looks well."""
    return [
        *find_failures(account),
        *find_missing_time(account),
        *explain_ambiguous(account.batch.ambiguous, len(account.batch.endpoints)),
        *find_missing_features(account),
    ]


def find_failures(account: Account) -> list[str]:
    """A sentence if the target failed or external attributes could not be looked up, with why."""
    sentences = []
    if account.cause and not isinstance(account.error, EventTimeMissing | ExternalError):
        outcome = "the bundled model scored" if account.fallback_used else "nobody has a score"
        sentences.append(f"{account.cause}; {outcome}")
    if account.external_error is not None:
        outcome = (
            "nobody has a score"
            if isinstance(account.error, ExternalError)
            else "the batch was answered without external attributes"
        )
        sentences.append(f"{account.external_error}; {outcome}")
    return sentences


def find_missing_time(account: Account) -> list[str]:
    """A sentence if the model reads ages and the event has no time to measure them against."""
    if not account.time_missing:
        return []
    outcome = "people are scored without their ages (on_missing_time = score)"
    if isinstance(account.error, EventTimeMissing):
        outcome = "nobody is scored (on_missing_time = no_scores)"
    return [f"{WHERE_TIME_IS[account.batch.host]}, found none; {outcome}"]


def find_missing_features(account: Account) -> list[str]:
    """A sentence if half of the readable people or more lack most of the model's features.

    None if the look-up of external attributes failed: that is why, and has its own sentence.
    """
    if account.external_error is not None:
        return []
    people, least = len(account.present), account.min_present
    lowest = min(account.present, default=1.0)
    if lowest >= least and lowest > 0.0:
        return []
    lacking = sum(share < least or share == 0.0 for share in account.present)
    if lacking < ALARMING_SHARE * people:
        return []
    if least > 0.0:
        found = f"are sparse: they have less than min_present = {least:g} of the model's features"
    else:
        found = (
            "have none of the model's features and are scored all the same; min_present would make "
            "them sparse"
        )
    return [f"{lacking:,} of {people:,} people {found}. Check the import that fills the features"]
