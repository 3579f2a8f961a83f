"""One structured log line and one metrics blob (CloudWatch embedded metric format) a batch, to the stream it is given.

Takes counts, never a document: no address, id of a person or attribute value can be in what it writes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any, TextIO

import msgspec
import numpy as np
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from function.errors import ScorerError
from function.policy import count_outcomes
from function.records import Batch, Reply, Scored
from model.bundle import Bundle
from model.features import Matrix

NAMESPACE = "SegmentScorer"
SERVICE = "segment-scorer"
COUNTED = ("received", "kept", "filtered", "held_out", "unreadable", "unscored", "sparse", "would_filter")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one batch. Times in seconds."""

    batch: Batch
    reply: Reply
    mode: str
    scored: Scored | None
    error: ScorerError | None
    matrix: Matrix
    scoring: float
    remaining: float
    cold: float | None
    label: str


class Telemetry:
    """Writes a batch's account.

    Powertools' Logger is one a service name in the whole process, bound to the first stream it saw, and its Metrics share state; so we
    take its formatter and its ephemeral metrics, and keep logger and stream our own.
    """

    def __init__(self, *, bundle: Bundle, stream: TextIO, level: str) -> None:
        self._stream = stream
        self._label = bundle.label
        handler = logging.StreamHandler(stream)
        handler.setFormatter(LambdaPowertoolsFormatter(utc=True, service=SERVICE, location=None, json_serializer=write_json))
        self._logger = logging.Logger(SERVICE, level)  # noqa: LOG001  # a logger of our own: nothing shared, nothing propagated
        self._logger.addHandler(handler)

    def warn(self, sentences: Iterable[str]) -> None:
        """Log each sentence as a warning."""
        for sentence in sentences:
            self._logger.warning(sentence)

    def record(self, account: Account) -> None:
        """Write one log line and one metrics blob for a batch."""
        counts = count_outcomes(account.reply.decisions)
        facts: dict[str, Any] = {
            **counts,
            "unencodable": account.batch.unencodable,
            "overrides_skipped": account.reply.overrides_skipped,
            "annotations_dropped": int(account.reply.annotations_dropped),
            "fallback_used": int(bool(account.scored and account.scored.resorted)),
            "scoring_ms": round(account.scoring * 1000, 3),
            "remaining_ms": round(account.remaining * 1000) if account.remaining != float("inf") else None,
            "missing_share": round(float(np.isnan(account.matrix).mean()), 4) if account.matrix.size else 0.0,
            "cold_start": int(account.cold is not None),
        }
        line = {
            "host": account.batch.host,
            "mode": account.mode,
            "model": account.label,
            "scored_by": account.scored.label if account.scored else None,
            "error": describe_error(account),
            "campaign_id": account.batch.context.campaign_id,
            **facts,
        }
        self._logger.info("batch", extra=line)
        self._stream.write(write_json(self._emf(account, facts)) + "\n")

    def _emf(self, account: Account, facts: dict[str, Any]) -> dict[str, Any]:
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
        for name, value in facts.items():
            if value is not None:
                metrics.add_metric(name=name, unit=MetricUnit.Milliseconds if name.endswith("_ms") else MetricUnit.Count, value=value)
        metrics.add_dimension(name="model", value=account.label)
        metrics.add_dimension(name="mode", value=account.mode)
        metrics.add_metadata(key="campaign_id", value=account.batch.context.campaign_id)
        blob: dict[str, Any] = dict(metrics.serialize_metric_set())
        return blob


def write_json(value: Any) -> str:
    """Compact JSON, never with NaN in it: CloudWatch would not read the line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def describe_error(account: Account) -> str | None:
    """The class of what went wrong while scoring, or None."""
    if account.error is not None:
        return type(account.error).__name__
    return (account.scored.resorted or None) if account.scored else None
