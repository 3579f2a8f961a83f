"""Records the outcomes of a chunk's people: one pass over each slice, columns at the end.

Input: people with their outcomes, in the order of the records. Output: rows of files, counts and
statistics. Sends nothing and writes no file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from function.policy import format_score
from function.records import Endpoint, Reason
from segment_scorer.runner.asking.host_adapters import Outcome, read_score
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.people import Person
from segment_scorer.runner.reporting.statistics import RawGroup, Statistics
from segment_scorer.runner.summary import (
    BY_RULE,
    REASON_COUNTS,
    TREATMENT,
    Status,
    UnsentReason,
)
from segment_scorer.runner.writing.people import HELD, KEPT, SELECTED, pack_notes
from segment_scorer.runner.writing.rows import FLAGS

# First characters of a cell that a spreadsheet reads as a formula. Source: OWASP, CSV injection.
FORMULA_SIGNS = frozenset("=+-@\t\r")
UNSENT = Outcome(Status.FILTERED)


class Recorder:
    """What is known of each person of one chunk.

    scores, decisions  rows of the files of these names
    """

    def __init__(self, config: RunConfig, counts: Counter[str], statistics: Statistics) -> None:
        """`counts` and `statistics` of the chunk are added to."""
        self._config = config
        self._counts = counts
        self._statistics = statistics
        self.scores: list[tuple[str, str]] = []
        self.decisions: list[tuple[str, ...]] = []
        self._people: list[Person] = []
        self._flags = bytearray()
        self._groups: list[RawGroup] = []
        self._values: list[float | None] = []

    @property
    def people(self) -> int:
        """How many people were recorded."""
        return len(self._people)

    def record(self, people: Iterable[Person], outcomes: Iterable[Outcome]) -> None:
        """Record the outcome of each person of a slice."""
        decimals, kept_status = self._config.decimals, Status.KEPT
        for person, (status, kept, decision) in zip(people, outcomes, strict=True):
            is_kept = status is kept_status
            score, text, band = None, "", ""
            reason: Reason | UnsentReason = Reason.UNKNOWN
            selected: bool | None = None
            holdout: bool | None = None
            rule = ""
            if decision is not None:
                selected, holdout, reason = decision.selected, decision.holdout, decision.reason
                score = decision.score
                if score is not None:
                    text = format_score(score, decimals)
                if decision.band is not None:
                    band = decision.band.name
                if is_kept and decision.dropped:
                    self._counts["would_filter"] += 1
                rule = decision.excluded_by
            elif not person.is_sent:
                reason, selected = person.why, False
            elif kept is not None:
                score, text, selected, holdout = self._read_kept(person, kept)
            if text:
                self.scores.append((person.id, text))
            why: str = status if status is Status.FAILED else reason
            if rule and reason is Reason.EXCLUDED:
                why = f"{BY_RULE}{rule}"
                self._counts[why] += 1
            # One tuple of plain texts: the rows are joined all at once.
            flags = FLAGS[selected], FLAGS[holdout], FLAGS[is_kept]
            self.decisions.append(
                (person.id, person.user, *flags, why, text, band, person.treatment)
            )
            self._flags.append(
                (SELECTED if selected else 0) | (KEPT if is_kept else 0) | (HELD if holdout else 0)
            )
            if person.treatment:
                self._count_treatment(person, status, held=bool(holdout))
            if selected is None:
                selected = is_kept
            self._groups.append((person.channel, person.country, band, reason, status, selected))
            self._values.append(score)
            self._people.append(person)

    def _read_kept(
        self, person: Person, kept: dict[str, Any]
    ) -> tuple[float | None, str, bool | None, bool | None]:
        """Score, its text, selected and holdout of a person whom a bare reply kept."""
        read = read_score(kept, self._config.score_attribute, self._config.score)
        if not read:
            return None, "", None, None
        if self._config.holdout is None:
            return float(read), read, None, None
        # A deployed function in mode annotate.
        endpoint = Endpoint(id=person.id, document=person.record.document)
        return float(read), read, True, self._config.holdout.holds(endpoint)

    def _count_treatment(self, person: Person, status: Status, *, held: bool) -> None:
        words = ("received", status, "held_out") if held else ("received", status)
        self._counts.update(f"{TREATMENT}{person.treatment}:{word}" for word in words)

    def finish(self) -> tuple[bytes, list[list[Any]]]:
        """Count everybody. Gives their notes, and the groups that these number."""
        codes, groups = self._statistics.add_people(self._groups, self._values)
        for group, count in self._statistics.people.items():
            self._counts[group.status] += count
            if group.reason in REASON_COUNTS:
                self._counts[REASON_COUNTS[group.reason]] += count
        if self._config.writes:
            self._statistics.formula_ids += sum(
                each.id[:1] in FORMULA_SIGNS or each.user[:1] in FORMULA_SIGNS
                for each in self._people
            )
        notes = pack_notes(
            self._config, self._people, scores=self._values, flags=bytes(self._flags), groups=codes
        )
        return notes, [list(group) for group in groups]
