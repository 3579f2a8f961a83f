"""The table of feature kinds. An entry brings everything that a kind is.

To add a kind, add an entry to `KINDS`. A spec may then use it, the trainer learns with it, and the
function serves it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from model.dates import make_time_reader, read_format
from model.values import read_count, read_flag, read_number, read_texts

# Rows of the transposed matrix, one per column of a feature: float64 [columns, n], NaN at first
Block: TypeAlias = npt.NDArray[np.float64]
# For each of a feature's paths, the value of each document; None where the path leads nowhere
Found: TypeAlias = Sequence[Sequence[Any]]
# The time that ages are measured against, in seconds since 1970 UTC: one for all, or one for each
Reference: TypeAlias = float | npt.NDArray[np.float64] | None

OTHER = "(other)"
SECONDS_PER_DAY = 86_400.0
PLAIN_NUMBERS = frozenset({float, int, type(None)})
# A category's value that fewer people have teaches little, and may name a person.
LEAST_OF_A_VALUE = 20
MOST_VALUES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
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
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    monotonic: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that this feature fills, in matrix order."""
        return KINDS[self.kind].columns(self)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that this feature reads."""
        return KINDS[self.kind].paths(self)


class Learner(Protocol):
    """Learns options of a feature in one pass over the people to train on."""

    def add(self, found: Sequence[Any], outcome: int) -> None:
        """Take one person: the value at each of the feature's paths, and the outcome."""
        ...

    def finish(self) -> Mapping[str, Any]:
        """The options learnt."""
        ...


def split_path(path: str) -> tuple[str, ...]:
    """The steps of a path. A name may hold dots: `Attributes.a.b` is the attribute `a.b`."""
    if path.startswith("User.UserAttributes."):
        return ("User", "UserAttributes", path.removeprefix("User.UserAttributes."))
    return tuple(path.split(".", 1))


def name_column(feature: Feature) -> tuple[str, ...]:
    """One column, named as the feature."""
    return (feature.name,)


def use_path(feature: Feature) -> tuple[str, ...]:
    """The feature's path and no other."""
    return (feature.path,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
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
    inferred    whether a spec that is inferred may use the kind
    suffix      what the name of an inferred feature ends with
    """

    help: str
    fill: Callable[[Block, Found, Feature, Reference], None]
    columns: Callable[[Feature], tuple[str, ...]] = name_column
    paths: Callable[[Feature], tuple[str, ...]] = use_path
    options: Mapping[str, Callable[[object], Any]] = field(default_factory=dict)
    learner: Callable[[Feature], Learner | None] = lambda _: None
    needs_time: bool = False
    rises_with: str = ""
    one_hot: bool = False
    inferred: bool = True
    suffix: str = ""


def fill_numbers(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """Plain numbers are filled all at once, anything else one by one."""
    (values,) = found
    if PLAIN_NUMBERS.issuperset(map(type, values)):
        try:
            block[0] = values  # numpy reads None as NaN
            return
        except OverflowError:  # an integer beyond float64
            pass
    block[0] = [read_number(value) for value in values]


def fill_counts(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """See `values.read_count`."""
    block[0] = [read_count(value) for value in found[0]]


def fill_flags(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """See `values.read_flag`."""
    block[0] = [read_flag(value) for value in found[0]]


def fill_ages(block: Block, found: Found, feature: Feature, reference: Reference) -> None:
    """Days from the date to the reference time; NaN without a reference time."""
    if reference is not None:
        read = make_time_reader(feature.options.get("format"))
        times = np.array([read(value) for value in found[0]], dtype=np.float64)
        block[0] = (reference - times) / SECONDS_PER_DAY


def fill_category(block: Block, found: Found, feature: Feature, reference: Reference) -> None:  # noqa: ARG001
    """1 in the column of each value that a person has, 0 in the others; NaN for no value."""
    places = {value: index for index, value in enumerate(feature.options.get("values", ()))}
    other = len(places)
    rows, columns = [], []
    for row, value in enumerate(found[0]):
        is_one_text = type(value) is list and len(value) == 1 and type(value[0]) is str and value[0]
        for text in value if is_one_text else read_texts(value):
            rows.append(row)
            columns.append(places.get(text, other))
    block[:, rows] = 0.0
    block[columns, rows] = 1.0


def name_category_columns(feature: Feature) -> tuple[str, ...]:
    """One column per value, `name=value`, and a last one for every other value."""
    values = (*feature.options.get("values", ()), OTHER)
    return tuple(f"{feature.name}={value}" for value in values)


def read_vocabulary(value: object) -> tuple[str, ...]:
    """A category's `values`."""
    texts = value if isinstance(value, list | tuple) else [None]
    if any(not isinstance(text, str) or text == OTHER for text in texts):
        raise ValueError(f"a list of texts other than {OTHER}")
    if len(set(texts)) != len(texts):
        raise ValueError("a list that has each text once")
    return tuple(texts)


class VocabularyLearner:
    """Learns a category's values: at most 50 that 20 people have, the most frequent first."""

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def add(self, found: Sequence[Any], outcome: int) -> None:  # noqa: ARG002  # does not depend on it
        """Count each text of a person once."""
        self._counts.update(set(read_texts(found[0])) - {OTHER})

    def finish(self) -> Mapping[str, Any]:
        """The option `values`."""
        ranked = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
        values = (value for value, count in ranked[:MOST_VALUES] if count >= LEAST_OF_A_VALUE)
        learnt = tuple(values)
        return {"values": learnt} if learnt else {}


def learn_vocabulary(feature: Feature) -> Learner | None:
    """Learn the values of a category that has none."""
    return None if feature.options.get("values") else VocabularyLearner()


KINDS: dict[str, Kind] = {
    "number": Kind(
        help="a metric, or text that reads as a number",
        fill=fill_numbers,
        rises_with="the number",
    ),
    "category": Kind(
        help=(
            "text, or a list of texts: one column for each of `values`, "
            f"and one, {OTHER}, for any other text"
        ),
        fill=fill_category,
        columns=name_category_columns,
        options={"values": read_vocabulary},
        learner=learn_vocabulary,
        one_hot=True,
    ),
    "count": Kind(
        help="the number of values in the list at the path",
        fill=fill_counts,
        rises_with="the number of values",
        suffix="_count",
    ),
    "flag": Kind(
        help="text or boolean that means yes or no",
        fill=fill_flags,
    ),
    "age": Kind(
        help=(
            "days from the date at the path to the reference time; the date is in ISO 8601, or as "
            "`format` says, such as dd-mm-yyyy or unix"
        ),
        fill=fill_ages,
        options={"format": read_format},
        needs_time=True,
        rises_with="the days since the date",
        suffix="_age",
    ),
}
