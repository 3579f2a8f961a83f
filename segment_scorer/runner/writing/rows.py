"""The bytes of the output files: headers, rows of CSV, the end of the gzip file."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Sequence

from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.summary import Status
from segment_scorer.runner.writing.names import (
    ALL_DECISIONS,
    ALL_SEGMENT,
    CHUNKS,
    DECISIONS,
    LOG,
    PEOPLE,
    REJECTED,
    SCORES,
    SEGMENT,
)

# Fast rather than small: level 1 takes a quarter of level 6's time, and the file is read once.
COMPRESSION = 1
# Characters that should be in no field. If one is, csv.writer writes the rows.
BETWEEN, END = "\x1f", "\x1e"
# `selected`, `holdout` and `sent` are flags. `segment-scorer lift` reads the file.
DECISION_COLUMNS = (
    "Id",
    "UserId",
    "selected",
    "holdout",
    "sent",
    "reason",
    "score",
    "band",
    "treatment",
)
FLAGS = {True: "true", False: "false", None: ""}  # None = unknown
NEEDS_QUOTES = re.compile('[",\r\n]')


def begin_outputs(config: RunConfig) -> dict[str, bytes]:
    """Return the first bytes of each output file. The keys are all files that chunks append to."""
    if not config.writes:
        return {}
    parts = {SEGMENT: b"", SCORES: write_rows([("Id", f"Metrics.{config.metric}")]), REJECTED: b""}
    parts[DECISIONS] = write_rows([DECISION_COLUMNS])
    if config.in_process:
        parts[LOG] = b""
    return parts


def begin_staging(config: RunConfig) -> dict[str, bytes]:
    """The first bytes of every file that chunks append to, with those that are never published.

    If people are chosen after the last chunk, the segment and the decisions come then.
    """
    parts = begin_outputs(config)
    if config.chooses and parts.pop(SEGMENT, None) is not None:
        del parts[DECISIONS]
        parts |= {ALL_SEGMENT: b"", ALL_DECISIONS: b""}
    return {**parts, PEOPLE: b"", CHUNKS: b""}


def end_outputs(counts: Counter[str], config: RunConfig) -> dict[str, bytes]:
    """Return the last bytes: an empty gzip member if no person was kept, or else nothing."""
    if not config.writes or config.chooses or counts[Status.KEPT]:
        return {}
    return {SEGMENT: gzip.compress(b"", COMPRESSION, mtime=0)}


def compress(text: bytes) -> bytes:
    """Compress text as a gzip member; nothing if the text is empty."""
    return gzip.compress(text, COMPRESSION, mtime=0) if text else b""


def write_rows(rows: Sequence[tuple[str, ...]]) -> bytes:
    """Write CSV rows of two or more columns in UTF-8 (quoted as in RFC 4180; lines end in \\n).

    Most rows need no quotes. Joining them is three times as fast as csv.writer.
    """
    if not rows:
        return b""
    joined = END.join(map(BETWEEN.join, rows))
    needs_writer = (
        NEEDS_QUOTES.search(joined) is not None
        or joined.count(END) != len(rows) - 1
        or joined.count(BETWEEN) != len(rows) * (len(rows[0]) - 1)
    )
    if not needs_writer:
        return (joined.replace(BETWEEN, ",").replace(END, "\n") + "\n").encode()
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
