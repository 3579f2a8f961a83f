"""The table of feature kinds. An entry brings everything that a kind is.

To add a kind, add an entry to `KINDS`. A spec may then use it, the trainer learns with it, and the
function serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from model import fills
from model.dates import read_format
from model.feature_paths import read_path
from model.fills import Block, Found, Reference
from model.vocabularies import (
    LEAST_OF_A_VALUE,
    MOST_RATED,
    MOST_VALUES,
    OTHER,
    find_rates_problem,
    learn_many_values,
    learn_vocabulary,
    name_category_columns,
    read_code,
    read_rates,
    read_vocabulary,
)


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of a spec.

    name       unique in the spec
    path       dotted, below the endpoint document: `Metrics.X`, `Attributes.X`, `ChannelType` ...
    kind       a key of `KINDS`
    options    the keys that only some kinds have, such as a category's `values`; see `Kind.options`
    monotonic  "", "increasing" or "decreasing": the direction that the trainer holds the score to
    """

    name: str
    path: str
    kind: str
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)
    monotonic: str = ""

    def __hash__(self) -> int:
        """Of the name: options may hold what has no hash."""
        return hash(self.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that this feature fills, in matrix order."""
        return KINDS[self.kind].columns(self)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that this feature reads."""
        return KINDS[self.kind].paths(self)


__all__ = [
    "KINDS",
    "LEAST_OF_A_VALUE",
    "MOST_RATED",
    "MOST_VALUES",
    "OTHER",
    "Block",
    "Feature",
    "Found",
    "Kind",
    "Learner",
    "Reference",
]


class Learner(Protocol):
    """Learns options of a feature in one pass over the people to train on."""

    def add(self, found: Sequence[Any], outcome: int) -> None:
        """Take one person: the value at each of the feature's paths, and the outcome."""
        ...

    def finish(self) -> Mapping[str, Any]:
        """The options learnt."""
        ...


def name_column(feature: Feature) -> tuple[str, ...]:
    """One column, named as the feature."""
    return (feature.name,)


def use_path(feature: Feature) -> tuple[str, ...]:
    """The feature's path and no other."""
    return (feature.path,)


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a kind of feature is.

    help        what the kind makes of a value: one line, for people who write a spec
    fill        fills a feature's rows of the transposed matrix; leaves NaN where a value is missing
    columns     names of the columns of a feature
    paths       the paths that a feature reads
    options     further keys of a `[[feature]]` table, each with its reader. A reader gives an
                immutable value, or raises ValueError saying what was expected.
    learner     a Learner for a feature whose options are to be learnt; None if it has them
    needs_time  whether values are measured against a reference time
    rises_with  what an increasing score rises with; "" if the kind has no direction
    one_hot     whether the columns are 0 or 1, the last one for any value that has no column
    inferred    whether the values of a path alone tell that an inferred spec may use the kind
    suffix      what the name of an inferred feature ends with
    problem     why the options of a feature do not fit together; None if they do
    needed      the options that a spec must give
    always      whether a feature has a value where its path leads nowhere
    """

    help: str
    fill: Callable[[Block, Found, Feature, Reference], None]
    columns: Callable[[Feature], tuple[str, ...]] = name_column
    paths: Callable[[Feature], tuple[str, ...]] = use_path
    options: Mapping[str, Callable[[object], Any]] = msgspec.field(default_factory=dict)
    learner: Callable[[Feature], Learner | None] = lambda _: None
    needs_time: bool = False
    rises_with: str = ""
    one_hot: bool = False
    inferred: bool = True
    suffix: str = ""
    problem: Callable[[Mapping[str, Any]], str | None] = lambda _: None
    needed: tuple[str, ...] = ()
    always: bool = False


KINDS: dict[str, Kind] = {
    "number": Kind(
        help="a metric, or text that reads as a number",
        fill=fills.fill_numbers,
        rises_with="the number",
    ),
    "category": Kind(
        help=(
            "text, or a list of texts: one column for each of `values`, "
            f"and one, {OTHER}, for any other text"
        ),
        fill=fills.fill_category,
        columns=name_category_columns,
        options={"values": read_vocabulary},
        learner=learn_vocabulary,
        one_hot=True,
    ),
    "code": Kind(
        help=(
            "text as a whole number: its place among `values`, from 0; `other`, or missing, for "
            "any other text"
        ),
        fill=fills.fill_codes,
        options={"values": read_vocabulary, "other": read_code},
        learner=learn_vocabulary,
        inferred=False,
    ),
    "count": Kind(
        help="the number of values in the list at the path",
        fill=fills.fill_counts,
        rises_with="the number of values",
        suffix="_count",
    ),
    "flag": Kind(
        help="text or boolean that means yes or no",
        fill=fills.fill_flags,
    ),
    "age": Kind(
        help=(
            "days from the date at the path to the reference time; the date is in ISO 8601, or as "
            "`format` says, such as dd-mm-yyyy or unix"
        ),
        fill=fills.fill_ages,
        options={"format": read_format},
        needs_time=True,
        rises_with="the days since the date",
        suffix="_age",
    ),
    "ratio": Kind(
        help="the number at the path divided by the number at the path `per`; missing if that is 0",
        fill=fills.fill_ratios,
        paths=lambda feature: (feature.path, feature.options["per"]),
        options={"per": read_path},
        needed=("per",),
        rises_with="the ratio",
        inferred=False,
    ),
    "difference": Kind(
        help="the number at the path less the number at the path `minus`",
        fill=fills.fill_differences,
        paths=lambda feature: (feature.path, feature.options["minus"]),
        options={"minus": read_path},
        needed=("minus",),
        rises_with="the difference",
        inferred=False,
    ),
    "days_between": Kind(
        help="days from the date at the path `since` to the date at the path; `format` is of both",
        fill=fills.fill_spans,
        paths=lambda feature: (feature.path, feature.options["since"]),
        options={"since": read_path, "format": read_format},
        needed=("since",),
        rises_with="the days between",
        inferred=False,
    ),
    "weekday": Kind(
        help="the day of the week of a date in UTC, 1 for Monday to 7; `format` as for an age",
        fill=fills.fill_weekdays,
        options={"format": read_format},
        inferred=False,
        suffix="_weekday",
    ),
    "month": Kind(
        help="the month of a date in UTC, 1 to 12; `format` as for an age",
        fill=fills.fill_months,
        options={"format": read_format},
        inferred=False,
        suffix="_month",
    ),
    "present": Kind(
        help="1 where there is text at the path, else 0",
        fill=fills.fill_presence,
        inferred=False,
        suffix="_present",
        always=True,
    ),
    "target_rate": Kind(
        help=(
            "the response rate in training of people with the same text, for many different texts: "
            "`values`, and `rates` with one more for any other text, which training learns"
        ),
        fill=fills.fill_rates,
        options={"values": read_vocabulary, "rates": read_rates},
        learner=learn_many_values,
        problem=find_rates_problem,
        rises_with="the response rate",
        inferred=False,
        suffix="_rate",
    ),
}
