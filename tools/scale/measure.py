"""Measures the slopes of the table: the runner and Ray, at two sizes, in turn on this machine."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from tools.benchmarks.arithmetic import take_turns
from tools.benchmarks.example import PLACE, make_segment
from tools.benchmarks.machine import name_processor, read_load
from tools.image.provenance import read_revision
from tools.scale.records import Measured, Run, Segment
from tools.scale.watch import measure_folder, watch

SIZES = (100_000, 1_000_000)
PIECE_BYTES = 1 << 20


class RunKind(NamedTuple):
    """How a segment is run."""

    engine: Literal["local", "ray"]
    processes: int
    budget: bool = False


KINDS = (
    RunKind("local", 1),
    RunKind("local", 2),
    RunKind("local", 2, budget=True),
    RunKind("ray", 1),
    RunKind("ray", 2),
)


def measure(
    say: Callable[[str], object], sizes: Sequence[int], ray: str, rounds: int = 1
) -> Measured:
    """Run every kind at every size, in turn in each round. Raises RunError if a run fails.

    Of the rounds the run stays that has the median processor time. `ray` is its version.
    """
    revision, load = read_revision(), read_load()  # before the run, which writes into docs/
    started = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    segments, runs = [], []
    for size in sizes:
        say(f"a segment of {size:,} people")
        segment = make_segment(size)
        segments.append(weigh(segment, size))
        turns: dict[str, Callable[[int], Run]] = {
            str(kind): partial(run, segment, size, kind, say) for kind in KINDS
        }
        runs += [find_middle(taken) for taken in take_turns(turns, rounds).values()]
    return Measured(
        revision=revision,
        started=started,
        processor=name_processor(),
        cores=len(os.sched_getaffinity(0)),
        load=(round(load, 1), round(read_load(), 1)),
        ray=ray,
        segments=tuple(segments),
        runs=tuple(runs),
    )


def weigh(segment: Path, people: int) -> Segment:
    """The bytes of a segment, packed and unpacked."""
    with gzip.open(segment, "rb") as file:
        plain = sum(len(piece) for piece in iter(lambda: file.read(PIECE_BYTES), b""))
    return Segment(people=people, packed_bytes=segment.stat().st_size, plain_bytes=plain)


def find_middle(runs: Sequence[Run]) -> Run:
    """The run with the median processor time; of an even number the dearer one of the middle."""
    return sorted(runs, key=lambda each: each.processor_seconds)[len(runs) // 2]


def run(
    segment: Path, people: int, kind: RunKind, say: Callable[[str], object], number: int
) -> Run:
    """One run; `number` is that of its round. Raises RunError."""
    say(
        f"round {number + 1}: {people:,} people, {kind.engine}, {kind.processes} "
        f"{'with' if kind.budget else 'without'} a budget"
    )
    out = PLACE / "scale"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "segment_scorer.cli.main", "run", str(segment)]
    command += ["--out", str(out), "--scheduled-time", "1997-10-01T00:00:00Z"]
    command += ["--engine", kind.engine, "--processes", str(kind.processes)]
    if kind.budget:
        command += ["--budget", "1%", "--one-per", "user"]
    found = watch(command, out)
    written = measure_folder(out)
    shutil.rmtree(out)
    return Run(
        engine=kind.engine,
        processes=kind.processes,
        budget=kind.budget,
        people=people,
        seconds=round(found.seconds, 2),
        processor_seconds=round(found.processor_seconds, 2),
        parent_seconds=round(found.first_seconds, 2),
        memory_mb=round(found.memory / 1e6, 1),
        parent_mb=round(found.first_memory / 1e6, 1),
        others_mb=round(found.other_memory / 1e6, 1),
        disk_bytes=max(found.disk, written),
        output_bytes=written,
    )
