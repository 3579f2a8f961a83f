"""The texts that a feature knows: reads them from a spec, and learns them from people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from model.values import read_texts

if TYPE_CHECKING:
    from model.kinds import Feature, Learner

OTHER = "(other)"
# A category's value that fewer people have teaches little, and may name a person.
LEAST_OF_A_VALUE = 20
MOST_VALUES = 50
LARGEST_CODE = 10_000
MOST_RATED = 1000  # values of a target rate


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


def read_code(value: object) -> int:
    """A code's `other`."""
    if type(value) is not int or not -1 <= value <= LARGEST_CODE:
        raise ValueError(f"a whole number from -1 to {LARGEST_CODE:,}")
    return value


class VocabularyLearner:
    """Learns values: the most frequent first, at most `most`, and 20 people have each."""

    def __init__(self, most: int) -> None:
        self._counts = Counter[str]()
        self._most = most

    def add(self, found: Sequence[Any], outcome: int) -> None:  # noqa: ARG002  # does not depend on it
        """Count each text of a person once."""
        self._counts.update(set(read_texts(found[0])) - {OTHER})

    def finish(self) -> Mapping[str, Any]:
        """The option `values`."""
        ranked = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
        values = (value for value, count in ranked[: self._most] if count >= LEAST_OF_A_VALUE)
        learnt = tuple(values)
        return {"values": learnt} if learnt else {}


def learn_vocabulary(feature: Feature) -> Learner | None:
    """Learn the values of a category that has none."""
    return None if feature.options.get("values") else VocabularyLearner(MOST_VALUES)


def learn_many_values(feature: Feature) -> Learner | None:
    """Learn the values of a target rate that has none. The rates are learnt from the matrix."""
    return None if feature.options.get("values") else VocabularyLearner(MOST_RATED)


def read_rates(value: object) -> tuple[float, ...]:
    """The rate of each value, and last that of any other text. Raises ValueError."""
    rates: Sequence[Any] = value if isinstance(value, list | tuple) else [None]
    if not all(type(rate) in {int, float} and 0 <= rate <= 1 for rate in rates):
        raise ValueError("a list of numbers from 0 to 1")
    return tuple(float(rate) for rate in rates)


def find_rates_problem(options: Mapping[str, Any]) -> str | None:
    """Why values and rates do not fit together; None if they do."""
    rates, values = options.get("rates"), options.get("values", ())
    if rates is None or len(rates) == len(values) + 1:
        return None
    return f"expected a rate for each of the {len(values)} values and one for any other text"
