"""One structured log line and one metrics blob (CloudWatch embedded metric format) a batch, to the stream it is given.

Takes counts, never a document: no address, id of a person or attribute value can be in what it writes.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable
from typing import Any, TextIO

import msgspec
import numpy as np
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from function.policy import count_outcomes
from function.records import Account, Scored
from model.bins import BinCounter, read_references
from model.bundle import Bundle
from model.features import Matrix

NAMESPACE = "SegmentScorer"
SERVICE = "segment-scorer"
# Every other metric is a count. A share has no unit in CloudWatch.
UNITS = {
    "scoring_ms": "Milliseconds",
    "remaining_ms": "Milliseconds",
    "external_ms": "Milliseconds",
    "missing_share": "None",
}
# The messages of log lines that `segment-scorer drift` reads.
BATCH = "batch"
MODEL = "model"
_write_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_encode = msgspec.json.Encoder().encode


def write_json(value: Any) -> str:
    """A line in ASCII, which any stream can carry whatever its encoding; a NaN becomes null instead of spoiling it."""
    try:
        text = _encode(value)
    except UnicodeEncodeError:  # a lone surrogate in a campaign's id
        return _write_ascii(value)
    return text.decode() if text.isascii() else _write_ascii(value)


class Telemetry:
    """Writes a batch's account.

    Powertools gives the form of both lines. Its Logger and Metrics are not used: both keep state for the whole process, the Logger even
    the first stream it was given, and a process may hold several handlers (the runner, the tests).
    """

    def __init__(self, *, bundle: Bundle, stream: TextIO, level: str) -> None:
        """Raises BundleError when the bundle's `drift` has not the form that the trainer writes."""
        self._stream = stream
        self._bundle = bundle
        references = read_references(bundle.manifest.get("drift"), bundle.spec.columns)
        self._bins = (
            None if references is None else (BinCounter(references[0]), BinCounter([references[1]]))
        )
        handler = logging.StreamHandler(stream)
        handler.setFormatter(
            LambdaPowertoolsFormatter(
                utc=True, json_serializer=write_json, service=SERVICE, location=None
            )
        )
        self._logger = logging.Logger(SERVICE, level)  # noqa: LOG001  # outside the registry: nothing shared, nothing propagated
        self._logger.addHandler(handler)
        self._emf = AmazonCloudWatchEMFProvider(namespace=NAMESPACE)

    def introduce(self, warnings: Iterable[str]) -> None:
        """Log, once a process, each warning and what the model learnt from, against which `segment-scorer drift` holds the batches."""
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
        """Count the batch's people in each drift bin: column -> bins, and the bins of the scores.

        None for what the bundle has no reference of, and for scores that there are not.
        """
        if self._bins is None:
            return None, None
        features, score = self._bins
        counted = dict(zip(self._bundle.spec.columns, features.count(matrix), strict=True))
        if scored is None:
            return counted, None
        return counted, score.count(scored.scores[:, np.newaxis])[0]

    def record(self, account: Account) -> None:
        """Write one log line and one metrics blob for a batch; at level DEBUG also a line for each unreadable endpoint, saying why."""
        if self._logger.isEnabledFor(logging.DEBUG):
            for endpoint in account.batch.endpoints:
                if endpoint.problem is not None:
                    self._logger.debug("unreadable", extra={"problem": endpoint.problem})
        facts = gather_facts(account)
        if self._logger.isEnabledFor(logging.INFO):
            self._logger.info(
                BATCH,
                extra={
                    "host": account.batch.host,
                    "mode": account.mode,
                    "model": account.label,
                    "scored_by": account.scored.label if account.scored else None,
                    "error": account.error_name,
                    "campaign_id": account.batch.context.campaign_id,
                    **(
                        {"external_error": type(account.external_error).__name__}
                        if account.external_error
                        else {}
                    ),
                    **facts,
                    **describe_bins(account),
                },
            )
        blob = self._emf.serialize_metric_set(
            metrics={
                name: {"Unit": UNITS.get(name, "Count"), "Value": value}
                for name, value in facts.items()
                if value is not None
            },
            dimensions={"model": account.label, "mode": account.mode},
            metadata={
                "campaign_id": account.batch.context.campaign_id,
                "score_bins": account.score_bins,
            },
        )
        line = write_json(blob) + "\n"
        with contextlib.suppress(
            OSError, ValueError
        ):  # a full or closed stream must not cost 50 people their message; nor does the log line
            self._stream.write(line)


def gather_facts(account: Account) -> dict[str, float | None]:
    """The numbers of one batch, as the log line and the metrics both have them."""
    return {
        **count_outcomes(account.reply.decisions),
        "unencodable": account.batch.unencodable,
        "overrides_skipped": account.reply.overrides_skipped,
        "annotations_dropped": int(account.reply.annotations_dropped),
        "fallback_used": int(account.fallback_used),
        "scoring_ms": round(account.scoring * 1000, 3),
        "remaining_ms": round(account.remaining * 1000)
        if account.remaining != float("inf")
        else None,
        "missing_share": round(1.0 - float(account.present.mean()), 4)
        if len(account.present)
        else 0.0,
        "cold_start": int(account.cold is not None),
        **account.external,
    }


def describe_bins(account: Account) -> dict[str, Any]:
    """The drift bins of a batch, as far as there are any."""
    bins = {"feature_bins": account.feature_bins, "score_bins": account.score_bins}
    return {name: counts for name, counts in bins.items() if counts is not None}
