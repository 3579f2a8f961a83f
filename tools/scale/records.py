"""What the table is computed from: frozen values, kept as docs/scale.json and docs/prices.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run of the runner.

    seconds            by the clock, the start of Python included
    processor_seconds  of all its processes
    parent_seconds     of the first one, which reads and writes
    memory_mb          peak of all processes, shared pages once
    parent_mb          of the first one; others_mb: of all others together
    disk_bytes         most bytes in the output folder at any time; output_bytes: at the end
    """

    engine: Literal["local", "ray"]
    processes: int
    budget: bool
    people: int
    seconds: float
    processor_seconds: float
    parent_seconds: float
    memory_mb: float
    parent_mb: float
    others_mb: float
    disk_bytes: int
    output_bytes: int


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of a segment of `people`: as a gzip file, and unpacked."""

    people: int
    packed_bytes: int
    plain_bytes: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """docs/scale.json: runs of two sizes on one machine. `ray` is its version."""

    revision: str
    started: str
    processor: str
    cores: int
    load: tuple[float, float]
    ray: str
    segments: tuple[Segment, ...]
    runs: tuple[Run, ...]

    def find(self, engine: str, processes: int, *, budget: bool = False) -> tuple[Run, Run]:
        """The smallest and the largest run of a kind. Raises KeyError if there are not two."""
        found = sorted(
            (
                run
                for run in self.runs
                if (run.engine, run.processes, run.budget) == (engine, processes, budget)
            ),
            key=lambda run: run.people,
        )
        if len(found) < 2:
            raise KeyError(f"two runs: {engine}, {processes} processes, budget {budget}")
        return found[0], found[-1]


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A price or a quota.

    basis  "page": read in a stored copy of `source`; "quoted": read in public texts that quote it;
           "memory": read nowhere for this table, so check it before relying on it
    """

    value: float
    unit: str
    means: str
    source: str
    looked_up: str
    basis: Literal["page", "quoted", "memory"]


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """docs/prices.json. Prices are in dollars, before taxes, discounts and free tiers."""

    region: str
    prices: Mapping[str, Number]
    quotas: Mapping[str, Number]
