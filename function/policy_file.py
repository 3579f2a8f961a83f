"""Reads `policy.toml` into a Policy, whole: every key is checked, and one SettingsError names every problem.

Takes the file and what the bundle recommends; gives frozen rules. Never decides anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec

from function.errors import SettingsError
from function.policy import MATCHED, Holdout, Override, Policy, Rules, threshold_for_reach
from function.records import Band
from function.renamed import explain_rename

# Amazon Pinpoint quotas: attribute name 50 characters, attribute value 100, push payload 4 KB; SMS messages of 1,600 characters.
LONGEST_NAME = 50
LONGEST_VALUE = 100
LONGEST_BAND = 1_000  # beyond it Connect's 32 KB for one profile's ResultData come near
LONGEST_SMS = 1_600
LARGEST_PUSH = 4_096
UNWISE_IN_NAMES = "#:?\\/"
MOST_DECIMALS = 15
EXTERNAL = "External."


class Reader:
    """Collects problems and warnings while one file is read; each method reads one kind of value and never raises."""

    def __init__(self, threshold: float, quantiles: Sequence[float]) -> None:
        self.model_threshold = threshold
        self.quantiles = quantiles
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def read_rules(
        self, table: Mapping[str, Any], place: str, parent: Mapping[str, Any]
    ) -> tuple[Rules | None, dict[str, Any]]:
        """The rules of `table` laid over `parent` (values already read); and the merged values, for overrides to lie over."""
        before = len(self.problems)
        values = dict(parent)
        for key, raw in table.items():
            if key in KEYS:
                name, check = KEYS[key]
                values[name] = check(self, f"{place}{key}", raw)
            elif not (place and key in MATCHED) and not (not place and key == "override"):
                renamed = explain_rename("policy key", key)
                expected = renamed or f"expected one of {', '.join(KEYS)}"
                self.problems.append(f"{place}{key}: unknown key; {expected}")
        if len(self.problems) > before:
            return None, values
        keep = values.get("keep", "at_least")
        threshold = values.get("threshold", "model")
        if isinstance(threshold, dict):
            resolved = threshold_for_reach(threshold["reach"], self.quantiles, keep)
        else:
            resolved = self.model_threshold if threshold == "model" else threshold
        rules = Rules(**{**values, "threshold": resolved})
        names = [
            name
            for name in (
                rules.score_attribute,
                rules.band_attribute,
                rules.holdout.attribute,
                *rules.external,
            )
            if name
        ]
        if len(set(names)) < len(names):
            written = "score_attribute, band_attribute, holdout.attribute" + (
                ", external" if rules.external else ""
            )
            self.problems.append(f"{place}{written}: expected different names")
        return rules, values

    def choice(self, *allowed: str) -> Callable[[str, Any], str]:
        """A reader for one of the `allowed` words."""

        def read(place: str, raw: Any) -> str:
            if raw not in allowed or not isinstance(raw, str):
                self.problems.append(f"{place}: expected one of {', '.join(allowed)}")
            return str(raw)

        return read

    def number(self, place: str, raw: Any, highest: float = 1.0) -> float:
        """A number from 0 to `highest`; NaN is not in any range, and a boolean is no number."""
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw <= highest:
            self.problems.append(f"{place}: expected a number from 0 to {highest:g}")
            return 0.0
        return float(raw)

    def threshold(self, place: str, raw: Any) -> float | str | dict[str, float]:
        """`"model"`, a number from 0 to 1, or `{ reach = share }`."""
        if raw == "model":
            return "model"
        if isinstance(raw, dict) and set(raw) == {"reach"}:
            return {"reach": self.number(f"{place}.reach", raw["reach"])}
        if isinstance(raw, str | dict):
            self.problems.append(
                f'{place}: expected "model", a number from 0 to 1, or {{ reach = share }}'
            )
            return "model"
        return self.number(place, raw)

    def decimals(self, place: str, raw: Any) -> int:
        """A whole number from 0 to 15."""
        if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw <= MOST_DECIMALS:
            self.problems.append(f"{place}: expected a whole number from 0 to {MOST_DECIMALS}")
            return 0
        return raw

    def text(self, place: str, raw: Any, *, wanted: bool = False) -> str:
        """Text; when `wanted`, of one character or more."""
        if not isinstance(raw, str) or (wanted and not raw):
            self.problems.append(
                f"{place}: expected text" + (" of one character or more" if wanted else "")
            )
            return ""
        return raw

    def attribute(self, place: str, raw: Any, *, wanted: bool = False) -> str:
        """An attribute's or metric's name, at most 50 characters."""
        name = self.text(place, raw, wanted=wanted)
        if len(name) > LONGEST_NAME:
            self.problems.append(
                f"{place}: expected a name of at most {LONGEST_NAME} characters, which is Pinpoint's limit"
            )
        if any(character in UNWISE_IN_NAMES for character in name):
            self.warnings.append(
                f"{place}: Pinpoint advises against {' '.join(UNWISE_IN_NAMES)} in attribute names"
            )
        return name

    def metric(self, place: str, raw: Any) -> str:
        """The metric's name, which heads a column of scores.csv."""
        return self.attribute(place, self.text(place, raw, wanted=True))

    def holdout(self, place: str, raw: Any) -> Holdout:
        """The `[holdout]` table, whole."""
        table = self.table(place, raw, {"percent", "salt", "attribute"})
        return Holdout(
            percent=self.number(f"{place}.percent", table.get("percent", 0.0), 100.0),
            salt=self.text(f"{place}.salt", table.get("salt", "")),
            attribute=self.attribute(f"{place}.attribute", table.get("attribute", "")),
        )

    def bands(self, place: str, raw: Any) -> tuple[Band, ...]:
        """The `[[band]]` tables, whole, highest first."""
        if not isinstance(raw, list):
            self.problems.append(f"{place}: expected [[{place}]] tables")
            return ()
        bands = [self.band(f"{place}[{index}]", row) for index, row in enumerate(raw)]
        for what in ("name", "at_least"):
            found = [getattr(band, what) for band in bands]
            if len(set(found)) < len(found):
                self.problems.append(f"{place}: expected every {what} once")
        return tuple(sorted(bands, key=lambda band: -band.at_least))

    def band(self, place: str, raw: Any) -> Band:
        """One `[[band]]` table; long texts are warned about, since the channel cuts or splits them."""
        table = self.table(place, raw, {"name", "at_least", "title_override", "body_override"})
        name = self.text(f"{place}.name", table.get("name"), wanted=True)
        title = self.text(f"{place}.title_override", table.get("title_override", ""))
        body = self.text(f"{place}.body_override", table.get("body_override", ""))
        if len(name) > LONGEST_BAND:
            self.problems.append(f"{place}.name: expected at most {LONGEST_BAND:,} characters")
        elif len(name) > LONGEST_VALUE:
            self.warnings.append(
                f"{place}.name: over {LONGEST_VALUE} characters, Pinpoint's limit for an attribute's value"
            )
        if len(body) > LONGEST_SMS:
            self.warnings.append(
                f"{place}.body_override: over {LONGEST_SMS:,} characters, the limit for SMS"
            )
        if len((title + body).encode("utf-8", "replace")) > LARGEST_PUSH:
            self.warnings.append(
                f"{place}: title_override and body_override take over {LARGEST_PUSH:,} bytes, the limit for push"
            )
        at_least = self.number(f"{place}.at_least", table.get("at_least"))
        return Band(name=name, at_least=at_least, title_override=title, body_override=body)

    def external(self, place: str, raw: Any) -> dict[str, str]:
        """The `[external]` table, whole: attribute to write -> attribute of the profile, given as `External.X`."""
        if not isinstance(raw, dict):
            self.problems.append(f"{place}: expected a table")
            return {}
        for name, path in raw.items():
            self.attribute(f"{place}.{name}", name, wanted=True)
            if not isinstance(path, str) or not path.startswith(EXTERNAL) or path == EXTERNAL:
                self.problems.append(
                    f"{place}.{name}: expected a path below External, such as External.Tier"
                )
        return {name: str(path).removeprefix(EXTERNAL) for name, path in raw.items()}

    def table(self, place: str, raw: Any, keys: set[str]) -> Mapping[str, Any]:
        """A table with no other keys than `keys`."""
        if not isinstance(raw, dict):
            self.problems.append(f"{place}: expected a table")
            return {}
        for key in raw:
            if key not in keys:
                misplaced = (
                    "; keys of the whole policy stand above the first [table]"
                    if key in KEYS
                    else ""
                )
                self.problems.append(
                    f"{place}.{key}: unknown key; expected one of {', '.join(sorted(keys))}{misplaced}"
                )
        return raw

    def read_overrides(self, raw: Any, parent: Mapping[str, Any]) -> tuple[Override, ...]:
        """The `[[override]]` tables, most ids first. Two that can match one event with as many ids are a problem."""
        if not isinstance(raw, list):
            self.problems.append("override: expected [[override]] tables")
            return ()
        overrides: dict[int, Override] = {}
        for index, row in enumerate(raw):
            place = f"override[{index}]"
            if not isinstance(row, dict):
                self.problems.append(f"{place}: expected a table")
                continue
            ids = {
                key: self.text(f"{place}.{key}", row[key], wanted=True)
                for key in MATCHED
                if key in row
            }
            if not ids:
                self.problems.append(f"{place}: expected one or more of {', '.join(MATCHED)}")
            rules, _ = self.read_rules(row, f"{place}.", parent)
            if rules is not None and ids:
                overrides[index] = Override(ids=ids, rules=rules)
        self.problems += find_ties(overrides)
        return tuple(sorted(overrides.values(), key=lambda override: -len(override.ids)))


