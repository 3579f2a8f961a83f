"""The service's log: JSON lines on stderr with time, level, message and fields.

Callers pass counts and states only, never a payload.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

NAME = "segment_scorer.service"
LOG = logging.getLogger(NAME)
GRPC = logging.getLogger("grpc")


class JsonLines(logging.Formatter):
    """Formats a record and its fields as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a newline."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
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


def start_log(level: str, stream: TextIO | None = None) -> None:
    """Write the service's log from `level` on to `stream` (default: stderr)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    LOG.handlers[:] = [handler]
    LOG.setLevel(level.upper())
    LOG.propagate = False
    # gRPC logs exceptions of a handler with their messages, which may quote the request.
    failures = logging.StreamHandler(stream or sys.stderr)
    failures.setFormatter(Failures())
    failures.setLevel(logging.ERROR)
    GRPC.handlers[:] = [failures]
    GRPC.propagate = False
