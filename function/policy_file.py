"""Reads `policy.toml` into a Policy. One SettingsError names every problem.

Takes the file and the bundle's recommendations. Never decides about an endpoint.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from function.errors import SettingsError
from function.overrides import MATCHED, find_ties, list_ids
from function.policy import Override, Policy, Rules
from function.policy_values import (
    KEYS,
    MOST_DECIMALS,
    ValueReader,
    describe_range,
    name_table,
    show_key,
)
from function.reach import find_reached, threshold_for_reach
from function.renamed import explain_rename
from model.errors import name_failure
from model.regular_file import NotAFileError, read_regular_file
from model.score_kind import RESPONSE, ScoreKind

LARGEST_POLICY = 16 << 20  # bytes; 5,000 overrides take about 0.5 MB
LONGEST_LINE = 10_000  # bytes; the longest text that a channel takes has 4,096
FAR_FROM_REACH = 0.05


class PolicyReader(ValueReader):
    """Reads rules and overrides, with the bundle's threshold and score quantiles.

    threshold, quantiles  None and empty if the policy decides by scores of another kind than the
                          bundle's
    """

    def __init__(
        self, threshold: float | None, quantiles: Sequence[float], score: ScoreKind
    ) -> None:
        super().__init__(score)
        self.model_threshold = threshold
        # Thousands of overrides may inherit one threshold: it and its reach are computed once.
        self.threshold_for_reach = functools.cache(
            lambda reach, keep: threshold_for_reach(reach, quantiles, keep)
        )
        self.find_reached = functools.cache(
            lambda threshold, keep, decimals: find_reached(threshold, quantiles, keep, decimals)
        )

    def read_rules(
        self, table: Mapping[str, Any], path: str, parent: Mapping[str, Any]
    ) -> tuple[Rules | None, dict[str, Any]]:
        """Lay the keys of `table` over `parent`, values that were read before.

        Returns the rules, None if there are problems; and the merged values, for overrides.
        """
        before = len(self.problems)
        values = dict(parent)
        own = MATCHED if path else ("override",)
        for key, raw in table.items():
            if key in KEYS:
                name, read = KEYS[key]
                values[name] = read(self, f"{path}{key}", raw)
            elif key not in own:
                expected = explain_rename("policy key", key) or f"expected one of {', '.join(KEYS)}"
                self.problems.append(f"{path}{show_key(key)}: unknown key; {expected}")
        self.check_threshold(values, path)
        if len(self.problems) > before:
            return None, values
        rules = Rules(**{**values, **self.resolve_threshold(values)})
        self.check_names(rules, path)
        self.check_reach(rules, path)
        return rules, values

    def start_for_reach(self, path: str, reach: float) -> float:
        """The score that a share of the people the model was evaluated on have at least.

        A reach of 1 is everybody, also those with lower scores than any of these people.
        """
        if self.model_threshold is None:
            self.problems.append(
                f"{path}: expected at_least in place of a reach, since the service's scores are of "
                "another kind than the bundle's"
            )
            return 0.0
        if reach == 1.0:
            return self.score_kind.low
        start: float = self.threshold_for_reach(reach, "at_least")
        reached = self.find_reached(start, "at_least", MOST_DECIMALS)
        if abs(reached - reach) > FAR_FROM_REACH:
            self.warnings.append(
                f"{path}: expected {100 * reach:.1f} % of the people the model was evaluated on, "
                f"but many have the same score: the band begins at {100 * reached:.1f} %"
            )
        return start

    def check_threshold(self, values: Mapping[str, Any], path: str) -> None:
        """Note a problem if the threshold is the bundle's, and its scores are of another kind."""
        threshold = values.get("threshold", "model")
        is_reach = isinstance(threshold, dict)
        if self.model_threshold is None and (is_reach or threshold == "model"):
            found = "a reach" if is_reach else "the model's"
            self.problems.append(
                f"{path}threshold: expected {describe_range(self.score_kind)}, since the service's "
                f"scores are of another kind than the bundle's, found {found}"
            )

    def resolve_threshold(self, values: Mapping[str, Any]) -> dict[str, float | None]:
        """The number that the threshold comes to, and the reach that it was chosen for."""
        threshold = values.get("threshold", "model")
        if isinstance(threshold, dict):
            reach, keep = threshold["reach"], values.get("keep", "at_least")
            return {
                "threshold": self.threshold_for_reach(reach, keep),
                "reach": reach,
            }
        number = self.model_threshold if threshold == "model" else float(threshold)
        return {"threshold": number, "reach": None}

    def check_reach(self, rules: Rules, path: str) -> None:
        """Warn if no threshold comes near the reach, since many people have the same score."""
        if rules.reach is None:
            return
        reached = self.find_reached(rules.threshold, rules.keep, rules.decimals)
        if abs(reached - rules.reach) > FAR_FROM_REACH:
            self.warnings.append(
                f"{path}threshold.reach: expected to keep {100 * rules.reach:.1f} % of the people "
                "the model was evaluated on, but many have the same score: it keeps "
                f"{100 * reached:.1f} %"
            )

    def check_names(self, rules: Rules, path: str) -> None:
        """Note a problem if two attributes that the policy writes have the same name."""
        written = (rules.score_attribute, rules.band_attribute, rules.holdout.attribute)
        names = [name for name in (*written, *rules.external) if name]
        if len(set(names)) < len(names):
            keys = "score_attribute, band_attribute, holdout.attribute"
            keys += ", external" if rules.external else ""
            self.problems.append(f"{path}{keys}: expected different names, found one twice")

    def read_overrides(self, raw: Any, parent: Mapping[str, Any]) -> tuple[Override, ...]:
        """The `[[override]]` tables, the most specific first."""
        if not isinstance(raw, list):
            self.refuse("override", "[[override]] tables", raw, name_table(raw))
            return ()
        overrides: dict[int, Override] = {}
        for index, row in enumerate(raw):
            path = f"override[{index}]"
            if not isinstance(row, dict):
                self.refuse(path, "a table", row)
                continue
            ids = {
                key: self.text(f"{path}.{key}", row[key], required=True)
                for key in MATCHED
                if key in row
            }
            if not ids:
                self.problems.append(
                    f"{path}: expected one or more of {', '.join(MATCHED)}, found none"
                )
            rules, _ = self.read_rules(row, f"{path}.", parent)
            if rules is not None and ids:
                overrides[index] = Override(ids=ids, rules=rules)
        self.problems += find_ties({index: each.ids for index, each in overrides.items()})
        return tuple(sorted(overrides.values(), key=lambda override: -len(override.ids)))


