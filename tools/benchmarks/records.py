"""What a run of the benchmark comes to: plain frozen values, kept as docs/benchmarks.json, from which the page is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of every contender: column -> value, None where it could not be taken. `more_is_better`: a rate, not a cost."""

    label: str
    unit: str
    values: Mapping[str, float | None]
    more_is_better: bool = False


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised of a figure, and the figure. `remains`: what the page says where it is missed, why and what was tried."""

    sentence: str
    value: float
    bound: float
    kind: Literal["at most", "at least"] = "at most"
    unit: str = "x"
    remains: str = ""

    @property
    def met(self) -> bool:
        """Whether the promise holds."""
        return self.value <= self.bound if self.kind == "at most" else self.value >= self.bound


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the page.

    ours     the column that is ours
    limit    the column of what cannot be beaten, "" when there is none
    rivals   the columns of what people would otherwise run
    beside   further columns, compared with nothing
    """

    name: str
    title: str
    ours: str
    rows: tuple[Row, ...]
    limit: str = ""
    rivals: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, ours first."""
        return (self.ours, *((self.limit,) if self.limit else ()), *self.rivals, *self.beside)

    def find(self, label: str, column: str) -> float:
        """A figure by its row's label and its column. Raises KeyError when there is none."""
        for row in self.rows:
            if row.label == label and (value := row.values.get(column)) is not None:
                return value
        raise KeyError(f"{self.name}: {label}, {column}")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when figures were taken. `load`: the system's load average of one minute before the run and after it."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    packages: Mapping[str, str]
    started: str
    minutes: float
    load: tuple[float, float]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. `effort` is the share of the usual repetitions that it made."""

    machine: Machine
    effort: float
    tables: tuple[Table, ...]
