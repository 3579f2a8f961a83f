"""The figures behind the report: counts by group, scores, times and bins, of a block or of a whole run. Adding up is all they do.

Takes what the walker saw; gives sums in which nobody can be found again: no id, no address, no attribute.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from function.drift import Line
from function.telemetry import BATCH

# Scores are counted to 4 decimals, the policy's default, so that a threshold moved in the report decides as the policy would.
BUCKETS = 10_000
# Twenty buckets a factor of ten: a time is known within 12 %.
TIMES_A_DECADE = 20
UNKNOWN, OTHER = "unknown", "other"
# Source: Amazon Pinpoint API reference, ChannelType.
CHANNELS = frozenset(
    ("PUSH", "GCM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "ADM", "SMS", "VOICE", "EMAIL", "BAIDU", "CUSTOM", "IN_APP")
)
LONGEST_COUNTRY = 3  # ISO 3166-1 codes; whatever else stands there could be anything


class Group(NamedTuple):
    """People alike in this. outcome: kept, filtered or failed; reason and band are empty where they are not known."""

    channel: str
    country: str
    band: str
    reason: str
    outcome: str


_decode_line = msgspec.json.Decoder(Line).decode


class Tally:
    """Sums that can be added to other sums.

    people   group -> how many
    expected group -> sum of their scores: the responses to expect if the scores are calibrated
    scores   bucket -> how many of those whom the score alone decided
    times    bucket of `bucket_of` -> how many calls of the hook
    bins     column -> bins, as the function's log has them; batches: how many lines of the log that was
    columns  dotted path -> most values that one of the kept has there; counted only for a table
    """

    def __init__(self) -> None:
        self.people: Counter[Group] = Counter()
        self.expected: dict[Group, float] = {}
        self.scores: Counter[int] = Counter()
        self.times: Counter[int] = Counter()
        self.bins: dict[str, list[int]] = {}
        self.batches = 0
        self.columns: dict[str, int] = {}

    def add_people(self, rows: Sequence[tuple[Any, Any, str, str, str]], scores: Sequence[float | None]) -> None:
        """Count people, row for row with their scores. A row is a group, channel and country as they stand in the document."""
        sums: dict[tuple[Any, Any, str, str, str], list[float]] = {}
        decided: list[int] = []
        for row, score in zip(rows, scores, strict=True):
            try:
                held = sums.get(row)
            except TypeError:  # a list or a map where a channel or a country belongs
                row = (OTHER, OTHER, *row[2:])  # noqa: PLW2901  # it stands for the same person
                held = sums.get(row)
            if held is None:
                held = sums[row] = [0, 0.0, 0]
            held[0] += 1
            if score is not None:
                held[1] += score
                held[2] += 1
                if row[3] == "score" or not row[3]:
                    decided.append(int(score * BUCKETS + 0.5))
        self.scores.update(decided)
        for (channel, country, *rest), (count, total, scored) in sums.items():
            group = Group(label_channel(channel), label_country(country), *rest)
            self.people[group] += int(count)
            if scored:
                self.expected[group] = self.expected.get(group, 0.0) + total

    def add_times(self, seconds: Iterable[float]) -> None:
        """Count calls of the hook by how long they took."""
        self.times.update(map(bucket_of, seconds))

    def add_log(self, lines: Iterable[str]) -> None:
        """Sum the bins that the function logs with each batch; other lines are passed over."""
        for text in lines:
            if f'"{BATCH}"' not in text:
                continue
            try:
                line = _decode_line(text)
            except msgspec.DecodeError:
                continue
            if line.message == BATCH and line.feature_bins is not None:
                self.batches += 1
                self.add_bins({**line.feature_bins, "(score)": line.score_bins or []})

    def add_bins(self, bins: Mapping[str, Sequence[int]]) -> None:
        """Add bins column by column."""
        for name, counts in bins.items():
            held = self.bins.get(name)
            if held and counts:
                self.bins[name] = [a + b for a, b in zip(held, counts, strict=True)]
            elif counts or held is None:
                self.bins[name] = list(counts)

    def add_columns(self, columns: Mapping[str, int]) -> None:
        """Remember the most values a path has had."""
        for path, most in columns.items():
            if most > self.columns.get(path, 0):
                self.columns[path] = most

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.people.update(other.people)
        for group, total in other.expected.items():
            self.expected[group] = self.expected.get(group, 0.0) + total
        self.scores.update(other.scores)
        self.times.update(other.times)
        self.batches += other.batches
        self.add_bins(other.bins)
        self.add_columns(other.columns)

    def to_data(self) -> dict[str, Any]:
        """Plain data, which `from_data` reads back."""
        return {
            "people": [[*group, count, self.expected.get(group)] for group, count in self.people.items()],
            "scores": list(self.scores.items()),
            "times": list(self.times.items()),
            "bins": self.bins,
            "batches": self.batches,
            "columns": self.columns,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Tally:
        """Read what `to_data` gave."""
        tally = cls()
        for *labels, count, expected in data["people"]:
            group = Group(*labels)
            tally.people[group] = count
            if expected is not None:
                tally.expected[group] = expected
        tally.scores.update(dict(data["scores"]))
        tally.times.update(dict(data["times"]))
        tally.bins, tally.batches, tally.columns = dict(data["bins"]), data["batches"], dict(data["columns"])
        return tally


def bucket_of(seconds: float) -> int:
    """The bucket of a time; `seconds_of` gives about the time back."""
    return round(TIMES_A_DECADE * math.log10(max(seconds, 1e-6)))


def seconds_of(bucket: int) -> float:
    """The middle of a bucket."""
    return float(10 ** (bucket / TIMES_A_DECADE))


def label_channel(value: object) -> str:
    """A channel as the report names it."""
    return value if isinstance(value, str) and value in CHANNELS else OTHER if value else UNKNOWN


def label_country(value: object) -> str:
    """A country as the report names it: a code of two or three letters."""
    if not value:
        return UNKNOWN
    return value.upper() if isinstance(value, str) and 2 <= len(value) <= LONGEST_COUNTRY and value.isascii() and value.isalpha() else OTHER
