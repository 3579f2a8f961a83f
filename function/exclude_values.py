"""Reads the `[[exclude]]` tables of `policy.toml`. Collects every problem; never raises."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from function.exclusion import CONDITIONS, Exclude
from model.feature_paths import find_path_problem

if TYPE_CHECKING:
    from function.policy_values import ValueReader

EXCLUDE_KEYS = ("path", "reason", *CONDITIONS)
MOST_EXCLUDES = 50  # each reason is a metric
MOST_CHOICES = 1_000  # of one_of; longer lists belong into a store, or into run --suppress
# A reason is part of a metric's name.
REASON = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
A_VALUE = "text, a number, true or false"


def read_excludes(reader: ValueReader, path: str, raw: Any) -> tuple[Exclude, ...]:
    """The `[[exclude]]` tables, in the order of the file."""
    if not isinstance(raw, list):
        found = "one table" if isinstance(raw, dict) else ""
        reader.refuse(path, f"[[{path}]] tables", raw, found)
        return ()
    if len(raw) > MOST_EXCLUDES:
        reader.refuse(path, f"at most {MOST_EXCLUDES} rules", raw, f"{len(raw):,}")
        return ()
    rules = (read_exclude(reader, f"{path}[{index}]", row) for index, row in enumerate(raw))
    return tuple(rule for rule in rules if rule is not None)


def read_exclude(reader: ValueReader, path: str, raw: Any) -> Exclude | None:
    """One rule; None if there are problems."""
    before = len(reader.problems)
    table = reader.table(path, raw, EXCLUDE_KEYS)
    where, reason = table.get("path"), table.get("reason")
    if not isinstance(where, str):
        reader.refuse(f"{path}.path", "the path of a value, such as Metrics.Mails", where)
    elif problem := find_path_problem(where):
        reader.problems.append(f"{path}: {problem}")
    expected = "1 to 40 small letters, digits and _, a letter first"
    if not isinstance(reason, str):
        reader.refuse(f"{path}.reason", expected, reason)
    elif not REASON.fullmatch(reason):
        reader.refuse(f"{path}.reason", expected, reason, "other text")
    given = [name for name in CONDITIONS if name in table]
    if len(given) != 1:
        found = "none" if not given else ", ".join(given)
        reader.problems.append(
            f"{path}: expected one condition of {', '.join(CONDITIONS)}, found {found}"
        )
        return None
    (condition,) = given
    wanted = read_wanted(reader, f"{path}.{condition}", condition, table[condition])
    if len(reader.problems) > before:
        return None
    return Exclude(path=str(where), reason=str(reason), condition=condition, wanted=wanted)


def read_wanted(reader: ValueReader, path: str, condition: str, raw: Any) -> Any:
    """What a condition compares with."""
    if condition == "missing":
        if not isinstance(raw, bool):
            reader.refuse(path, "true or false", raw)
        return raw
    if condition == "equals":
        if not is_value(raw):
            reader.refuse(path, A_VALUE, raw)
        return raw
    if condition == "one_of":
        if not isinstance(raw, list) or not raw or not all(map(is_value, raw)):
            reader.refuse(path, f"a list of one or more of {A_VALUE}", raw)
            return ()
        if len(raw) > MOST_CHOICES:
            reader.refuse(path, f"at most {MOST_CHOICES:,} values", raw, f"{len(raw):,}")
        return tuple(raw)
    if not is_number(raw) or (condition == "older_than_days" and raw < 0):
        kind = "0 or more days" if condition == "older_than_days" else "a number"
        reader.refuse(path, kind, raw, "a number out of range" if is_number(raw) else "")
        return 0.0
    return raw


def is_number(raw: Any) -> bool:
    """Whether a value is a finite number, and not a boolean."""
    return isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw)


def is_value(raw: Any) -> bool:
    """Whether a value can equal another: text of one character or more, a number, or a boolean."""
    return isinstance(raw, bool) or is_number(raw) or (isinstance(raw, str) and raw != "")
