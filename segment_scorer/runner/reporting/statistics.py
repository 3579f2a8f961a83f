"""The figures behind the report: counts by group, scores, times and bins, of a chunk or of a whole run. Adding up is all they do.

Takes what the walker saw; gives sums in which nobody can be found again: no id, no address, no attribute.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from function.telemetry import BATCH
from segment_scorer.monitoring.drift import SCORE, add_bins
from segment_scorer.runner.reporting.labels import ODD, label_channel, label_country

# Scores are counted to 4 decimals, the policy's default, and never rounded up: a threshold of 4 decimals then divides the buckets as it
# divides the scores, however many decimals those have.
BUCKETS = 10_000
HAIR = 1e-9  # what a product of two floats may lack of a whole number
# What can go wrong in a batch that is answered all the same.
NO_SCORES, FALLBACK_USED, NO_EXTERNAL = "no scores", "resorted", "no external attributes"
# Twenty buckets a factor of ten: a time is known within 12 %.
TIMES_A_DECADE = 20


class Group(NamedTuple):
    """People alike in this. reason and band are empty where they are not known.

    outcome  kept, filtered or failed
    keep     what the rules say, which modes annotate and shadow do not act on; where that is not shown, what became of them
    """

    channel: str
    country: str
    band: str
    reason: str
    outcome: str
    keep: bool


# A group as it stands in documents: channel and country may be anything.
Row: TypeAlias = tuple[Any, Any, str, str, str, bool]


class Line(msgspec.Struct, frozen=True):
    """What is read of a line of the function's log; everything else in it is passed over."""

    message: str
    feature_bins: dict[str, list[int]] | None = None
    score_bins: list[int] | None = None
    error: str | None = None
    external_error: str | None = None
    fallback_used: int = 0


_decode_line = msgspec.json.Decoder(Line).decode


class Statistics:
    """Sums that can be added to other sums.

    people   group -> how many
    scored   group -> how many of them have a score
    expected group -> sum of their scores: the responses to expect if the scores are calibrated
    scores   bucket -> how many of those whom the score alone decided
    times    bucket of `bucket_of` -> how many calls of the hook
    bins     column -> bins, as the function's log has them; batches: of how many batches
    failures what went wrong and the error's class, as the log has them -> in how many batches
    columns  dotted path -> most values that one of the kept has there; counted only for a table
    """

    def __init__(self) -> None:
        self.people: Counter[Group] = Counter()
        self.scored: Counter[Group] = Counter()
        self.expected: dict[Group, float] = {}
        self.scores: Counter[int] = Counter()
        self.times: Counter[int] = Counter()
        self.bins: dict[str, list[int]] = {}
        self.batches = 0
        self.failures: Counter[tuple[str, str]] = Counter()
        self.columns: dict[str, int] = {}

    def add_people(self, rows: Sequence[Row], scores: Sequence[float | None]) -> None:
        """Count people, row for row with their scores. A row is a group, channel and country as they stand in the document."""
        sums: dict[Row, list[float]] = {}
        decided: list[int] = []
        for row, score in zip(rows, scores, strict=True):
            try:
                held = sums.get(row)
            except TypeError:  # a list or a map where a channel or a country belongs
                row = (ODD, ODD, *row[2:])  # noqa: PLW2901  # it stands for the same person
                held = sums.get(row)
            if held is None:
                held = sums[row] = [0, 0.0, 0]
            held[0] += 1
            if score is not None:
                held[1] += score
                held[2] += 1
                if row[3] == "score" or not row[3]:
                    decided.append(int(score * BUCKETS + HAIR))
        self.scores.update(decided)
        for (channel, country, band, reason, outcome, keep), (count, total, scored) in sums.items():
            group = Group(
                label_channel(channel), label_country(country), band, reason, outcome, keep
            )
            self.people[group] += int(count)
            if scored:
                self.scored[group] += int(scored)
                self.expected[group] = self.expected.get(group, 0.0) + total

    def add_times(self, seconds: Iterable[float]) -> None:
        """Count calls of the hook by how long they took."""
        self.times.update(map(bucket_of, seconds))

    def add_log(self, lines: Iterable[str]) -> None:
        """Sum the bins and count the errors that the function logs with each batch; other lines are passed over."""
        for text in lines:
            if f'"{BATCH}"' not in text:
                continue
            try:
                line = _decode_line(text)
            except msgspec.DecodeError:
                continue
            if line.message != BATCH:
                continue
            if line.error:
                self.failures[FALLBACK_USED if line.fallback_used else NO_SCORES, line.error] += 1
            if line.external_error:
                self.failures[NO_EXTERNAL, line.external_error] += 1
            if line.feature_bins is not None:
                self.batches += 1
                add_bins(self.bins, {**line.feature_bins, SCORE: line.score_bins or []})

    def add_columns(self, columns: Mapping[str, int]) -> None:
        """Remember the most values a path has had."""
        for path, most in columns.items():
            if most > self.columns.get(path, 0):
                self.columns[path] = most

    def add(self, other: Statistics) -> None:
        """Add another statistics to this one."""
        self.people.update(other.people)
        self.scored.update(other.scored)
        for group, total in other.expected.items():
            self.expected[group] = self.expected.get(group, 0.0) + total
        self.scores.update(other.scores)
        self.times.update(other.times)
        self.batches += other.batches
        self.failures.update(other.failures)
        add_bins(self.bins, other.bins)
        self.add_columns(other.columns)

    def to_data(self) -> dict[str, Any]:
        """Plain data, which `from_data` reads back."""
        return {
            "people": [
                [*group, count, self.scored[group], self.expected.get(group, 0.0)]
                for group, count in self.people.items()
            ],
            "scores": list(self.scores.items()),
            "times": list(self.times.items()),
            "bins": self.bins,
            "batches": self.batches,
            "failures": [[*failure, count] for failure, count in self.failures.items()],
            "columns": self.columns,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Statistics:
        """Read what `to_data` gave."""
        statistics = cls()
        for *labels, count, scored, expected in data["people"]:
            group = Group(*labels)
            statistics.people[group] = count
            if scored:
                statistics.scored[group], statistics.expected[group] = scored, expected
        statistics.scores.update(dict(data["scores"]))
        statistics.times.update(dict(data["times"]))
        statistics.failures.update({(what, name): count for what, name, count in data["failures"]})
        statistics.bins, statistics.batches, statistics.columns = (
            dict(data["bins"]),
            data["batches"],
            dict(data["columns"]),
        )
        return statistics


def bucket_of(seconds: float) -> int:
    """The bucket of a time; `seconds_of` gives about the time back."""
    return round(TIMES_A_DECADE * math.log10(max(seconds, 1e-6)))


def seconds_of(bucket: int) -> float:
    """The middle of a bucket."""
    return float(10 ** (bucket / TIMES_A_DECADE))
