"""Process a chunk: send its slices to the hook, and collect the outputs.

Input: a chunk, a hook and the run's configuration. Output: a ChunkResult, whose parts are appended
to the output files. Nothing is kept between chunks, so any process can process any chunk, in any
order.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from function.policy import format_score
from function.records import Endpoint, Reason
from model.paths import find_user
from model.people.records import Decoder, make_decoder
from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS, Outcome, read_score
from segment_scorer.runner.asking.host_rules import ATTEMPTS, NOT_JSON, Hook, HookAnswer, ask_hook
from segment_scorer.runner.chunks import MOST_REJECTIONS, Chunk, ChunkResult, ChunkSize
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import Slice
from segment_scorer.runner.reading.people import Person, SliceReader
from segment_scorer.runner.reporting.statistics import RawGroup, Statistics, number_groups
from segment_scorer.runner.summary import (
    BY_RULE,
    REASON_COUNTS,
    TREATMENT,
    Status,
    UnsentReason,
)
from segment_scorer.runner.writing.formats import find_columns
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
from segment_scorer.runner.writing.people import PeopleNotes
from segment_scorer.runner.writing.rows import FLAGS, compress, write_rows

UNSENT = Outcome(Status.FILTERED)
FAILED = Outcome(Status.FAILED)
# First characters of a cell that a spreadsheet reads as a formula. Source: OWASP, CSV injection.
FORMULA_SIGNS = frozenset("=+-@\t\r")
_encoder = msgspec.json.Encoder()


class ChunkProcessor:
    """Collects the outputs of one chunk. Rows are in the order of the records."""

    def __init__(self, hook: Hook, config: RunConfig, file: str, decode: Decoder) -> None:
        """`file` is the name of the file in rejected lines."""
        self._hook = hook
        self._config = config
        self._adapter = HOST_ADAPTERS[config.host]
        self._reader = SliceReader(config, file, decode)
        self._counts: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._statistics = Statistics()
        self._segment: list[bytes] = []
        self._scores: list[tuple[str, str]] = []
        self._decisions: list[tuple[str, ...]] = []
        self._notes = PeopleNotes(config)
        self._configs = {
            name: msgspec.structs.replace(config, treatment_id=name)
            for name, _ in config.treatments
        } or {"": config}
        self._groups: list[RawGroup] = []
        self._values: list[float | None] = []

    def process(self, piece: Slice) -> None:
        """Send the people of a slice, and record the outcome of each of them."""
        people = self._reader.read(piece)
        make_entry = self._adapter.make_entry
        entries = {each.id: make_entry(each.record) for each in people if each.is_sent}
        self._counts["received"] += len(people)
        outcomes = self._send_all(people, entries)
        for person in people:
            self._record(person, outcomes[person.id] if person.is_sent else UNSENT)

    def _send_all(self, people: list[Person], entries: dict[str, Any]) -> dict[str, Outcome]:
        """Send a slice, a batch for each treatment, and write the kept people in their order.

        Returns the outcome of everyone sent.
        """
        outcomes: dict[str, Outcome] = {}
        for name, config in self._configs.items():
            batch = [each for each in people if each.is_sent and each.treatment == name]
            if batch:
                sent = {each.id: entries[each.id] for each in batch}
                outcomes |= self._send(batch, sent, config)
        if len(self._configs) > 1:
            found = (outcomes[each.id].record for each in people if each.is_sent)
            kept = [record for record in found if record is not None]
            self._segment.append(_encoder.encode_lines(kept))
        return outcomes

    def _send(
        self, people: list[Person], entries: dict[str, Any], config: RunConfig
    ) -> dict[str, Outcome]:
        """Send a batch, and write the kept people if the slice is one batch."""
        answer = self._ask(entries, config)
        if answer.reply is None:
            return dict.fromkeys(entries, FAILED)
        decisions = {}
        if answer.account is not None:
            endpoints = answer.account.batch.endpoints
            decided = zip(endpoints, answer.account.decisions, strict=True)
            decisions = {endpoint.id: decision for endpoint, decision in decided}
        reply, classify = answer.reply, self._adapter.classify
        outcomes = {
            id_: classify(id_, record, reply.get(id_), decisions.get(id_), self._config.score)
            for id_, record, *_ in people
        }
        kept = [outcome.record for outcome in outcomes.values() if outcome.record is not None]
        addresses = {id_: record.document.get("Address") for id_, record, *_ in people}
        try:
            segment = _encoder.encode_lines(kept)
        except (TypeError, ValueError, RecursionError, OverflowError):
            # Only a function in this process can answer so. A host could not decode it, either.
            self._problems[NOT_JSON] += ATTEMPTS
            self._counts["attempts"] += ATTEMPTS - 1
            return dict.fromkeys(entries, FAILED)
        self._statistics.readdressed += sum(
            "Address" in outcome.record and outcome.record["Address"] != addresses[id_]
            for id_, outcome in outcomes.items()
            if outcome.record is not None
        )
        if len(self._configs) == 1:
            self._segment.append(segment)
        if self._config.tables:
            self._statistics.add_columns(find_columns(kept))
        return outcomes

    def _ask(self, entries: dict[str, Any], config: RunConfig) -> HookAnswer:
        event = self._adapter.build_event(entries, config)
        answer = ask_hook(self._hook, event, entries.keys(), self._adapter.read_reply)
        self._counts["batches"] += 1
        self._counts["attempts"] += answer.attempts
        self._problems.update(answer.problems)
        self._statistics.add_times(answer.seconds)
        for account in answer.accounts:
            self._statistics.add_account(account)
        if answer.account is not None:
            self._statistics.add_unreadable(answer.account)
        return answer

    def _record(self, person: Person, outcome: Outcome) -> None:
        """Record one person's outcome. The groups are counted all at once, in `finish`."""
        status, kept, decision = outcome
        document = person.record.document
        user = find_user(document) or ""
        if self._config.writes and not FORMULA_SIGNS.isdisjoint((person.id[:1], user[:1])):
            self._statistics.formula_ids += 1
        reason: Reason | UnsentReason = Reason.UNKNOWN
        selected: bool | None = None
        holdout: bool | None = None
        score, text, band = None, "", ""
        if decision is not None:
            reason, score = decision.reason, decision.score
            selected, holdout = decision.selected, decision.holdout
            if score is not None:
                text = format_score(score, self._config.decimals)
                self._scores.append((person.id, text))
            if decision.band is not None:
                band = decision.band.name
            if status == Status.KEPT and decision.dropped:
                self._counts["would_filter"] += 1
        elif outcome is UNSENT:
            reason, selected = person.why, False
        elif kept is not None and (
            read := read_score(kept, self._config.score_attribute, self._config.score)
        ):
            score, text = float(read), read
            self._scores.append((person.id, read))
            if self._config.holdout is not None:  # a deployed function in mode annotate
                selected = True
                holdout = self._config.holdout.holds(Endpoint(id=person.id, document=document))
        flags = FLAGS[selected], FLAGS[holdout], FLAGS[status == Status.KEPT]
        why: str = status if status == Status.FAILED else reason
        if reason is Reason.EXCLUDED and decision is not None and decision.excluded_by:
            why = f"{BY_RULE}{decision.excluded_by}"
            self._counts[why] += 1
        row = (person.id, user, *flags, why, text, band, person.treatment)
        self._decisions.append(row)
        self._notes.add(
            (user, person.id),
            document.get("ChannelType"),
            person.treatment,
            selected=selected,
            kept=status == Status.KEPT,
            held=holdout,
        )
        if person.treatment:
            words = ("received", status, "held_out") if holdout else ("received", status)
            self._counts.update(f"{TREATMENT}{person.treatment}:{word}" for word in words)
        location = document.get("Location")
        country = location.get("Country") if isinstance(location, dict) else None
        if selected is None:
            selected = status == Status.KEPT
        self._groups.append((document.get("ChannelType"), country, band, reason, status, selected))
        self._values.append(score)

    def finish(self) -> ChunkResult:
        """Return the result of everything recorded."""
        log = self._hook.take_log()
        if self._reader.rejected:
            self._counts["rejected"] = len(self._reader.rejected)
        self._statistics.add_people(self._groups, self._values)
        for group, count in self._statistics.people.items():
            self._counts[group.status] += count
            if group.reason in REASON_COUNTS:
                self._counts[REASON_COUNTS[group.reason]] += count
        codes, groups = number_groups(self._groups)
        parts = {
            PEOPLE: self._notes.pack(self._values, codes),
        }
        segment, decisions = b"", b""
        if self._config.writes:
            segment = compress(b"".join(self._segment))
            decisions = write_rows(self._decisions)
            chooses = self._config.chooses
            parts |= {
                ALL_SEGMENT if chooses else SEGMENT: segment,
                SCORES: write_rows(self._scores),
                ALL_DECISIONS if chooses else DECISIONS: decisions,
                REJECTED: _encoder.encode_lines(self._reader.rejected),
            }
            if self._config.in_process:
                parts[LOG] = log.encode()
        size = ChunkSize(
            people=len(self._values),
            segment=len(segment),
            decisions=len(decisions),
            groups=groups,
        )
        parts[CHUNKS] = _encoder.encode(size) + b"\n"
        rejections = [
            f"{row['file']}, line {row['line']}: {row['problem']}"
            for row in self._reader.rejected[:MOST_REJECTIONS]
        ]
        return ChunkResult(
            parts=parts,
            counts=self._counts,
            problems=self._problems,
            rejections=rejections,
            statistics=self._statistics,
        )


def process_chunk(chunk: Chunk, hook: Hook, config: RunConfig) -> ChunkResult:
    """Process every slice of a chunk."""
    with paused_collector():
        processor = ChunkProcessor(hook, config, chunk.file, make_decoder(chunk.header))
        for piece in chunk.slices:
            processor.process(piece)
        return processor.finish()


@contextlib.contextmanager
def paused_collector() -> Iterator[None]:
    """Pause Python's cycle collector.

    It scans thousands of decoded records again and again, takes a fifth of the time, and finds
    nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
