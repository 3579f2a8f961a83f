"""Process a chunk: send its slices to the hook, and collect the outputs.

Input: a chunk, a hook and the run's configuration. Output: a ChunkResult, whose parts are appended
to the output files. Nothing is kept between chunks, so any process can process any chunk, in any
order.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS, Outcome
from segment_scorer.runner.asking.host_rules import ATTEMPTS, NOT_JSON, Hook, HookAnswer, ask_hook
from segment_scorer.runner.chunks import MOST_REJECTIONS, Chunk, ChunkResult, ChunkSize
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import Slice
from segment_scorer.runner.reading.people import Person, SliceReader
from segment_scorer.runner.recorder import UNSENT, Recorder
from segment_scorer.runner.reporting.statistics import Statistics
from segment_scorer.runner.summary import Status
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
from segment_scorer.runner.writing.rows import compress, write_rows

FAILED = Outcome(Status.FAILED)
_encoder = msgspec.json.Encoder()


class ChunkProcessor:
    """Collects the outputs of one chunk. Rows are in the order of the records."""

    def __init__(
        self, hook: Hook, config: RunConfig, file: str, header: tuple[str, ...] | None
    ) -> None:
        """`file` is the name of the file in rejected lines; `header`: see `Chunk`."""
        self._hook = hook
        self._config = config
        self._adapter = HOST_ADAPTERS[config.host]
        self._reader = SliceReader(config, file, header)
        self._counts: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._statistics = Statistics()
        self._segment: list[bytes] = []
        self._recorder = Recorder(config, self._counts, self._statistics)
        self._configs = {
            name: msgspec.structs.replace(config, treatment_id=name)
            for name, _ in config.treatments
        } or {"": config}

    def process(self, piece: Slice) -> None:
        """Send the people of a slice, and record the outcome of each of them."""
        people = self._reader.read(piece)
        sent = [each for each in people if each.is_sent]
        self._counts["received"] += len(people)
        outcomes = self._send_all(sent)
        if len(sent) == len(people):
            self._recorder.record(people, outcomes)
            return
        found = iter(outcomes)
        self._recorder.record(people, [next(found) if each.is_sent else UNSENT for each in people])

    def _send_all(self, people: list[Person]) -> list[Outcome]:
        """Send people, a batch for each treatment, and write the kept ones in their order.

        Returns the outcome of each.
        """
        make_entry = self._adapter.make_entry
        entries = {each.id: make_entry(each.record, self._config) for each in people}
        if len(self._configs) == 1:
            return self._send(people, entries, self._config) if people else []
        outcomes: dict[str, Outcome] = {}
        for name, config in self._configs.items():
            batch = [each for each in people if each.treatment == name]
            if batch:
                sent = {each.id: entries[each.id] for each in batch}
                found = self._send(batch, sent, config)
                outcomes |= zip([each.id for each in batch], found, strict=True)
        kept = [record for _, record, _ in map(outcomes.__getitem__, entries) if record is not None]
        self._segment.append(_encoder.encode_lines(kept))
        return [outcomes[each.id] for each in people]

    def _send(
        self, people: list[Person], entries: dict[str, Any], config: RunConfig
    ) -> list[Outcome]:
        """Send a batch, and write the kept people if the slice is one batch.

        Returns the outcome of each.
        """
        answer = self._ask(entries, config)
        if answer.reply is None:
            return [FAILED] * len(people)
        decisions = {}
        if answer.account is not None:
            endpoints = answer.account.batch.endpoints
            decided = zip(endpoints, answer.account.decisions, strict=True)
            decisions = {endpoint.id: decision for endpoint, decision in decided}
        reply, classify, kind = answer.reply.get, self._adapter.classify, self._config.score
        find_decision = decisions.get
        outcomes = [
            classify(each.id, each.record, reply(each.id), find_decision(each.id), kind)
            for each in people
        ]
        kept = [record for _, record, _ in outcomes if record is not None]
        try:
            segment = _encoder.encode_lines(kept)
        except (TypeError, ValueError, RecursionError, OverflowError):
            # Only a function in this process can answer so. A host could not decode it, either.
            self._problems[NOT_JSON] += ATTEMPTS
            self._counts["attempts"] += ATTEMPTS - 1
            return [FAILED] * len(people)
        self._statistics.readdressed += count_readdressed(people, outcomes)
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

    def finish(self) -> ChunkResult:
        """Return the result of everything recorded."""
        log = self._hook.take_log()
        if self._reader.rejected:
            self._counts["rejected"] = len(self._reader.rejected)
        notes, groups = self._recorder.finish()
        parts = {PEOPLE: notes}
        segment, decisions = b"", b""
        if self._config.writes:
            segment = compress(b"".join(self._segment))
            decisions = write_rows(self._recorder.decisions)
            chooses = self._config.chooses
            parts |= {
                ALL_SEGMENT if chooses else SEGMENT: segment,
                SCORES: write_rows(self._recorder.scores),
                ALL_DECISIONS if chooses else DECISIONS: decisions,
                REJECTED: _encoder.encode_lines(self._reader.rejected),
            }
            if self._config.in_process:
                parts[LOG] = log.encode()
        size = ChunkSize(
            people=self._recorder.people,
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


def count_readdressed(people: Sequence[Person], outcomes: Sequence[Outcome]) -> int:
    """How many kept people got another address from the hook."""
    return sum(
        record is not None
        and "Address" in record
        and record["Address"] != person.record.document.get("Address")
        for person, (_, record, _) in zip(people, outcomes, strict=True)
    )


def process_chunk(chunk: Chunk, hook: Hook, config: RunConfig) -> ChunkResult:
    """Process every slice of a chunk."""
    with paused_collector():
        processor = ChunkProcessor(hook, config, chunk.file, chunk.header)
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
