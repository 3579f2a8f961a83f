"""Walks slices of a segment through the hook: records in, pages of finished output and counts out.

Takes a chunk of slices, gives one ChunkResult whose parts can be appended to the output files as they are. Keeps nothing between chunks, so
that any process can walk any chunk, in any order.
"""

from __future__ import annotations

import contextlib
import csv
import gc
import gzip
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from function.hosts.pinpoint import opted_out
from function.policy import format_score
from model.people.columns import RecordError
from model.people.records import Decoder, Record, make_decoder
from segment_scorer.runner.asking.host_adapters import (
    FAILED,
    FILTERED,
    HOST_ADAPTERS,
    KEPT,
    Outcome,
)
from segment_scorer.runner.asking.host_rules import ATTEMPTS, NO_JSON, Hook, HookAnswer, ask_hook
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import Slice
from segment_scorer.runner.reporting.statistics import Row, Statistics
from segment_scorer.runner.summary import REASON_COUNTS
from segment_scorer.runner.writing.formats import find_columns

SEGMENT, SCORES, DECISIONS, REJECTED, LOG = (
    "segment.jsonl.gz",
    "scores.csv",
    "decisions.csv",
    "rejected.jsonl",
    "batches.jsonl",
)
# Fast rather than small: level 1 takes a quarter of level 6's time, and the file is read once.
COMPRESSION = 1
MOST_COMPLAINTS = 5
# Characters that no field should hold; where one does, csv.writer writes the rows.
BETWEEN, END = "\x1f", "\x1e"
NEEDS_QUOTES = re.compile('[",\r\n]')
# The id of whom a record speaks, the record, and whether it is sent (else the person opted out).
Person: TypeAlias = tuple[str, Record, bool]
LEFT_OUT: Outcome = (FILTERED, None, None)  # opted out: not sent
LOST: Outcome = (FAILED, None, None)  # of a batch without a valid answer
_encoder = msgspec.json.Encoder()


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Some slices of one file, walked together.

    header    the columns of a CSV file; None where records are JSON objects
    position  bytes of the whole segment read when the chunk was cut
    """

    file: str
    header: tuple[str, ...] | None
    slices: list[Slice]
    position: int


class ChunkResult(msgspec.Struct, frozen=True, kw_only=True):
    """What walking a chunk came to.

    parts       file name -> bytes to append
    problems    why attempts failed, and how often
    complaints  the first rejected lines, each a sentence that names file and line
    """

    parts: dict[str, bytes]
    counts: Counter[str]
    problems: Counter[str]
    complaints: list[str]
    statistics: Any  # a Statistics; msgspec knows only plain types


class ChunkProcessor:
    """Collects one chunk's output. Rows are written in the order of the records."""

    def __init__(self, hook: Hook, config: RunConfig, file: str, decode: Decoder) -> None:
        """`file` is how rejected lines name where they stood."""
        self._hook = hook
        self._terms = config
        self._side = HOST_ADAPTERS[config.host]
        self._file = file
        self._decode = decode
        self._counts: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._tally = Statistics()
        self._segment: list[bytes] = []
        self._rejected: list[dict[str, Any]] = []
        self._scores: list[tuple[str, str]] = []
        self._decisions: list[tuple[str, str, str, str, str]] = []
        self._groups: list[Row] = []
        self._values: list[float | None] = []

    def walk(self, piece: Slice) -> None:
        """Send what of the slice is to be sent, and enter every record's outcome."""
        people, sent = self._read(piece)
        self._counts["received"] += len(people)
        outcomes = self._classify(people, sent) if sent else {}
        for id_, record, is_sent in people:
            self._enter(id_, record, outcomes[id_] if is_sent else LEFT_OUT)

    def _classify(self, people: list[Person], sent: dict[str, Any]) -> dict[str, Outcome]:
        """Ask the hook about the batch; what became of everybody sent. Writes down the kept."""
        outcome = self._ask(sent)
        if outcome.reply is None:
            return dict.fromkeys(sent, LOST)
        reply, seen, classify = outcome.reply, outcome.decisions or {}, self._side.classify
        outcomes = {
            id_: classify(id_, record, reply.get(id_), seen.get(id_))
            for id_, record, is_sent in people
            if is_sent
        }
        kept = [document for _, document, _ in outcomes.values() if document is not None]
        try:
            segment = _encoder.encode_lines(kept)
        except (
            TypeError,
            ValueError,
            RecursionError,
            OverflowError,
        ):  # of a function in this process: no host could decode it
            self._problems[NO_JSON] += ATTEMPTS
            self._counts["attempts"] += ATTEMPTS - 1
            return dict.fromkeys(sent, LOST)
        self._segment.append(segment)
        if self._terms.tables:
            self._tally.add_columns(find_columns(kept))
        return outcomes

    def _read(self, piece: Slice) -> tuple[list[Person], dict[str, Any]]:
        """Everybody readable in the slice, and of them those to be sent, each with its entry in the event."""
        people: list[Person] = []
        sent: dict[str, Any] = {}
        include, make_entry = self._terms.include_opted_out, self._side.make_entry
        for number, raw in zip(piece.numbers, piece.records, strict=True):
            try:
                record = self._decode(raw)
            except RecordError as error:
                self._reject(number, raw, str(error))
                continue
            id_ = record.document["Id"]
            if not id_:
                self._reject(number, raw, "$.ProfileId: expected text of one character or more")
                continue
            choice, status = record.document.get("OptOut"), record.document.get("EndpointStatus")
            is_sent = include or record.profile is not None or not opted_out(choice, status)
            people.append((id_, record, is_sent))
            if is_sent:
                sent[id_] = make_entry(record)
        return people, sent

    def _reject(self, number: int, raw: bytes, problem: str) -> None:
        self._counts["rejected"] += 1
        text = raw.rstrip(b"\r\n").decode(errors="replace")
        self._rejected.append(
            {"file": self._file, "line": number, "problem": problem, "text": text}
        )

    def _ask(self, sent: dict[str, Any]) -> HookAnswer:
        event = self._side.build_event(sent, self._terms)
        outcome = ask_hook(self._hook, event, sent.keys(), self._side.read_reply)
        self._counts["batches"] += 1
        self._counts["attempts"] += outcome.attempts
        self._problems.update(outcome.problems)
        self._tally.add_times(outcome.seconds)
        return outcome

    def _enter(self, id_: str, record: Record, fate: Outcome) -> None:
        """Enter one person into every book. Counts of outcomes and reasons are made of the groups, all at once, in `close`."""
        outcome, kept, decision = fate
        score, text, band, reason = None, "", "", ""
        if decision is not None:
            reason, score = decision.reason, decision.score
            if score is not None:
                text = format_score(score, self._terms.decimals)
                self._scores.append((id_, text))
            if decision.band is not None:
                band = decision.band.name
            if outcome == KEPT and not decision.keep:
                self._counts["would_filter"] += 1
            self._decisions.append((id_, "keep" if decision.keep else "drop", reason, text, band))
        elif fate is LEFT_OUT:
            reason = "opted_out"
            self._decisions.append((id_, "drop", reason, "", ""))
        elif outcome == FAILED:
            self._decisions.append((id_, FAILED, "", "", ""))
        elif (
            kept is not None and (read := read_score(kept, self._terms.score_attribute)) is not None
        ):
            score = float(read)
            self._scores.append((id_, read))
        document = record.document
        place = document.get("Location")
        country = place.get("Country") if isinstance(place, dict) else None
        keep = outcome == KEPT if decision is None else decision.keep
        self._groups.append((document.get("ChannelType"), country, band, reason, outcome, keep))
        self._values.append(score)

    def close(self) -> ChunkResult:
        """The result of everything entered."""
        log = self._hook.take_log()
        self._tally.add_people(self._groups, self._values)
        for group, count in self._tally.people.items():
            self._counts[group.outcome] += count
            if group.reason not in {"", "score"}:
                self._counts[REASON_COUNTS.get(group.reason, group.reason)] += count
        self._tally.add_log(log.splitlines())
        parts: dict[str, bytes] = {}
        if self._terms.writes:
            segment = b"".join(self._segment)
            parts = {
                SEGMENT: gzip.compress(segment, COMPRESSION, mtime=0) if segment else b"",
                SCORES: write_rows(self._scores),
                REJECTED: _encoder.encode_lines(self._rejected),
            }
            if self._terms.knows_decisions:
                parts[DECISIONS] = write_rows(self._decisions)
            if self._terms.has_log:
                parts[LOG] = log.encode()
        complaints = [
            f"{row['file']}, line {row['line']}: {row['problem']}"
            for row in self._rejected[:MOST_COMPLAINTS]
        ]
        return ChunkResult(
            parts=parts,
            counts=self._counts,
            problems=self._problems,
            complaints=complaints,
            statistics=self._tally,
        )


