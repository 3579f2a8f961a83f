"""From the committed JSON to the slopes of each way. Gives values of `tools.scale.ways`.

What was measured on an idle machine (docs/benchmarks.json) gives the absolute times. From
docs/scale.json come only ratios of runs of one session, sizes and memory, so that the load of its
machine matters little.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from tools.benchmarks.example import ROOT
from tools.benchmarks.records import Results, Table
from tools.benchmarks.rows.runner import CLOCK, ONE, PROCESSOR, TWO
from tools.scale.records import Measured, PriceList, Run
from tools.scale.ways import EngineSlopes, Slope, Walk, draw_slope

DOCS = ROOT / "docs"
MEASURED, PRICES, WHOLE = "scale.json", "prices.json", "whole-segment.json"
MICRO, MEGA = 1e-6, 1e6
# Of segment_scorer/deploy/template.yaml; tests/contract/test_scale.py compares.
BATCH, MEMORY_MB, LIMIT_SECONDS = 50, 1024, 86_400
TRANSITIONS = 4  # CheckKey, WalkSegment, CountFailures, ReportFailures
LOG_BYTES = 1300  # of a batch: docs/deploy.md
CHILD_SECONDS = 0.1  # assumed: a warm call and the overhead of an express execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that the table is computed from."""

    results: Results
    measured: Measured
    prices: PriceList
    whole: Mapping[str, Any]
    local: EngineSlopes
    ray: EngineSlopes
    walk: Walk


def read_inputs(results: Results, folder: Path = DOCS) -> Inputs:
    """Read the other files. Raises KeyError if a row or a run is missing."""
    measured = msgspec.json.decode((folder / MEASURED).read_bytes(), type=Measured)
    local = describe_local(find_table(results, "runner"), measured)
    return Inputs(
        results=results,
        measured=measured,
        prices=msgspec.json.decode((folder / PRICES).read_bytes(), type=PriceList),
        whole=json.loads((folder / WHOLE).read_text("utf-8")),
        local=local,
        ray=describe_ray(local, measured),
        walk=describe_walk(find_table(results, "warm"), measured),
    )


def find_table(results: Results, name: str) -> Table:
    """A table with rows. Raises KeyError."""
    for table in results.tables:
        if table.name == name and table.rows:
            return table
    raise KeyError(name)


def read_sizes(table: Table, ending: str, column: str) -> dict[int, float]:
    """Size of the segment -> seconds an endpoint, the smallest size first."""
    return {
        int(row.label.split()[0].replace(",", "")): value * MICRO
        for row in table.rows
        if row.label.endswith(ending) and (value := row.values.get(column)) is not None
    }


def draw_line(costs: Mapping[int, float]) -> Slope:
    """The line through the two largest sizes. Raises KeyError if there are not two."""
    if len(costs) < 2:
        raise KeyError("two sizes of the runner")
    (small, cheap), (large, dear) = sorted(costs.items())[-2:]
    return draw_slope((small, small * cheap), (large, large * dear))


def describe_local(table: Table, measured: Measured) -> EngineSlopes:
    """The runner on one machine, with a process a core."""
    clock = draw_line(read_sizes(table, CLOCK, TWO))
    # Figures of before this row have the time by the clock of one process, nearly the same.
    used = draw_line(read_sizes(table, PROCESSOR, TWO) or read_sizes(table, CLOCK, ONE))
    small, large = measured.find("local", 2)
    budget = measured.find("local", 2, budget=True)[1]
    segment = max(measured.segments, key=lambda each: each.people)
    parent = used.each * share(small, large)
    return EngineSlopes(
        start=clock.start,
        processor=used.each,
        parent=parent,
        rest=max(0.0, clock.each - (used.each - parent) / 2),
        disk=budget.disk_bytes / budget.people,
        packed=segment.packed_bytes / segment.people,
        output=large.output_bytes / large.people,
        **divide_memory(large, measured.find("local", 1)[1]),
    )


def describe_ray(local: EngineSlopes, measured: Measured) -> EngineSlopes:
    """Ray: the runner's slopes, changed as Ray's runs differ from the runner's in one session."""
    small, large = measured.find("ray", 2)
    ours = measured.find("local", 2)
    more = slope(small, large, "processor_seconds") / slope(*ours, "processor_seconds")
    processor = local.processor * more
    parent = processor * share(small, large)
    return EngineSlopes(
        start=draw_slope((small.people, small.seconds), (large.people, large.seconds)).start,
        processor=processor,
        parent=parent,
        rest=local.rest * parent / local.parent,
        disk=local.disk,
        packed=local.packed,
        output=local.output,
        **divide_memory(large, measured.find("ray", 1)[1]),
    )


def slope(
    small: Run, large: Run, field: Literal["seconds", "processor_seconds", "parent_seconds"]
) -> float:
    """Seconds a person between two sizes."""
    return draw_slope(
        (small.people, getattr(small, field)), (large.people, getattr(large, field))
    ).each


def share(small: Run, large: Run) -> float:
    """The first process's share of the processor time."""
    return slope(small, large, "parent_seconds") / slope(small, large, "processor_seconds")


def divide_memory(two: Run, one: Run) -> dict[str, float]:
    """Bytes of all that is there once, and of a worker more. `one` has half of the workers.

    The runner with one process has no worker, so its second of two counts for the first, too.
    """
    worker = two.others_mb - one.others_mb if one.others_mb else two.others_mb / two.processes
    once = two.parent_mb + two.others_mb - two.processes * worker
    return {"parent_memory": once * MEGA, "worker_memory": worker * MEGA}


def describe_walk(table: Table, measured: Measured) -> Walk:
    """The state machine, with a warm call as `make bench` measures it."""
    segment = max(measured.segments, key=lambda each: each.people)
    return Walk(
        batch=BATCH,
        plain=segment.plain_bytes / segment.people,
        call=table.find("median", table.ours) / 1000,
        memory_mb=MEMORY_MB,
        child=CHILD_SECONDS,
        log_bytes=LOG_BYTES,
        transitions=TRANSITIONS,
        limit=LIMIT_SECONDS,
    )
