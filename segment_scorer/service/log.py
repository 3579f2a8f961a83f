"""One JSON object a line on stderr: time, level, what happened, and its fields. Never a payload: callers pass counts and states only."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

NAME = "segment_scorer.service"


class JsonLines(logging.Formatter):
    """Formats a record, and the mapping in its `fields`, as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__  # its message may quote what was sent
        return json.dumps(line)


def start_log(level: str, stream: TextIO | None = None) -> None:
    """Send the service's log, and no other's, to `stream` (stderr when not given) from `level` on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(NAME)
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    # grpc logs what a handler raised, message and all; ours raise nothing but what is answered, and the rest is counted by its status.
    logging.getLogger("grpc").addHandler(logging.NullHandler())
