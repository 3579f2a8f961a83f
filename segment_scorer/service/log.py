"""The service's log: JSON lines on stderr with timestamp, level, message and fields.

Callers pass counts and states only, never a payload. Times are UTC in RFC 3339, as in
the function's log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

NAME = "segment_scorer.service"
LOG = logging.getLogger(NAME)
GRPC = logging.getLogger("grpc")
ASYNCIO = logging.getLogger("asyncio")


class JsonLines(logging.Formatter):
    """Formats a record and its fields as one line of JSON.

    constant  fields of every line
    """

    def __init__(self, constant: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.constant = constant or {}

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a newline."""
        time = datetime.fromtimestamp(record.created, UTC)
        line = {
            "timestamp": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            **self.constant,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            # The class only: an exception's message may quote the request.
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line)


class Failures(JsonLines):
    """Formats what gRPC logs as a failed call with the error's class, without gRPC's message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a newline."""
        line = logging.makeLogRecord({**record.__dict__, "msg": "failed", "args": (), "fields": {}})
        return super().format(line)


def write_log(
    level: int, message: str, *, error: BaseException | None = None, **fields: Any
) -> None:
    """Log a message with fields, and the class of `error`."""
    LOG.log(level, message, extra={"fields": fields}, exc_info=error)


def log_failures(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what failed on the event loop, by its class."""
    write_log(logging.ERROR, "failed", error=context.get("exception"))


def start_log(level: str, stream: TextIO | None = None, **constant: Any) -> None:
    """Write the service's log from `level` on to `stream` (default: stderr).

    constant  fields of every line
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(constant))
    LOG.handlers[:] = [handler]
    LOG.setLevel(level.upper())
    LOG.propagate = False
    # gRPC logs exceptions of a handler with their messages, which may quote the request.
    failures = logging.StreamHandler(stream or sys.stderr)
    failures.setFormatter(Failures(constant))
    failures.setLevel(logging.ERROR)
    for logger in (GRPC, ASYNCIO):
        logger.handlers[:] = [failures]
        logger.propagate = False
