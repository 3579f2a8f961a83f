"""The record of a batch: one JSON object that is both its log line and its metrics.

The format is CloudWatch's embedded metric format (EMF). Takes the account of a batch, gives plain
data. Counts only: no address, no id of a person, no attribute value.

Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from function.policy import count_outcomes
from function.reach import measure_reach
from function.records import Account

NAMESPACE = "SegmentScorer"
SERVICE = "segment-scorer"
# The `message` of the log lines that `segment-scorer drift` reads.
BATCH = "batch"
MODEL = "model"
# CloudWatch adds a metric up for each of these sets. No set holds the model, so that alarms outlive
# a training; the version tells a new one apart while it is rolled out.
DIMENSIONS = (("function_name",), ("function_name", "function_version"))
# The unit of each metric that is not a count. Counts and shares have none: naming the unit of every
# count would make the record a fifth longer, and logs cost by the byte.
UNITS = {
    "scoring_ms": "Milliseconds",
    "remaining_ms": "Milliseconds",
    "external_ms": "Milliseconds",
}
# Numbers that are nearly always 0. A record has them only if they are not: each takes some 45
# bytes, and logs cost by the byte. No alarm reads them.
OMITTED_AT_ZERO = frozenset(
    {
        *("held_out", "excluded", "sparse", "would_filter", "unencodable", "overrides_skipped"),
        *("ambiguous_names", "annotations_dropped", "time_missing", "cold_start"),
        *("external_missing", "external_unreadable", "external_dropped"),
    }
)
LONGEST_ID = 256  # characters; Pinpoint's and Connect's own ids have 32 to 36
_encode = msgspec.json.Encoder().encode


class RecordBuilder:
    """Builds records. What is the same in all of them is prepared once.

    name, version  of the Lambda function
    """

    def __init__(self, *, name: str, version: str) -> None:
        self._constant = {
            "service": SERVICE,
            "function_name": name,
            "function_version": version,
        }

    def build(self, account: Account, now: float, *, with_bins: bool) -> dict[str, Any]:
        """The record of a batch that was answered `now`, in seconds since 1970.

        A field without a value is left out, and so is a 0 of `OMITTED_AT_ZERO`. The metrics are the
        numbers that `gather_facts` gives. `feature_bins` are in the order of the drift reference.
        """
        facts = gather_facts(account)
        record = {
            "level": "INFO",
            "message": BATCH,
            "timestamp": format_time(now),
            **self._constant,
            **account.correlation.fields,
            **describe_batch(account),
            **facts,
        }
        if with_bins and account.feature_bins is not None:
            record["feature_bins"] = list(account.feature_bins.values())
            if account.score_bins is not None:
                record["score_bins"] = account.score_bins
        directive = write_directive(tuple(facts))
        record["_aws"] = {"Timestamp": int(now * 1000), "CloudWatchMetrics": directive}
        return record


def format_time(now: float) -> str:
    """Seconds since 1970 as a line's timestamp (RFC 3339)."""
    minute, milliseconds = divmod(int(now * 1000), 60_000)
    return f"{format_minute(minute)}:{milliseconds / 1000:06.3f}+00:00"


@lru_cache(maxsize=2)
def format_minute(minute: int) -> str:
    """Minutes since 1970 as date, hour and minute; kept, since it takes longer than a count."""
    return datetime.fromtimestamp(60 * minute, UTC).strftime("%Y-%m-%dT%H:%M")


@lru_cache(maxsize=64)
def write_directive(names: tuple[str, ...]) -> msgspec.Raw:
    """What tells CloudWatch which fields of a record are metrics, as JSON."""
    metrics = [
        {"Name": name, "Unit": UNITS[name]} if name in UNITS else {"Name": name} for name in names
    ]
    return msgspec.Raw(
        _encode([{"Namespace": NAMESPACE, "Dimensions": DIMENSIONS, "Metrics": metrics}])
    )


def shorten(campaign_id: str | None) -> str | None:
    """A campaign's id as the record shows it: of a longer one the first 256 characters."""
    if campaign_id is None or len(campaign_id) <= LONGEST_ID:
        return campaign_id
    return f"{campaign_id[:LONGEST_ID]}... ({len(campaign_id):,} characters)"


def describe_batch(account: Account) -> dict[str, Any]:
    """The fields of a batch's record that are neither metrics nor bins; only those with a value."""
    scored = account.scored
    described = {
        "host": account.batch.host,
        "mode": account.mode,
        "model": account.label,
        "scored_by": scored.label if scored and scored.label != account.label else None,
        "scorer": (scored.source or None) if scored else None,
        "error": account.error_name,
        "cause": account.cause,
        "external_error": type(account.external_error).__name__ if account.external_error else None,
        "campaign_id": shorten(account.batch.context.campaign_id),
        "status": account.reply.status,
        "refusal": account.batch.refusal.detail if account.batch.refusal else None,
        "reach": account.reach,
        "reached": measure_reach(account.decisions) if account.reach is not None else None,
    }
    return {name: value for name, value in described.items() if value is not None}


def gather_facts(account: Account) -> dict[str, float]:
    """The numbers of a batch: each is a field of its record, and a metric.

    The counts that alarms read are there when they are 0, too.
    """
    present = account.present
    facts: dict[str, float] = {
        **count_outcomes(account.decisions),
        **{f"excluded_{rule}": count for rule, count in account.excluded_by.items()},
        "unencodable": account.batch.unencodable,
        "ambiguous_names": account.batch.ambiguous,
        "overrides_skipped": account.reply.overrides_skipped,
        "annotations_dropped": int(account.reply.annotations_dropped),
        "fallback_used": int(account.fallback_used),
        "time_missing": int(account.time_missing),
        "scoring_ms": round(account.scoring * 1000, 3),
        "missing_share": round(1.0 - math.fsum(present) / len(present), 4) if present else 0.0,
        "cold_start": int(account.cold is not None),
    }
    if not math.isinf(account.remaining):
        facts["remaining_ms"] = round(account.remaining * 1000)
    facts.update(account.external)
    return {name: number for name, number in facts.items() if number or name not in OMITTED_AT_ZERO}
