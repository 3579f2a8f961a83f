"""New processes in the built image, under Lambda's limits: time to the first reply."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tools.benchmarks.arithmetic import divide, find_median, take_turns
from tools.benchmarks.children import Child
from tools.benchmarks.example import PLACE, ROOT, make_events
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.rows.image import build_target
from tools.benchmarks.rows.start import FUNCTION
from tools.benchmarks.starts import IMPORTS
from tools.image.container import MEGABYTES_A_CPU, list_limits
from tools.image.engine import Engine, ImageError, find_engine

# Megabytes: the template's default, and the least at which Lambda gives a whole processor.
MEMORIES = (1024, MEGABYTES_A_CPU)
ROUNDS = 15
INSIDE = "/benchmark"
PARTS = {"seconds": ("new process to first reply", "ms"), "processor": ("processor time", "ms")}
TITLE = "A new process up to its first reply, in the image under Lambda's limits"
BOUND = 1.5


def measure(plan: Plan) -> Table:
    """Start one process after another in a container of each size. Without engine: a note."""
    try:
        engine = find_engine()
        image = build_target("function")
        plan.say("start_image")
        taken = take_all(engine, image, plan)
    except ImageError as error:
        return Table(
            name="start_image",
            title=TITLE,
            ours=FUNCTION,
            limit=IMPORTS,
            rows=(),
            notes=(f"Not measured: {error}.",),
        )
    rows = [make_row(memory, part, samples) for memory, samples in taken.items() for part in PARTS]
    return Table(
        name="start_image",
        title=TITLE,
        ours=FUNCTION,
        limit=IMPORTS,
        rows=tuple(rows),
        targets=tuple(
            Target(
                sentence=f"{row.label}, of the bare imports', in the image",
                value=divide(row.values[FUNCTION], row.values[IMPORTS]) or 0.0,
                bound=BOUND,
            )
            for row in rows
            if row.label.endswith(PARTS["seconds"][0])
        ),
        notes=(
            (
                f"Medians of {plan.count(ROUNDS)} processes each, in turn, in one container of "
                "each size: a read-only disk, a user without rights, and the processor that Lambda "
                "gives at that memory, as milliseconds in each tenth of a second. A process that "
                "has used them waits for the next tenth, so times come in steps. AWS gives more "
                "processor while a function starts. Files are in the page cache."
            ),
        ),
    )


def take_all(engine: Engine, image: str, plan: Plan) -> dict[int, list[dict[str, float]]]:
    """The samples of each size. Raises ImageError if no container starts with the limits."""
    folder = PLACE / "inside"
    folder.mkdir(parents=True, exist_ok=True)
    event = make_events().read_text("utf-8").splitlines()[0]
    (folder / "event.json").write_text(event, encoding="utf-8")
    with contextlib.ExitStack() as stack:
        asked: Mapping[str, Callable[[int], dict[str, float]]] = {
            str(memory): stack.enter_context(run_inside(engine, image, memory, folder)).ask
            for memory in MEMORIES
        }
        take_turns(asked, 1)
        taken = take_turns(asked, plan.count(ROUNDS))
    return {int(memory): samples for memory, samples in taken.items()}


@contextlib.contextmanager
def run_inside(engine: Engine, image: str, memory: int, folder: Path) -> Iterator[Child]:
    """A container of a size that starts processes when asked. Raises ImageError.

    folder  holds event.json
    """
    name = f"segment-scorer-start-{os.getpid()}-{memory}"
    limits = [*list_limits(engine, memory, share_cpu=True), "--network=none"]
    engine.ask("run", "--rm", *limits, "--entrypoint", "python", image, "-c", "")
    command = [
        *(engine.program, "run", "--rm", "--interactive", "--name", name, *limits),
        *(f"--volume={folder}:{INSIDE}/data:ro", f"--volume={ROOT / 'tools'}:{INSIDE}/tools:ro"),
        *(f"--env=PYTHONPATH={INSIDE}", "--entrypoint", "python", image),
        *("-m", "tools.benchmarks.probe", "tools.benchmarks.starts:measure_starts"),
        *("python", f"{INSIDE}/data/event.json"),
    ]
    try:
        with subprocess.Popen(
            command,
            env=engine.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield Child(process)
    finally:
        engine.succeeds("rm", "--force", "--volumes", name)


def make_row(memory: int, part: str, samples: list[dict[str, float]]) -> Measurement:
    """One part of one size."""
    label, unit = PARTS[part]
    return Measurement(
        label=f"{memory:,} MB, {memory / MEGABYTES_A_CPU:.2f} vCPU: {label}",
        unit=unit,
        values={
            column: 1000 * find_median([sample[f"{name} {part}"] for sample in samples])
            for name, column in {"function": FUNCTION, "imports": IMPORTS}.items()
        },
    )
