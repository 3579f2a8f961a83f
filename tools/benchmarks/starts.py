"""Starts a Python process and takes the time to its first reply. Needs only `model.errors`.

`tools.benchmarks.probe` calls `measure_starts` inside the image.
"""

from __future__ import annotations

import ast
import os
import random
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from model.errors import SegmentScorerError

IMPORTS = "import numpy, onnxruntime"
# The same as the function starts it: OpenBLAS, which comes with numpy, starts no threads.
ONE_THREAD = f"{IMPORTS}, one thread"
WITH_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
ANSWER = (
    "import json\nfrom {module} import handle\n"
    "assert handle(json.loads(open({event!r}).read()), None)"
)
# Prints a byte for the reply, at which the parent stops its clock. Then what else was used so far.
SAY = """
import os, sys, time
os.write({pipe}, b".")
used = time.process_time()
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")][0]
os.write({pipe}, repr((used, len(sys.modules), int(peak))).encode())
"""
# A share of the processor is a number of milliseconds in each tenth of a second. The wait before
# each start gives it all of them, and another moment of the tenth to begin at.
PERIOD = 0.1


class StartError(SegmentScorerError):
    """A process ended without a reply."""


class Start(NamedTuple):
    """A start, up to the first reply: seconds, processor seconds, modules, peak kilobytes."""

    seconds: float
    processor: float
    modules: int
    kilobytes: int


def start_process(
    python: Path | str, program: str, *, folder: Path, environ: Mapping[str, str]
) -> Start:
    """Start `python -c PROGRAM` in a folder. Raises StartError."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as pipe:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(python), "-c", program + SAY.format(pipe=write)],
            cwd=folder,
            env=environ,
            stdout=subprocess.DEVNULL,
            pass_fds=(write,),
        )
        os.close(write)
        done = pipe.read(1)
        elapsed = time.perf_counter() - started
        rest = pipe.read()
    if process.wait() or not done:
        raise StartError("expected every new process to reply")
    return Start(elapsed, *ast.literal_eval(rest.decode()))


def measure_starts(python: str, event: str) -> Callable[[int], dict[str, float]]:
    """For `tools.benchmarks.probe`: a start of the function and of the bare imports, in turn.

    The bare imports also with one thread.

    event  a file of an event
    The processes run in this one's folder and environment, without what it needs for itself.
    """
    programs: dict[str, tuple[str, dict[str, str]]] = {
        "function": (ANSWER.format(module="function.handler", event=event), {}),
        "imports": (IMPORTS, {}),
        "one thread": (IMPORTS, WITH_ONE_THREAD),
    }
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    order = random.Random(0)  # noqa: S311  # nothing secret

    def measure(_: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for name in order.sample(list(programs), len(programs)):
            time.sleep(PERIOD * (1 + order.random()))
            program, more = programs[name]
            start = start_process(python, program, folder=Path.cwd(), environ={**environ, **more})
            found |= {f"{name} {part}": value for part, value in start._asdict().items()}
        return found

    return measure
