"""Reads the values of `policy.toml`, one method per kind of value. KEYS lists every key.

Never raises: the reader collects every problem and every warning, with the path of the value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from function.exclude_values import read_excludes
from function.holdout import Holdout
from function.records import Band
from model.errors import name_kind
from model.score_kind import RESPONSE, ScoreKind

# Amazon Pinpoint's quotas: an attribute's name has 50 characters, its value 100. An SMS message has
# 1,600 characters, a push payload 4 KB.
LONGEST_NAME = 50
LONGEST_VALUE = 100
LONGEST_SMS = 1_600
LARGEST_PUSH = 4_096
# With longer names, one profile's ResultData comes near Connect's 32 KB.
LONGEST_BAND = 1_000
UNWISE_IN_NAMES = "#:?\\/"
MOST_DECIMALS = 15
OUT_OF_RANGE = "a number out of range"
EXTERNAL = "External."
BAND_KEYS = ("name", "at_least", "reach", "title_override", "body_override")
HOLDOUT_KEYS = ("percent", "salt", "attribute")


class ValueReader(ABC):
    """Reads values and collects what is wrong with them. Returns a stand-in for a wrong value.

    score  what the scores mean that thresholds and bands are compared with
    """

    def __init__(self, score: ScoreKind = RESPONSE) -> None:
        self.score_kind = score
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def refuse(self, path: str, expected: str, raw: Any, found: str = "") -> None:
        """Note a problem. `found` says more than the kind of `raw`, never its value."""
        kind = "nothing" if raw is None else name_kind(raw)
        self.problems.append(f"{path}: expected {expected}, found {found or kind}")

    def choice(self, *allowed: str) -> Callable[[str, Any], str]:
        """A reader for one of the `allowed` words."""

        def read(path: str, raw: Any) -> str:
            if not isinstance(raw, str):
                self.refuse(path, f"one of {', '.join(allowed)}", raw)
            elif raw not in allowed:
                self.refuse(path, f"one of {', '.join(allowed)}", raw, "other text")
            return str(raw)

        return read

    def number(self, path: str, raw: Any, highest: float = 1.0) -> float:
        """A number from 0 to `highest`. NaN is in no range, and a boolean is not a number."""
        expected = f"a number from 0 to {highest:g}"
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            self.refuse(path, expected, raw)
        elif not 0 <= raw <= highest:
            self.refuse(path, expected, raw, OUT_OF_RANGE)
        else:
            return float(raw)
        return 0.0

    def score(self, path: str, raw: Any) -> float:
        """A number in the range of the model's scores."""
        if self.score_kind.holds(raw):
            return float(raw)
        is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
        self.refuse(path, describe_range(self.score_kind), raw, OUT_OF_RANGE if is_number else "")
        return 0.0

    def threshold(self, path: str, raw: Any) -> float | str | dict[str, float]:
        """`"model"`, a number in the range of the scores, or `{ reach = share }`."""
        if raw == "model":
            return "model"
        if isinstance(raw, dict) and set(raw) == {"reach"}:
            return {"reach": self.number(f"{path}.reach", raw["reach"])}
        if isinstance(raw, str | dict):
            found = "other text" if isinstance(raw, str) else "another table"
            expected = f'"model", {describe_range(self.score_kind)}, or {{ reach = share }}'
            self.refuse(path, expected, raw, found)
            return "model"
        return self.score(path, raw)

    def decimals(self, path: str, raw: Any) -> int:
        """A whole number from 0 to 15."""
        expected = f"a whole number from 0 to {MOST_DECIMALS}"
        if isinstance(raw, float):
            self.refuse(path, expected, raw, "a number with a fraction")
        elif isinstance(raw, bool) or not isinstance(raw, int):
            self.refuse(path, expected, raw)
        elif not 0 <= raw <= MOST_DECIMALS:
            self.refuse(path, expected, raw, OUT_OF_RANGE)
        else:
            return raw
        return 0

    def text(self, path: str, raw: Any, *, required: bool = False) -> str:
        """Text; if `required`, of one character or more."""
        expected = "text of one character or more" if required else "text"
        if not isinstance(raw, str):
            self.refuse(path, expected, raw)
            return ""
        if required and not raw:
            self.refuse(path, expected, raw, "empty text")
        return str(raw)

    def attribute(self, path: str, raw: Any, *, required: bool = False) -> str:
        """The name of an attribute or a metric, at most 50 characters."""
        name = self.text(path, raw, required=required)
        if len(name) > LONGEST_NAME:
            expected = f"a name of at most {LONGEST_NAME} characters, which is Pinpoint's limit"
            self.refuse(path, expected, raw, f"{len(name)}")
        self.check_printable(path, name)
        if any(character in UNWISE_IN_NAMES for character in name):
            unwise = " ".join(UNWISE_IN_NAMES)
            self.warnings.append(f"{path}: Pinpoint advises against {unwise} in attribute names")
        return name

    def check_printable(self, path: str, name: str) -> None:
        """Refuse control characters, which break tables, terminals and templates."""
        if not name.isprintable():
            self.refuse(path, "a name without control characters", name, "one with some")

    def metric(self, path: str, raw: Any) -> str:
        """The metric's name, which heads a column of scores.csv."""
        return self.attribute(path, raw, required=True)

    def holdout(self, path: str, raw: Any) -> Holdout:
        """The `[holdout]` table."""
        table = self.table(path, raw, HOLDOUT_KEYS)
        percent = self.number(f"{path}.percent", table.get("percent", 0.0), 100.0)
        if 0.0 < percent < 1.0:
            self.warnings.append(
                f"{path}.percent: {percent:g} is {percent:g} % of users, not a share; for "
                f"{100 * percent:g} % write {100 * percent:g}"
            )
        return Holdout(
            percent=percent,
            salt=self.text(f"{path}.salt", table.get("salt", "")),
            attribute=self.attribute(f"{path}.attribute", table.get("attribute", "")),
        )

    def bands(self, path: str, raw: Any) -> tuple[Band, ...]:
        """The `[[band]]` tables, sorted, the highest first."""
        if not isinstance(raw, list):
            self.refuse(path, f"[[{path}]] tables", raw, name_table(raw))
            return ()
        bands = [self.band(f"{path}[{index}]", row) for index, row in enumerate(raw)]
        for key in ("name", "at_least"):
            found = [getattr(band, key) for band in bands]
            repeated = len(found) - len(set(found))
            if repeated:
                self.refuse(path, f"every {key} once", raw, f"{repeated} repeated")
        return tuple(sorted(bands, key=lambda band: -band.at_least))

    def band(self, path: str, raw: Any) -> Band:
        """One `[[band]]` table. Texts that a channel would cut or split get a warning."""
        table = self.table(path, raw, BAND_KEYS)
        name = self.text(f"{path}.name", table.get("name"), required=True)
        title = self.text(f"{path}.title_override", table.get("title_override", ""))
        body = self.text(f"{path}.body_override", table.get("body_override", ""))
        self.check_printable(f"{path}.name", name)
        if len(name) > LONGEST_BAND:
            expected = f"at most {LONGEST_BAND:,} characters"
            self.refuse(f"{path}.name", expected, name, f"{len(name):,}")
        elif len(name) > LONGEST_VALUE:
            self.warnings.append(
                f"{path}.name: over {LONGEST_VALUE} characters, Pinpoint's limit for an "
                "attribute's value"
            )
        if len(body) > LONGEST_SMS:
            self.warnings.append(
                f"{path}.body_override: over {LONGEST_SMS:,} characters, the limit for SMS"
            )
        if len((title + body).encode("utf-8", "replace")) > LARGEST_PUSH:
            self.warnings.append(
                f"{path}: title_override and body_override take over {LARGEST_PUSH:,} bytes, "
                "the limit for push"
            )
        at_least = self.band_start(path, table)
        return Band(name=name, at_least=at_least, title_override=title, body_override=body)

    def band_start(self, path: str, table: Mapping[str, Any]) -> float:
        """The score where a band begins: `at_least`, or what its `reach` comes to."""
        if "reach" not in table:
            return self.score(f"{path}.at_least", table.get("at_least"))
        if "at_least" in table:
            self.problems.append(f"{path}: expected at_least or reach, found both")
        reach = self.number(f"{path}.reach", table["reach"])
        return self.start_for_reach(f"{path}.reach", reach)

    @abstractmethod
    def start_for_reach(self, path: str, reach: float) -> float:
        """The score that the share `reach` of people have at least. Needs the bundle's scores."""

    def external(self, path: str, raw: Any) -> dict[str, str]:
        """The `[external]` table: attribute to write -> `External.X`, the attribute to copy."""
        if not isinstance(raw, dict):
            self.refuse(path, "a table", raw)
            return {}
        for name, source in raw.items():
            at = f"{path}.{show_key(name)}"
            self.attribute(at, name, required=True)
            expected = "a path below External, such as External.Tier"
            if not isinstance(source, str):
                self.refuse(at, expected, source)
            elif not source.startswith(EXTERNAL) or source == EXTERNAL:
                self.refuse(at, expected, source, "another path")
        return {name: str(source).removeprefix(EXTERNAL) for name, source in raw.items()}

    def table(self, path: str, raw: Any, keys: tuple[str, ...]) -> Mapping[str, Any]:
        """A table that has no other keys than `keys`."""
        if not isinstance(raw, dict):
            self.refuse(path, "a table", raw)
            return {}
        for key in raw:
            if key not in keys:
                expected = ", ".join(sorted(keys))
                problem = f"{path}.{show_key(key)}: unknown key; expected one of {expected}"
                if key in KEYS:
                    problem += "; keys of the whole policy stand above the first [table]"
                self.problems.append(problem)
        return raw


