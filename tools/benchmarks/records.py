"""The results of a run: frozen values, stored as docs/benchmarks.json. The page is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of every contender.

    values          column -> value; None if it could not be measured
    more_is_better  a rate, not a cost
    """

    label: str
    unit: str
    values: Mapping[str, float | None]
    more_is_better: bool = False


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its target. `explanation`: why a target is missed, and what was tried."""

    sentence: str
    value: float
    bound: float
    kind: Literal["at most", "at least"] = "at most"
    unit: str = "x"
    explanation: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure meets the target."""
        return self.value <= self.bound if self.kind == "at most" else self.value >= self.bound


class Table(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table of the page.

    ours          our column
    limit         the column of the physical limit, "" for none
    alternatives  the columns of what people use instead
    beside        further columns, not compared
    minutes       that measuring it took
    revision      the commit, if the table was measured after the run; "" for a table of the run
    """

    name: str
    title: str
    ours: str
    rows: tuple[Measurement, ...]
    limit: str = ""
    alternatives: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    revision: str = ""
    minutes: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, ours first."""
        return (self.ours, *((self.limit,) if self.limit else ()), *self.alternatives, *self.beside)

    def find(self, label: str, column: str) -> float:
        """A figure by its row's label and its column. Raises KeyError."""
        for row in self.rows:
            if row.label == label and (value := row.values.get(column)) is not None:
                return value
        raise KeyError(f"{self.name}: {label}, {column}")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, time and commit of a run.

    load  one-minute load average before and after it
    """

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    packages: Mapping[str, str]
    started: str
    revision: str
    minutes: float
    load: tuple[float, float]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. `effort` is its share of the usual repetitions."""

    machine: Machine
    effort: float
    tables: tuple[Table, ...]

    def renew(self, later: Results) -> Results:
        """This run with the tables that a later one measured, each with its commit."""
        revision = later.machine.revision
        renewed = {
            table.name: msgspec.structs.replace(table, revision=revision)
            for table in later.tables
            if table.rows
        }
        tables = tuple(renewed.get(table.name, table) for table in self.tables)
        return msgspec.structs.replace(self, tables=tables)
