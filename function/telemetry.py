"""Writes log lines as JSON: one record a batch, and warnings.

The record is written for every batch, whatever the level, since alarms and metrics read it. The
level chooses the other lines.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

import msgspec

from function.batch_record import BATCH, MODEL, SERVICE, RecordBuilder, format_time
from function.concerns import find_concerns
from function.correlation import Correlation
from function.errors import ExternalError, ScorerError
from function.records import Account
from model.bins import BinCounter, count_numbers, read_distributions
from model.bundle import Bundle
from model.features import Matrix

__all__ = ["BATCH", "LOCAL", "MODEL", "Telemetry"]

LOCAL = "local"  # name and version of the function outside Lambda
# CloudWatch Logs takes events of up to 256 KiB and counts 26 bytes for itself; newer quotas
# are higher. A longer record would be cut, and its metrics lost.
MOST_BYTES = 262_144 - 26
_encode = msgspec.json.Encoder().encode
_write_ascii = json.JSONEncoder(
    separators=(",", ":"), allow_nan=False, default=msgspec.json.decode
).encode


def write_json(value: Any) -> str:
    """JSON in ASCII, which a stream of any encoding can carry. NaN becomes null."""
    try:
        text = _encode(value)
    except UnicodeEncodeError:  # a lone surrogate in a campaign's id
        return _write_ascii(value)
    return text.decode() if text.isascii() else _write_ascii(value)


def draw_fraction() -> float:
    """A random number from 0 to 1, below 1."""
    return int.from_bytes(os.urandom(6), "big") / (1 << 48)


class LateFormatter(logging.Formatter):
    """Powertools' formatter, imported for the first line that it formats.

    Most processes write none: it takes 48 modules of a cold start.
    """

    def __init__(self) -> None:
        super().__init__()
        self._formatter: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        if self._formatter is None:
            from aws_lambda_powertools.logging.formatter import (  # noqa: PLC0415  # see above
                LambdaPowertoolsFormatter,
            )

            self._formatter = LambdaPowertoolsFormatter(
                utc=True,
                use_rfc3339=True,
                json_serializer=write_json,
                service=SERVICE,
                location=None,
            )
        return self._formatter.format(record)


class Telemetry:
    """Writes the account of each batch to a stream.

    Powertools formats the other lines. Its Logger and Metrics are not used: they keep state for the
    whole process, and a process may hold several handlers (the runner, the tests).
    """

    def __init__(
        self,
        *,
        bundle: Bundle,
        stream: TextIO,
        level: str,
        bins_share: float = 1.0,
        function_name: str = LOCAL,
        function_version: str = LOCAL,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = draw_fraction,
    ) -> None:
        """Raises BundleError if the bundle's `drift` does not have the form the trainer writes.

        bins_share  share of the batches whose record has drift bins
        clock       seconds since 1970
        draw        a number from 0 to 1, below 1: where in the sequence of batches to begin
        """
        self._stream = stream
        self._bundle = bundle
        references = read_distributions(bundle.manifest.get("drift"), bundle.spec.columns)
        self._bins = (
            None if references is None else (BinCounter(references[0]), references[1].edges)
        )
        handler = logging.StreamHandler(stream)
        handler.setFormatter(LateFormatter())
        # Outside logging's registry, so that handlers in one process share nothing.
        self._logger = logging.Logger(SERVICE, level)  # noqa: LOG001
        self._logger.addHandler(handler)
        self._is_debug = self._logger.isEnabledFor(logging.DEBUG)
        self._records = RecordBuilder(name=function_name, version=function_version)
        self._clock = clock
        self._bins_share = bins_share
        # Every 1/share-th batch has bins. Starting at random, short-lived environments together
        # keep the share, too.
        self._bins_due = draw()

    def introduce(self, warnings: Iterable[str]) -> None:
        """Log each warning, and the drift reference that `segment-scorer drift` compares with.

        The reference is logged at every level: without it the records' bins say nothing.
        """
        for sentence in warnings:
            self._logger.warning(sentence)
        if self._bins is not None:
            drift = self._bundle.manifest["drift"]
            line = write_json(
                {
                    "level": "INFO",
                    "message": MODEL,
                    "timestamp": format_time(self._clock()),
                    "service": SERVICE,
                    "model": self._bundle.label,
                    "reference": drift,
                }
            )
            self._write_line(line)

    def draw_bins(self) -> bool:
        """Whether the record of the next batch has drift bins. Ask once for each batch."""
        self._bins_due += self._bins_share
        drawn = self._bins_due >= 1.0
        self._bins_due -= drawn
        return drawn

    def count_bins(
        self, matrix: Matrix, scores: Sequence[float] | None
    ) -> tuple[dict[str, list[int]] | None, list[int] | None]:
        """Count people in each drift bin: column -> counts, and the counts of the scores.

        Both are None if the bundle has no drift reference; the second also without scores.
        """
        if self._bins is None:
            return None, None
        features, edges = self._bins
        counted = dict(zip(self._bundle.spec.columns, features.count(matrix), strict=True))
        return counted, None if scores is None else count_numbers(scores, edges)

    def record(self, account: Account) -> None:
        """Write the batch's record, after a warning for each concern about the whole batch.

        At DEBUG also each unreadable endpoint's problem.
        """
        if self._is_debug:
            for endpoint in account.batch.endpoints:
                if endpoint.problem is not None:
                    fields = {"problem": endpoint.problem, **account.correlation.fields}
                    self._logger.debug("unreadable", extra=fields)
        for sentence in find_concerns(account):
            self._logger.warning(sentence, extra=account.correlation.fields)
        now = self._clock()
        line = write_json(self._records.build(account, now, with_bins=account.bins_drawn))
        if len(line) > MOST_BYTES:
            line = write_json(self._records.build(account, now, with_bins=False))
        self._write_line(line)

    def _write_line(self, line: str) -> None:
        # A full or closed stream must not cost 50 people their message. `logging` ignores it, too.
        try:  # noqa: SIM105  # a context manager costs each batch three calls
            self._stream.write(line + "\n")
        except (OSError, ValueError):
            pass

    def report_error(self, error: ScorerError | ExternalError, correlation: Correlation) -> None:
        """Log why a batch is answered with an error; it has no record."""
        fields = {"error": type(error).__name__, **correlation.fields}
        self._logger.error(str(error), extra=fields)
