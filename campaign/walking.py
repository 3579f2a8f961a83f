"""Walks slices of a segment through the hook: lines in, pages of finished output and counts out.

Takes a block of slices, gives one Page whose parts can be appended to the output files as they are. Keeps nothing between blocks, so
that any process can walk any block, in any order.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from campaign.batching import Slice, opted_out
from campaign.books import REASON_COUNTS, Terms
from campaign.rules import Hook, Outcome, ask_hook
from campaign.segments import LineError, decode_line
from function.hosts import pinpoint
from function.records import Decision

SEGMENT, SCORES, DECISIONS, REJECTED, LOG = "segment.jsonl.gz", "scores.csv", "decisions.csv", "rejected.jsonl", "batches.jsonl"
# Fast rather than small: level 1 takes a quarter of level 6's time, and the file is read once.
COMPRESSION = 1
MOST_COMPLAINTS = 5
_encoder = msgspec.json.Encoder()


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Some slices of one file, walked together. `position`: bytes of the whole segment read when the block was cut."""

    file: str
    slices: list[Slice]
    position: int


class Row(msgspec.Struct, frozen=True, gc=False):
    """A readable line: the endpoint's id, and whether it goes to the hook (else it opted out)."""

    id: str
    sent: bool


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What walking a block came to.

    parts       file name -> bytes to append
    problems    why attempts failed, and how often
    complaints  the first rejected lines, each a sentence that names file and line
    """

    parts: dict[str, bytes]
    counts: Counter[str]
    problems: Counter[str]
    complaints: list[str]


class Walker:
    """Collects one block's output. Rows are written in the order of the lines."""

    def __init__(self, hook: Hook, terms: Terms, file: str) -> None:
        """`file` is how rejected lines name where they stood."""
        self._hook = hook
        self._terms = terms
        self._file = file
        self._counts: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._kept: list[dict[str, Any]] = []
        self._rejected: list[dict[str, Any]] = []
        self._scores: list[tuple[str, str]] = []
        self._decisions: list[tuple[str, str, str, str, str]] = []

    def walk(self, piece: Slice) -> None:
        """Send what of the slice is to be sent, and enter every line's outcome."""
        rows, endpoints = self._read(piece)
        outcome = None
        if endpoints:
            terms = self._terms
            event = pinpoint.build_event(
                endpoints,
                application_id=terms.application_id,
                campaign_id=terms.campaign_id,
                activity_id=terms.activity_id,
                treatment_id=terms.treatment_id,
                scheduled_time=terms.scheduled_time,
            )
            outcome = ask_hook(self._hook, event, endpoints.keys())
            self._counts["batches"] += 1
            self._counts["attempts"] += outcome.attempts
            self._problems.update(outcome.problems)
        self._counts["received"] += len(rows)
        for row in rows:
            if outcome is None or not row.sent:
                self._enter_opted_out(row.id)
            elif outcome.reply is None:
                self._counts["failed"] += 1
                self._decisions.append((row.id, "failed", "", "", ""))
            else:
                self._enter_answered(row.id, outcome, outcome.reply.get(row.id))

    def _read(self, piece: Slice) -> tuple[list[Row], dict[str, dict[str, Any]]]:
        rows: list[Row] = []
        endpoints: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(piece.lines, piece.first):
            if line.isspace():
                continue
            try:
                id_, document = decode_line(line)
            except LineError as error:
                self._counts["rejected"] += 1
                text = line.rstrip(b"\r\n").decode(errors="replace")
                self._rejected.append({"file": self._file, "line": number, "problem": str(error), "text": text})
                continue
            sent = self._terms.include_opted_out or not opted_out(document)
            rows.append(Row(id_, sent))
            if sent:
                endpoints[id_] = document
        return rows, endpoints

    def _enter_opted_out(self, id_: str) -> None:
        self._counts["filtered"] += 1
        self._counts["opted_out"] += 1
        self._decisions.append((id_, "drop", "opted_out", "", ""))

    def _enter_answered(self, id_: str, outcome: Outcome, definition: dict[str, Any] | None) -> None:
        if definition is None:
            self._counts["filtered"] += 1
        else:
            self._counts["kept"] += 1
            self._kept.append({"Id": id_, **definition} | {"Id": id_})
        if outcome.decisions is not None:
            self._enter_decision(id_, outcome.decisions[id_], kept=definition is not None)
        elif definition is not None and (score := read_score(definition, self._terms.score_attribute)) is not None:
            self._scores.append((id_, score))

    def _enter_decision(self, id_: str, decision: Decision, *, kept: bool) -> None:
        if count := REASON_COUNTS.get(decision.reason):
            self._counts[count] += 1
        if kept and not decision.keep:
            self._counts["would_filter"] += 1
        score = "" if decision.score is None else f"{decision.score:.{self._terms.decimals}f}"
        if score:
            self._scores.append((id_, score))
        band = decision.band.name if decision.band else ""
        self._decisions.append((id_, "keep" if decision.keep else "drop", decision.reason, score, band))

    def close(self) -> Page:
        """The page of everything entered."""
        parts = {
            SEGMENT: gzip.compress(_encoder.encode_lines(self._kept), COMPRESSION, mtime=0) if self._kept else b"",
            SCORES: write_rows(self._scores),
            REJECTED: _encoder.encode_lines(self._rejected),
        }
        if self._terms.knows_decisions:
            parts |= {DECISIONS: write_rows(self._decisions), LOG: self._hook.take_log().encode()}
        complaints = [f"{row['file']}, line {row['line']}: {row['problem']}" for row in self._rejected[:MOST_COMPLAINTS]]
        return Page(parts=parts, counts=self._counts, problems=self._problems, complaints=complaints)


def walk_block(block: Block, hook: Hook, terms: Terms) -> Page:
    """Walk every slice of a block."""
    walker = Walker(hook, terms, block.file)
    for piece in block.slices:
        walker.walk(piece)
    return walker.close()


def begin_page(terms: Terms) -> dict[str, bytes]:
    """What each output file of this run begins with; its keys are all the files the run writes besides the summary."""
    parts = {SEGMENT: b"", SCORES: write_rows([("Id", f"Metrics.{terms.metric}")]), REJECTED: b""}
    if terms.knows_decisions:
        parts |= {DECISIONS: write_rows([("Id", "decision", "reason", "score", "band")]), LOG: b""}
    return parts


def end_page(counts: Counter[str]) -> dict[str, bytes]:
    """What is appended last: an empty gzip member where nobody was kept, because no bytes at all are no gzip file."""
    return {} if counts["kept"] else {SEGMENT: gzip.compress(b"", COMPRESSION, mtime=0)}


def write_rows(rows: Sequence[tuple[str, ...]]) -> bytes:
    """Rows of CSV (RFC 4180 quoting, but lines end in a bare newline) in UTF-8."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def read_score(definition: dict[str, Any], attribute: str) -> str | None:
    """The score that the function wrote into a definition's attribute, as it stands there; None when there is none."""
    values = (definition.get("Attributes") or {}).get(attribute)
    text = values[0] if isinstance(values, list) and values else values
    if not isinstance(text, str):
        return None
    try:
        return text if 0 <= float(text) <= 1 and math.isfinite(float(text)) else None
    except ValueError:
        return None