def load_policy(
    path: Path,
    *,
    threshold: float | None,
    quantiles: Sequence[float],
    score: ScoreKind = RESPONSE,
) -> Policy:
    """Read a policy file. `threshold` and `quantiles` are the bundle's.

    score  of the scores that it decides by. If the bundle's are of another kind, the threshold is
           None and there are no quantiles

    Raises SettingsError naming every problem.
    """
    try:
        content = read_bounded(path)
        table = tomllib.loads(content.decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: expected a policy (TOML), found no file") from error
    except NotAFileError as error:
        raise SettingsError(f"{path}: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        found = name_failure(error) if isinstance(error, OSError) else error
        raise SettingsError(
            f"{_shorten(str(path))}: expected a readable TOML file in UTF-8; found: {found}"
        ) from error
    try:
        policy = read_policy(table, threshold=threshold, quantiles=quantiles, score=score)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return msgspec.structs.replace(policy, digest=hashlib.sha256(content).hexdigest())


def read_bounded(path: Path) -> bytes:
    """The bytes of a policy file. Raises OSError, NotAFileError, and ValueError for a long line.

    tomllib needs quadratic time for a key of many dots, so a line has a limit.
    """
    content = read_regular_file(path, LARGEST_POLICY)
    for number, line in enumerate(content.split(b"\n"), 1):
        if len(line) > LONGEST_LINE:
            raise ValueError(f"more than {LONGEST_LINE:,} bytes in line {number}")
    return content


def read_policy(
    table: Mapping[str, Any],
    *,
    threshold: float | None,
    quantiles: Sequence[float],
    score: ScoreKind = RESPONSE,
) -> Policy:
    """Make a policy of plain data, as TOML gives it. Raises SettingsError naming every problem.

    The other arguments are those of `load_policy`.
    """
    reader = PolicyReader(threshold, quantiles, score)
    rules, values = reader.read_rules(table, "", {})
    overrides = reader.read_overrides(table.get("override", []), values if rules else {})
    if reader.problems or rules is None:
        raise SettingsError("; ".join(dict.fromkeys(reader.problems)))
    return Policy(
        rules=rules,
        overrides=overrides,
        warnings=tuple(dict.fromkeys(reader.warnings)),
        by_ids={list_ids(override.ids): override for override in overrides},
    )


def describe_rules(rules: Rules) -> dict[str, Any]:
    """The rules as plain data, with every default filled in and the threshold as a number."""
    described: dict[str, Any] = msgspec.to_builtins(rules)
    del described["reach"]  # not a key: it is where the threshold comes from
    described["excludes"] = [
        {"path": rule.path, "reason": rule.reason, rule.condition: rule.wanted}
        for rule in rules.excludes
    ]
    return described


def _shorten(path: str) -> str:
    """A path for a message; a path of any length may stand in a setting."""
    return path if len(path) <= 512 else f"{path[:64]}... ({len(path)} characters)"