def process_chunk(chunk: Chunk, hook: Hook, config: RunConfig) -> ChunkResult:
    """Walk every slice of a chunk."""
    with without_collecting():
        walker = ChunkProcessor(hook, config, chunk.file, make_decoder(chunk.header))
        for piece in chunk.slices:
            walker.walk(piece)
        return walker.close()


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """Hold back Python's cycle collector: it walks thousands of decoded people again and again, a fifth of the time, and finds nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def begin_outputs(config: RunConfig) -> dict[str, bytes]:
    """What each output file of this run begins with; its keys are all the files that pages are appended to."""
    if not config.writes:
        return {}
    parts = {SEGMENT: b"", SCORES: write_rows([("Id", f"Metrics.{config.metric}")]), REJECTED: b""}
    if config.knows_decisions:
        parts[DECISIONS] = write_rows([("Id", "decision", "reason", "score", "band")])
    if config.has_log:
        parts[LOG] = b""
    return parts


def end_outputs(counts: Counter[str], config: RunConfig) -> dict[str, bytes]:
    """What is appended last: an empty gzip member where nobody was kept, because no bytes at all are no gzip file."""
    return (
        {SEGMENT: gzip.compress(b"", COMPRESSION, mtime=0)}
        if config.writes and not counts["kept"]
        else {}
    )


def write_rows(rows: Sequence[tuple[str, ...]]) -> bytes:
    """Rows of CSV, two columns or more (RFC 4180 quoting, but lines end in a bare newline) in UTF-8.

    Where no field needs a quote, which is nearly always, joining them is three times as fast as csv.writer, and comes to the same.
    """
    joined = END.join(map(BETWEEN.join, rows))
    if not rows or (
        NEEDS_QUOTES.search(joined) is None
        and joined.count(END) == len(rows) - 1
        and joined.count(BETWEEN) == len(rows) * (len(rows[0]) - 1)
    ):
        return (joined.replace(BETWEEN, ",").replace(END, "\n") + "\n").encode() if rows else b""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def read_score(definition: dict[str, Any], attribute: str) -> str | None:
    """The score that the policy wrote on a kept endpoint, as it stands there; None where there is none from 0 to 1."""
    attributes = definition.get("Attributes")
    values = attributes.get(attribute) if attribute and isinstance(attributes, dict) else None
    text = values[0] if isinstance(values, list) and values else values
    if not isinstance(text, str):
        return None
    try:
        return text if 0 <= float(text) <= 1 and math.isfinite(float(text)) else None
    except ValueError:
        return None
