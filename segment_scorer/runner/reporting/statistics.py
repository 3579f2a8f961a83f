"""The figures behind the report: counts by group, scores, durations and drift bins.

Input: outcomes and accounts of batches. Output: sums that can be added. No id, address or attribute
value is in them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from function.records import Account, Reason
from segment_scorer.monitoring.drift import SCORE, add_bins
from segment_scorer.runner.reporting.labels import ODD, label_channel, label_country
from segment_scorer.runner.summary import Status, UnsentReason

AnyReason: TypeAlias = Reason | UnsentReason
REASONS: dict[str, AnyReason] = {reason.value: reason for reason in (*Reason, *UnsentReason)}
BY_SCORE = frozenset((Reason.SCORE, Reason.UNKNOWN))  # these people may move with the threshold
# Scores are counted to 4 decimals, the policy's default, and never rounded up. A threshold of 4
# decimals then divides the buckets as it divides the scores, however many decimals they have.
BUCKETS = 10_000
EPSILON = 1e-9  # what the product of two floats may lack to a whole number
# What can go wrong in a batch that is answered nevertheless.
NO_SCORES, FALLBACK_USED, NO_EXTERNAL = "no scores", "fallback used", "no external attributes"
BUCKETS_PER_DECADE = 20  # of durations, which are then known within 12 %
# Where an endpoint stands in the event; the rest of a problem is the same for many endpoints.
POSITION = re.compile(r"^\$\.(Endpoints|Items\.CustomerProfiles)\[\d+\]")
MOST_PROBLEMS = 20  # different problems of endpoints, or failures, that are counted by name
OTHER_PROBLEMS = "other problems"


class Group(NamedTuple):
    """People who have these properties in common. An unknown band is "".

    selected  whether the rules would message them, the holdout aside; if the hook does not report
              it, what happened
    """

    channel: str
    country: str
    band: str
    reason: AnyReason
    status: Status
    selected: bool


# A group as found in documents: channel and country may be any JSON value.
RawGroup: TypeAlias = tuple[Any, Any, str, AnyReason, Status, bool]


class Statistics:
    """Sums over people and batches.

    people      group -> people
    scored      group -> people with a score
    expected    group -> sum of their scores: the responses to expect if scores are calibrated, or
                the extra ones that messages bring
    scores      bucket -> people decided by their score alone; negative for a negative score
    times       bucket of `find_bucket` -> calls of the hook
    bins        column -> people in each drift bin; batches: number of batches in them
    failures    (kind of failure, class of the error and its sentence) -> batches
    unreadable  problem of an unreadable endpoint -> endpoints
    formula_ids people whose id a spreadsheet would take for a formula
    readdressed people whose address the hook changed
    seen        path of an exclude rule -> people with a value there
    selected    people with a score whom the rules select, before a choice; None = as the groups say
    columns     dotted path -> most values that one kept person has there; counted only for tables
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
        self.unreadable: Counter[str] = Counter()
        self.columns: dict[str, int] = {}
        self.formula_ids = 0
        self.seen: Counter[str] = Counter()
        self.readdressed = 0
        self.selected: int | None = None

    def note_selected(self) -> None:
        """Remember how many people with a score the rules select, before some are moved away."""
        self.selected = self.count_selected()

    def count_selected(self) -> int:
        """Count the people with a score whom the rules select, whatever a budget left of them."""
        if self.selected is not None:
            return self.selected
        return sum(count for group, count in self.scored.items() if group.selected)

    def add_people(
        self, groups: Sequence[RawGroup], scores: Sequence[float | None]
    ) -> tuple[npt.NDArray[Any], list[Group]]:
        """Count people: one group and one score (None: no score) for each.

        Gives the number of each person's group, and the groups, labelled.
        """
        numbers = GroupNumbers()
        try:
            codes = np.array([numbers[group] for group in groups], np.int64)
        except TypeError:  # channel or country of somebody is a list or a map
            codes = np.array([numbers[make_hashable(group)] for group in groups], np.int64)
        found = numbers.groups
        values = np.array(scores, np.float64)  # None is NaN
        is_scored = ~np.isnan(values)
        of_scored = codes[is_scored]
        people = np.bincount(codes, minlength=len(found)).tolist()
        scored = np.bincount(of_scored, minlength=len(found)).tolist()
        totals = np.bincount(of_scored, values[is_scored], minlength=len(found)).tolist()
        for group, count, with_score, total in zip(found, people, scored, totals, strict=True):
            self.people[group] += count
            if with_score:
                self.scored[group] += with_score
                self.expected[group] = self.expected.get(group, 0.0) + total
        by_score = np.array([group.reason in BY_SCORE for group in found], np.bool_)
        decided = values[is_scored][by_score[of_scored]] if found else values
        self.scores.update(np.floor(decided * BUCKETS + EPSILON).astype(np.int64).tolist())
        return codes, found

    def add_times(self, seconds: Iterable[float]) -> None:
        """Count calls of the hook by their duration."""
        self.times.update(map(find_bucket, seconds))

    def add_account(self, account: Account) -> None:
        """Add a batch's drift bins, and count what went wrong in it."""
        if account.error_name:
            kind = FALLBACK_USED if account.fallback_used else NO_SCORES
            self.add_failure(kind, account.error_name, account.cause)
        if (error := account.external_error) is not None:
            self.add_failure(NO_EXTERNAL, type(error).__name__, str(error))
        if account.feature_bins is not None:
            self.batches += 1
            add_bins(self.bins, {**account.feature_bins, SCORE: account.score_bins or []})

    def add_unreadable(self, account: Account) -> None:
        """Count what is known of a batch's endpoints, once a batch and not once an attempt."""
        self.seen.update(account.exclude_seen)
        for endpoint in account.batch.endpoints:
            if endpoint.problem is not None:
                self.add_problem(POSITION.sub("$", endpoint.problem))

    def add_failure(self, kind: str, name: str, cause: str | None) -> None:
        """Count a batch's failure: an error's class, with its sentence if there is room for it."""
        failure = (kind, f"{name}: {cause}" if cause else name)
        has_room = failure in self.failures or len(self.failures) < MOST_PROBLEMS
        self.failures[failure if has_room else (kind, name)] += 1

    def add_problem(self, problem: str, count: int = 1) -> None:
        """Count a problem of unreadable endpoints. The number of different problems is bounded."""
        is_known = problem in self.unreadable or len(self.unreadable) < MOST_PROBLEMS
        self.unreadable[problem if is_known else OTHER_PROBLEMS] += count

    def add_columns(self, columns: Mapping[str, int]) -> None:
        """Add the numbers of values at paths: the largest number counts."""
        for path, most in columns.items():
            if most > self.columns.get(path, 0):
                self.columns[path] = most

    def add(self, other: Statistics) -> None:
        """Add other statistics to these."""
        self.people.update(other.people)
        self.scored.update(other.scored)
        for group, total in other.expected.items():
            self.expected[group] = self.expected.get(group, 0.0) + total
        self.scores.update(other.scores)
        self.times.update(other.times)
        self.batches += other.batches
        self.formula_ids += other.formula_ids
        self.seen.update(other.seen)
        self.readdressed += other.readdressed
        self.failures.update(other.failures)
        for problem, count in other.unreadable.items():
            self.add_problem(problem, count)
        add_bins(self.bins, other.bins)
        self.add_columns(other.columns)

    def to_data(self) -> dict[str, Any]:
        """Convert to plain data, which `from_data` reads."""
        return {
            "people": [
                [*group, count, self.scored[group], self.expected.get(group, 0.0)]
                for group, count in self.people.items()
            ],
            "scores": list(self.scores.items()),
            "times": list(self.times.items()),
            "bins": self.bins,
            "batches": self.batches,
            "formula_ids": self.formula_ids,
            "seen": dict(self.seen),
            "readdressed": self.readdressed,
            "selected": self.selected,
            "failures": [[*failure, count] for failure, count in self.failures.items()],
            "unreadable": dict(self.unreadable),
            "columns": self.columns,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Statistics:
        """Read the result of `to_data`. Raises LookupError, TypeError or ValueError."""
        statistics = cls()
        for channel, country, band, reason, status, selected, *sums in data["people"]:
            group = Group(channel, country, band, REASONS[reason], Status(status), selected)
            statistics.people[group], scored, expected = sums
            if scored:
                statistics.scored[group], statistics.expected[group] = scored, expected
        statistics.scores.update(dict(data["scores"]))
        statistics.times.update(dict(data["times"]))
        statistics.failures.update({(kind, name): n for kind, name, n in data["failures"]})
        statistics.unreadable.update(data["unreadable"])
        statistics.bins, statistics.batches = dict(data["bins"]), data["batches"]
        statistics.columns = dict(data["columns"])
        statistics.formula_ids = int(data["formula_ids"])
        statistics.seen.update(data["seen"])
        statistics.readdressed = int(data["readdressed"])
        statistics.selected = data["selected"]
        return statistics


def find_bucket(seconds: float) -> int:
    """Find the bucket of a duration."""
    return round(BUCKETS_PER_DECADE * math.log10(max(seconds, 1e-6)))


def find_middle(bucket: int) -> float:
    """The middle of a bucket of durations, in seconds."""
    return float(10 ** (bucket / BUCKETS_PER_DECADE))


class GroupNumbers(dict[RawGroup, int]):
    """Numbers groups as they come. Raw groups with the same labels have the same number.

    groups  the labelled groups, in the order of their numbers
    """

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[Group, int] = {}

    @property
    def groups(self) -> list[Group]:
        """The groups that have a number."""
        return list(self._numbers)

    def __missing__(self, raw: RawGroup) -> int:
        """The number of a raw group that is met for the first time."""
        labelled = Group(label_channel(raw[0]), label_country(raw[1]), *raw[2:])
        number = self[raw] = self._numbers.setdefault(labelled, len(self._numbers))
        return number


def make_hashable(group: RawGroup) -> RawGroup:
    """The group itself; without channel and country if one of them is a list or a map."""
    is_odd = isinstance(group[0], list | dict) or isinstance(group[1], list | dict)
    return (ODD, ODD, *group[2:]) if is_odd else group


def read_group(values: Sequence[Any]) -> Group:
    """A group from plain data."""
    channel, country, band, reason, status, selected = values
    return Group(channel, country, band, REASONS[reason], Status(status), selected)
