"""Writes one log line and one metrics blob (CloudWatch embedded metric format) per batch.

Writes counts, never a part of a document: no address, no id of a person, no attribute value.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
from collections.abc import Iterable
from typing import Any, TextIO

import msgspec
import numpy as np
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from function.concerns import find_concerns
from function.policy import count_outcomes
from function.reach import measure_reach
from function.records import Account, Scored
from model.bins import BinCounter, read_distributions
from model.bundle import Bundle
from model.features import Matrix

NAMESPACE = "SegmentScorer"
SERVICE = "segment-scorer"
# The unit of each metric that is not a count. A share has none in CloudWatch.
UNITS = {
    "scoring_ms": "Milliseconds",
    "remaining_ms": "Milliseconds",
    "external_ms": "Milliseconds",
    "missing_share": "None",
}
# The `message` of the log lines that `segment-scorer drift` reads.
BATCH = "batch"
MODEL = "model"
LONGEST_ID = 256  # characters; Pinpoint's and Connect's own ids have 32 to 36
_write_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_encode = msgspec.json.Encoder().encode


def write_json(value: Any) -> str:
    """JSON in ASCII, which a stream of any encoding can carry. NaN becomes null."""
    try:
        text = _encode(value)
    except UnicodeEncodeError:  # a lone surrogate in a campaign's id
        return _write_ascii(value)
    return text.decode() if text.isascii() else _write_ascii(value)


class Telemetry:
    """Writes the account of each batch to a stream.

    Powertools formats both lines. Its Logger and Metrics are not used: they keep state for the
    whole process, and a process may hold several handlers (the runner, the tests).
    """

    def __init__(self, *, bundle: Bundle, stream: TextIO, level: str) -> None:
        """Raises BundleError if the bundle's `drift` does not have the form the trainer writes."""
        self._stream = stream
        self._bundle = bundle
        references = read_distributions(bundle.manifest.get("drift"), bundle.spec.columns)
        self._bins = (
            None if references is None else (BinCounter(references[0]), BinCounter([references[1]]))
        )
        handler = logging.StreamHandler(stream)
        handler.setFormatter(
            LambdaPowertoolsFormatter(
                utc=True, json_serializer=write_json, service=SERVICE, location=None
            )
        )
        # Outside logging's registry, so that handlers in one process share nothing.
        self._logger = logging.Logger(SERVICE, level)  # noqa: LOG001
        self._logger.addHandler(handler)
        self._emf = AmazonCloudWatchEMFProvider(namespace=NAMESPACE)

    def introduce(self, warnings: Iterable[str]) -> None:
        """Log each warning, and the drift reference that `segment-scorer drift` compares with."""
        for sentence in warnings:
            self._logger.warning(sentence)
        if self._bins is not None:
            self._logger.info(
                MODEL,
                extra={"model": self._bundle.label, "reference": self._bundle.manifest["drift"]},
            )

    def count_bins(
        self, matrix: Matrix, scored: Scored | None
    ) -> tuple[dict[str, list[int]] | None, list[int] | None]:
        """Count people in each drift bin: column -> counts, and the counts of the scores.

        Both are None if the bundle has no drift reference; the second also without scores.
        """
        if self._bins is None:
            return None, None
        features, score = self._bins
        counted = dict(zip(self._bundle.spec.columns, features.count(matrix), strict=True))
        if scored is None:
            return counted, None
        return counted, score.count(scored.scores[:, np.newaxis])[0]

    def record(self, account: Account) -> None:
        """Write a log line, a metrics blob, and a warning for each concern about the whole batch.

        At DEBUG also each unreadable endpoint's problem.
        """
        if self._logger.isEnabledFor(logging.DEBUG):
            for endpoint in account.batch.endpoints:
                if endpoint.problem is not None:
                    self._logger.debug("unreadable", extra={"problem": endpoint.problem})
        for sentence in find_concerns(account):
            self._logger.warning(sentence)
        facts = gather_facts(account)
        if self._logger.isEnabledFor(logging.INFO):
            self._logger.info(BATCH, extra={**describe_batch(account), **facts})
        blob = self._emf.serialize_metric_set(
            metrics={
                name: {"Unit": UNITS.get(name, "Count"), "Value": value}
                for name, value in facts.items()
                if value is not None
            },
            dimensions={"model": account.label, "mode": account.mode},
            metadata={
                "campaign_id": shorten(account.batch.context.campaign_id),
                "score_bins": account.score_bins,
            },
        )
        line = write_json(blob) + "\n"
        # A full or closed stream must not cost 50 people their message. `logging` ignores it, too.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line)


def shorten(campaign_id: str | None) -> str | None:
    """A campaign's id as logs and metrics show it: of a longer one the first 256 characters."""
    if campaign_id is None or len(campaign_id) <= LONGEST_ID:
        return campaign_id
    return f"{campaign_id[:LONGEST_ID]}... ({len(campaign_id):,} characters)"


def describe_batch(account: Account) -> dict[str, Any]:
    """The fields of a batch's log line that are not metrics."""
    described = {
        "host": account.batch.host,
        "mode": account.mode,
        "model": account.label,
        "scored_by": account.scored.label if account.scored else None,
        "error": account.error_name,
        "campaign_id": shorten(account.batch.context.campaign_id),
    }
    optional = {
        "external_error": type(account.external_error).__name__ if account.external_error else None,
        "feature_bins": account.feature_bins,
        "score_bins": account.score_bins,
        "reach": account.reach,
        "reached": measure_reach(account.decisions) if account.reach is not None else None,
    }
    return described | {name: value for name, value in optional.items() if value is not None}


def gather_facts(account: Account) -> dict[str, float | None]:
    """The numbers of a batch, for the log line and the metrics."""
    remaining, present = account.remaining, account.present
    return {
        **count_outcomes(account.decisions),
        "unencodable": account.batch.unencodable,
        "overrides_skipped": account.reply.overrides_skipped,
        "annotations_dropped": int(account.reply.annotations_dropped),
        "fallback_used": int(account.fallback_used),
        "time_missing": int(account.time_missing),
        "scoring_ms": round(account.scoring * 1000, 3),
        "remaining_ms": None if math.isinf(remaining) else round(remaining * 1000),
        "missing_share": round(1.0 - float(present.mean()), 4) if len(present) else 0.0,
        "cold_start": int(account.cold is not None),
        **account.external,
    }
