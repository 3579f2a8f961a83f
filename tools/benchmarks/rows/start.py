"""New processes: time to the first reply, modules loaded, and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tools.benchmarks.arithmetic import divide, find_median, take_no_number, take_turns
from tools.benchmarks.example import (
    PLACE,
    ROOT,
    clean_environ,
    describe_usual,
    find_python,
    make_events,
)
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.starts import ANSWER, IMPORTS, Start, start_process

FUNCTION, USUAL = "the function", "the usual handler"
ROUNDS = 20
SELDOM = {USUAL: 3}  # eight times as long as the function


def measure(plan: Plan) -> Table:
    """Start one process after another, contenders in turn, with a warm page cache."""
    event = PLACE / "event.json"
    event.write_text(make_events().read_text("utf-8").splitlines()[0], encoding="utf-8")
    programs: Mapping[str, tuple[Path, str]] = {
        FUNCTION: (
            find_python("function"),
            ANSWER.format(module="function.handler", event=str(event)),
        ),
        IMPORTS: (find_python("function"), IMPORTS),
        USUAL: (
            find_python("usual"),
            ANSWER.format(module="tools.benchmarks.usual.handler", event=str(event)),
        ),
    }
    starts: Mapping[str, Callable[[int], Start]] = {
        name: take_no_number(
            partial(
                start_process,
                python,
                program,
                folder=ROOT,
                environ=clean_environ(**describe_usual()),
            )
        )
        for name, (python, program) in programs.items()
    }
    take_turns(starts, 2)
    taken = take_turns(starts, plan.count(ROUNDS), SELDOM)
    rows = tuple(
        Measurement(
            label=label,
            unit=unit,
            values={
                name: find_median([scale * getattr(each, part) for each in values])
                for name, values in taken.items()
            },
        )
        for part, label, unit, scale in (
            ("seconds", "new process to first reply, median", "ms", 1000.0),
            ("modules", "modules loaded", "", 1.0),
            ("kilobytes", "peak memory", "MB", 1024 / 1e6),
        )
    )
    first = rows[0].values
    return Table(
        name="start",
        title="A new process up to its first reply",
        ours=FUNCTION,
        limit=IMPORTS,
        alternatives=(USUAL,),
        rows=rows,
        targets=(
            Target(
                sentence="new process to first reply, of the bare imports'",
                value=divide(first[FUNCTION], first[IMPORTS]) or 0,
                bound=1.5,
            ),
            Target(
                sentence="the usual handler's new process to first reply, of the function's",
                value=divide(first[USUAL], first[FUNCTION]) or 0,
                bound=6.0,
                kind="at least",
            ),
        ),
        notes=(
            (
                f"{len(taken[IMPORTS])} processes each, of the usual handler {len(taken[USUAL])}, "
                "in turn, bytecode compiled and files in the page cache."
            ),
            (
                "Before it imports numpy, the function sets OPENBLAS_NUM_THREADS=1 for itself; the "
                "bare imports start OpenBLAS's threads, as by default."
            ),
        ),
    )