# key in the file -> name in Rules, and how it is read
KEYS: dict[str, tuple[str, Callable[[Reader, str, Any], Any]]] = {
    "mode": ("mode", lambda r, p, v: r.choice("filter", "annotate", "shadow")(p, v)),
    "threshold": ("threshold", Reader.threshold),
    "keep": ("keep", lambda r, p, v: r.choice("at_least", "below")(p, v)),
    "decimals": ("decimals", Reader.decimals),
    "on_error": ("on_error", lambda r, p, v: r.choice("keep", "drop", "raise")(p, v)),
    "on_missing_external": (
        "on_missing_external",
        lambda r, p, v: r.choice("on_error", "score")(p, v),
    ),
    "unreadable": ("unreadable", lambda r, p, v: r.choice("keep", "drop")(p, v)),
    "min_present": ("min_present", Reader.number),
    "sparse": ("sparse", lambda r, p, v: r.choice("keep", "drop")(p, v)),
    "score_attribute": ("score_attribute", Reader.attribute),
    "band_attribute": ("band_attribute", Reader.attribute),
    "metric": ("metric", Reader.metric),
    "holdout": ("holdout", Reader.holdout),
    "band": ("bands", Reader.bands),
    "external": ("external", Reader.external),
}


def load_policy(path: Path, *, threshold: float, quantiles: Sequence[float]) -> Policy:
    """Read a policy file. `threshold` and `quantiles` are the bundle's. Raises SettingsError naming every problem."""
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: expected a policy (TOML), found no file") from error
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: expected a readable TOML file in UTF-8: {error}") from error
    try:
        return read_policy(table, threshold=threshold, quantiles=quantiles)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def read_policy(
    table: Mapping[str, Any], *, threshold: float, quantiles: Sequence[float]
) -> Policy:
    """Make a policy of plain data, as TOML gives it. Raises SettingsError naming every problem."""
    reader = Reader(threshold, quantiles)
    rules, values = reader.read_rules(table, "", {})
    overrides = reader.read_overrides(table.get("override", []), values if rules else {})
    if reader.problems or rules is None:
        raise SettingsError("; ".join(dict.fromkeys(reader.problems)))
    return Policy(rules=rules, overrides=overrides, warnings=tuple(dict.fromkeys(reader.warnings)))


def find_ties(overrides: Mapping[int, Override]) -> list[str]:
    """Pairs of overrides, by place in the file, with as many ids that one event can match, unless a third with more ids decides it."""
    problems = []
    for (first, one), (second, other) in combinations(overrides.items(), 2):
        union = {**one.ids, **other.ids}
        compatible = all(
            union[key] == value for ids in (one.ids, other.ids) for key, value in ids.items()
        )
        decided = any(
            len(third.ids) > len(one.ids) and third.ids.items() <= union.items()
            for third in overrides.values()
        )
        if len(one.ids) == len(other.ids) and compatible and not decided:
            cure = (
                "; a third that has the ids of both would decide"
                if len(union) > len(one.ids)
                else ""
            )
            problems.append(
                f"override[{first}], override[{second}]: expected no event to match both with as many ids{cure}"
            )
    return problems


def describe_rules(rules: Rules) -> dict[str, Any]:
    """The rules as plain data, every default filled in and the threshold as the number it came to."""
    described: dict[str, Any] = msgspec.to_builtins(rules)
    return described
