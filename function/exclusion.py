"""The `[[exclude]]` rules of a policy: who may not be messaged, whatever the score.

Takes documents and rules; gives the name of the first rule that applies to each. Never raises for
content: a value that a condition cannot read does not fulfil it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from function.records import Endpoint
from model.document_types import OBJECTS, AnyDocument
from model.feature_paths import split_path
from model.missing import is_null_marker
from model.values import read_flag, read_number, read_texts, read_time

DAY = 86_400.0
GROUP = "External"


class Exclude(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: people whose value at `path` fulfils the condition are not messaged.

    reason     the name of the rule in counts and metrics
    condition  a key of CONDITIONS
    wanted     what the condition compares with
    """

    path: str
    reason: str
    condition: str
    wanted: Any

    @property
    def is_external(self) -> bool:
        """Whether the value comes from the external store."""
        return self.path.startswith(f"{GROUP}.")

    @property
    def needs_time(self) -> bool:
        """Whether the rule measures an age, against the event's time."""
        return self.condition == "older_than_days"


class Excluded(msgspec.Struct, frozen=True):
    """Which rule excludes each endpoint ("" = none), and how many have a value at each path."""

    rules: Sequence[str]
    seen: Mapping[str, int]


NOBODY_EXCLUDED = Excluded((), {})


def exclude_people(
    endpoints: Sequence[Endpoint],
    rules: Sequence[Exclude],
    reference: float | None,
    *,
    looked_up: bool = True,
) -> Excluded:
    """The first rule that applies to each endpoint, in the order of the policy.

    reference  the event's time, in seconds since 1970; without one no age is known
    looked_up  whether the external attributes are known; if not, no rule on them applies
    """
    usable = [rule for rule in rules if looked_up or not rule.is_external]
    steps = [split_path(rule.path) for rule in usable]
    found = [""] * len(endpoints)
    seen = {rule.path: 0 for rule in rules}
    for index, endpoint in enumerate(endpoints):
        if endpoint.document is None:
            continue
        counted: set[str] = set()
        for rule, names in zip(usable, steps, strict=True):
            if rule.is_external and endpoint.problem is not None:
                continue  # an unreadable endpoint was not looked up
            value = find_value(endpoint.document, names)
            if rule.path not in counted and has_value(value, rule.path):
                counted.add(rule.path)
                seen[rule.path] += 1
            if not found[index] and applies(rule, value, reference):
                found[index] = rule.reason
    return Excluded(found, seen)


def find_rest(endpoints: Sequence[Endpoint], excluded: Excluded) -> list[bool]:
    """For each readable endpoint, whether no rule applies to it."""
    pairs = zip(endpoints, excluded.rules, strict=True)
    return [not rule for each, rule in pairs if each.problem is None]


def find_value(document: AnyDocument, names: Sequence[str]) -> Any:
    """The value at a path; None if there is none."""
    value: Any = document
    for name in names:
        if not isinstance(value, OBJECTS):
            return None
        value = value.get(name)
    return value


def has_value(value: Any, path: str) -> bool:
    """Whether there is a value. A text such as NULL is none where a number is expected."""
    texts = read_texts(value)
    if path.startswith("Metrics."):
        return any(not is_null_marker(text) for text in texts)
    return bool(texts)


def applies(rule: Exclude, value: Any, reference: float | None) -> bool:
    """Whether a value fulfils the condition of a rule. Of a list, one item is enough."""
    if rule.condition == "missing":
        return has_value(value, rule.path) is not rule.wanted
    if value is None:
        return False
    if rule.condition == "older_than_days":
        return reference is not None and (reference - read_time(value)) / DAY > rule.wanted
    fulfils = CONDITIONS[rule.condition]
    return any(
        fulfils(item, rule.wanted) for item in (value if isinstance(value, list) else [value])
    )


def equals(item: Any, wanted: Any) -> bool:
    """Whether an item is the wanted text, number, or yes or no, however it is written."""
    if isinstance(wanted, bool):
        return read_flag(item) == float(wanted)
    if isinstance(wanted, int | float):
        return read_number(item) == wanted
    return wanted in read_texts(item)


Condition: TypeAlias = Callable[[Any, Any], bool]
# `missing` and `older_than_days` look at the whole value, in `applies`.
CONDITIONS: Mapping[str, Condition] = {
    "at_least": lambda item, wanted: read_number(item) >= wanted,
    "at_most": lambda item, wanted: read_number(item) <= wanted,
    "equals": equals,
    "one_of": lambda item, wanted: any(equals(item, each) for each in wanted),
    "missing": lambda _item, _wanted: False,
    "older_than_days": lambda _item, _wanted: False,
}