def describe_range(score: ScoreKind) -> str:
    """The numbers that a threshold of this kind can be."""
    what = ", which uplift scores are," if score.is_uplift else ""
    return f"a number {score.span}{what}".removesuffix(",")


def show_key(key: str) -> str:
    """A key of the file as errors show it: cut if it is long, and without control characters."""
    short = key if len(key) <= LONGEST_NAME else f"{key[:LONGEST_NAME]}..."
    return short if short.isprintable() else ascii(short)


def name_table(raw: Any) -> str:
    """The kind of a TOML value, where a table is not called an object."""
    return "one table" if isinstance(raw, dict) else name_kind(raw)


Read: TypeAlias = Callable[[ValueReader, str, Any], Any]


def one_of(*allowed: str) -> Read:
    """A reader for one of the `allowed` words."""
    return lambda reader, path, raw: reader.choice(*allowed)(path, raw)


# key in the file -> field of Rules, and how the value is read. docs/policy.md has the same order.
KEYS: Mapping[str, tuple[str, Read]] = {
    "mode": ("mode", one_of("filter", "annotate", "shadow")),
    "threshold": ("threshold", ValueReader.threshold),
    "keep": ("keep", one_of("at_least", "below")),
    "decimals": ("decimals", ValueReader.decimals),
    "on_error": ("on_error", one_of("keep", "drop", "raise")),
    "on_missing_external": ("on_missing_external", one_of("on_error", "score")),
    "on_other_kind": ("on_other_kind", one_of("on_error", "score")),
    "on_missing_time": ("on_missing_time", one_of("score", "no_scores")),
    "unreadable": ("unreadable", one_of("keep", "drop")),
    "min_present": ("min_present", ValueReader.number),
    "sparse": ("sparse", one_of("keep", "drop")),
    "score_attribute": ("score_attribute", ValueReader.attribute),
    "band_attribute": ("band_attribute", ValueReader.attribute),
    "metric": ("metric", ValueReader.metric),
    "holdout": ("holdout", ValueReader.holdout),
    "band": ("bands", ValueReader.bands),
    "exclude": ("excludes", read_excludes),
    "external": ("external", ValueReader.external),
}
