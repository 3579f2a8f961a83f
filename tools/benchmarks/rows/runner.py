"""The runner: endpoints a second, processor time and memory as a segment grows, by processes.

Two processes walk the largest segment, and the first of them does there all that could grow. One
process takes twice as long and walks a tenth of it. Whether the cost grows is seen twice: from one
size to the next, and within one walk.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from model.errors import SegmentScorerError
from tools.benchmarks.arithmetic import divide, find_median, take_no_number, take_turns
from tools.benchmarks.example import PLACE, ROOT, clean_environ, make_segment
from tools.benchmarks.machine import read_seconds
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.walk import Mark, compare_thirds, read_people
from tools.image.sessions import find_session

PROCESSES = {"1 process": 1, "2 processes": 2}
ONE, TWO = PROCESSES
# Endpoints -> repetitions.
SIZES = {10_000: 3, 100_000: 1, 1_000_000: 1, 10_000_000: 1}
MOST_OF_ONE = 1_000_000  # endpoints that one process walks
# What the labels of rows end with. tools.scale computes its table from these rows.
CLOCK, PROCESSOR = ": time an endpoint", ": processor time an endpoint"
THIRDS = ": the last third's processor time an endpoint, of the first third's"
FLAT = 1.1


class RunError(SegmentScorerError):
    """A run failed."""


class Ran(NamedTuple):
    """What a run took: seconds by the clock and of processors; megabytes of all processes.

    growth  processor time an endpoint in the last third of the walk, of that in the first; None
            if the run saved too few checkpoints to tell
    """

    seconds: float
    processor_seconds: float
    megabytes: float
    growth: float | None


def measure(plan: Plan) -> Table:
    """Run `segment-scorer run` over segments of growing size, processes in turn."""
    rows: list[Measurement] = []
    run_segment(make_segment(min(SIZES)), 1)  # compiles everything and fills the page cache
    for size, times in SIZES.items():
        if size > plan.largest:
            continue
        plan.say(f"runner, {size:,} endpoints")
        segment = make_segment(size)
        runs: Mapping[str, Callable[[int], Ran]] = {
            name: take_no_number(partial(run_segment, segment, count))
            for name, count in PROCESSES.items()
            if count > 1 or size <= MOST_OF_ONE
        }
        rows += make_rows(size, take_turns(runs, plan.count(times, least=1)))
    return Table(
        name="runner",
        title="The campaign runner, a segment file to finished outputs",
        ours=ONE,
        beside=(TWO,),
        rows=tuple(rows),
        targets=(*compare_slopes(rows), *judge_walks(rows)),
        notes=(
            (
                "The whole command, start of Python included, over gzipped JSON lines; "
                "the hook is the function in process. Memory is that of all its processes "
                "together; shared pages count in each process."
            ),
            (
                f"One process walks up to {MOST_OF_ONE:,} endpoints, two walk the largest "
                "segment. Thirds of a walk are between its checkpoints, so that start and end of "
                "the command are in neither."
            ),
        ),
    )


def make_rows(size: int, taken: Mapping[str, list[Ran]]) -> list[Measurement]:
    """The rows of a size: medians, and the most memory."""
    seconds = {name: find_median([one.seconds for one in each]) for name, each in taken.items()}
    processor = {
        name: find_median([one.processor_seconds for one in each]) for name, each in taken.items()
    }
    growths = {
        name: [one.growth for one in each if one.growth is not None] for name, each in taken.items()
    }
    rows = [
        Measurement(
            label=f"{size:,} endpoints: endpoints a second",
            unit="1/s",
            values={n: size / s for n, s in seconds.items()},
            more_is_better=True,
        ),
        Measurement(
            label=f"{size:,} endpoints{CLOCK}",
            unit="us",
            values={n: 1e6 * s / size for n, s in seconds.items()},
        ),
        Measurement(
            label=f"{size:,} endpoints{PROCESSOR}",
            unit="us",
            values={n: 1e6 * s / size for n, s in processor.items()},
        ),
        Measurement(
            label=f"{size:,} endpoints: peak memory",
            unit="MB",
            values={name: max(one.megabytes for one in each) for name, each in taken.items()},
        ),
    ]
    if any(growths.values()):
        values = {name: find_median(each) for name, each in growths.items() if each}
        rows.append(Measurement(label=f"{size:,} endpoints{THIRDS}", unit="x", values=values))
    return rows


def compare_slopes(rows: list[Measurement]) -> list[Target]:
    """Targets: the cost of an endpoint must not grow between the two largest segments.

    Only for those who walked both.
    """
    costs = [row for row in rows if row.label.endswith(CLOCK)][-2:]
    if len(costs) < 2:
        return []
    return [
        Target(
            sentence=f"time an endpoint in {name}, {costs[1].label.split()[0]} endpoints, "
            f"of {costs[0].label.split()[0]} endpoints'",
            value=divide(costs[1].values[name], costs[0].values[name]) or 0.0,
            bound=FLAT,
        )
        for name in PROCESSES
        if name in costs[0].values and name in costs[1].values
    ]


def judge_walks(rows: list[Measurement]) -> list[Target]:
    """Targets: within the largest walk of each, the cost of an endpoint must not grow."""
    return [
        Target(
            sentence=f"processor time an endpoint in {name}, the last third of {size} endpoints, "
            "of the first third's",
            value=value,
            bound=FLAT,
        )
        for name, (size, value) in find_growth(rows).items()
    ]


def find_growth(rows: Iterable[Measurement]) -> dict[str, tuple[str, float]]:
    """Processes -> endpoints of their largest walk, and what its last third cost of its first."""
    return {
        name: (row.label.split()[0], value)
        for row in rows
        if row.label.endswith(THIRDS)
        for name, value in row.values.items()
        if value is not None
    }


def run_segment(segment: Path, processes: int) -> Ran:
    """What the whole command takes. Raises RunError."""
    out = PLACE / "run"
    shutil.rmtree(out, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "segment_scorer.cli.main",
        "run",
        str(segment),
        "--out",
        str(out),
        "--scheduled-time",
        "1997-10-01T00:00:00Z",
    ]
    command += ["--processes", str(processes)]
    peaks: dict[int, int] = {}
    used: dict[int, float] = {}
    marks: list[Mark] = []
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=clean_environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
                break
            for pid in find_session(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), read_peak(pid))
                used[pid] = max(used.get(pid, 0.0), read_seconds(pid))  # 0 once it has ended
            people = read_people(out)
            if people > (marks[-1].people if marks else 0):
                marks.append(Mark(people, sum(used.values())))
        elapsed = time.perf_counter() - started
        said = process.stderr.read().decode() if process.stderr else ""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)  # with the workers, which it waited for
    if process.returncode:
        raise RunError(
            f"expected the run to end with status 0, found {process.returncode}: {said[-500:]}"
        )
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    if summary["failed"] or summary["rejected"]:
        raise RunError("expected a run without failures")
    shutil.rmtree(out)
    taken = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Ran(elapsed, taken, sum(peaks.values()) * 1024 / 1e6, compare_thirds(marks))


def read_peak(pid: int) -> int:
    """Peak resident kilobytes of a process; 0 if it has ended, or is still a copy of this one."""
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes():
            return 0
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0
