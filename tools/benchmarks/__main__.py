"""`python -m tools.benchmarks`: measure every table; write docs/benchmarks.json, page and plots.

The README's section "Numbers" and the figures in docs/runner.md and docs/web.md are written too.
`--page` measures nothing and writes all of them from docs/benchmarks.json.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from model.atomic import write_atomically
from model.errors import SegmentScorerError
from tools.benchmarks.documents import renew_documents
from tools.benchmarks.example import PLACE, ROOT, find_python
from tools.benchmarks.fits import fit_usual
from tools.benchmarks.machine import name_processor, read_load, read_memory, read_packages
from tools.benchmarks.page import renew_readme, write_page
from tools.benchmarks.plan import Plan
from tools.benchmarks.plots import draw_plots
from tools.benchmarks.records import Machine, Results, Table
from tools.image.provenance import read_revision

TABLES = (
    "warm",
    "warm_settings",
    "start",
    "rooms",
    "service",
    "service_cost",
    "runner",
    "runner_cost",
    "image",
    "start_image",
    "web",
)
DOCS = ROOT / "docs"
KEPT = DOCS / "benchmarks.json"
NEEDS = ("function", "usual", "interop/mlserver", "interop/kserve")
NEED_ENGINE = ("image", "start_image")  # without one they have no rows, and say so
NEED_USUAL = ("warm", "start", "rooms")  # the usual handler's model


def take_results(plan: Plan, names: Sequence[str]) -> Results:
    """Measure the named tables in turn. One that cannot be measured says so; the others stay."""
    began, load = time.monotonic(), read_load()
    revision = read_revision()  # before the run, which may write into docs/
    started = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    tables = [take_table(plan, name) for name in names]
    machine = Machine(
        processor=name_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=read_memory(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages=read_packages(),
        started=started,
        revision=revision,
        minutes=(time.monotonic() - began) / 60,
        load=(load, read_load()),
    )
    return Results(machine=machine, effort=plan.effort, tables=tuple(tables))


def take_table(plan: Plan, name: str) -> Table:
    """Measure one table. If that fails, the table has no rows, and a note says why."""
    plan.say(name)
    began = time.monotonic()
    try:
        if name in NEED_USUAL:
            fit_usual()
        table: Table = importlib.import_module(f"tools.benchmarks.rows.{name}").measure(plan)
    except Exception as error:  # noqa: BLE001  # hours of other tables are worth more
        sentence = str(error) if isinstance(error, SegmentScorerError) else type(error).__name__
        print(f"bench: {name} was not measured: {sentence}", file=sys.stderr)
        traceback.print_exception(error)
        note = f"Not measured: {sentence.splitlines()[0]}"
        return Table(name=name, title=f"{name} (not measured)", ours="", rows=(), notes=(note,))
    minutes = (time.monotonic() - began) / 60
    return msgspec.structs.replace(table, minutes=minutes)


def publish(results: Results, folder: Path = DOCS) -> None:
    """Write figures, page and plots; if the folder is docs/, the other documents' figures too.

    Each is written to a temporary file first. The figures come first: they took minutes, and
    `--page` makes all the rest again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = msgspec.json.format(msgspec.json.encode(results), indent=1).decode() + "\n"
    write_atomically(folder / "benchmarks.json", figures.encode())
    texts = {folder / "benchmarks.md": write_page(results)}
    if folder == DOCS:
        readme = ROOT / "README.md"
        texts[readme] = renew_readme(readme.read_text("utf-8"), results)
        texts |= dict(renew_documents(results))
    draw_plots(results, folder)
    for file, text in texts.items():
        write_atomically(file, text.encode())


def main() -> int:
    """Run the command. Exit status 1: a table was not measured; the others are written."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.benchmarks", description="Measure, and make docs/benchmarks.md."
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=TABLES,
        default=TABLES,
        help="measure these tables; print the page, keep nothing unless --renew is given",
    )
    parser.add_argument(
        "--renew",
        action="store_true",
        help="with --only: put these tables, with their commit, into docs/benchmarks.json and the "
        "page; for figures that the machine's load does not change, such as image sizes",
    )
    parser.add_argument(
        "--effort", type=float, default=1.0, help="share of the usual repetitions (default: 1)"
    )
    parser.add_argument(
        "--largest",
        type=int,
        default=10_000_000,
        help="endpoints of the largest segment (default: 10,000,000)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=DOCS,
        help="folder for figures, page and plots (default: docs, and the README's section)",
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="measure nothing; make the page and the plots again from docs/benchmarks.json",
    )
    options = parser.parse_args()
    if options.renew and options.only == TABLES:
        parser.error("--renew: expected --only and the tables to renew")
    if options.page:
        publish(msgspec.json.decode(KEPT.read_bytes(), type=Results))
        return 0
    missing = [name for name in NEEDS if not find_python(name).exists()]
    if missing:
        print(
            f"bench: the environments {', '.join(missing)} are missing under .cache, and so some "
            "tables will be; make bench makes them",
            file=sys.stderr,
        )
    PLACE.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    with console.status("measuring") as status:
        plan = Plan(
            effort=options.effort,
            largest=options.largest,
            say=lambda what: status.update(f"measuring: {what}"),
        )
        results = take_results(plan, options.only)
    if options.renew:
        results = msgspec.json.decode(KEPT.read_bytes(), type=Results).renew(results)
    if options.renew or tuple(options.only) == TABLES:
        publish(results, options.out)
        print(f"{options.out / 'benchmarks.md'} written")
    else:
        print(write_page(results))
    return 0 if all(table.rows or table.name in NEED_ENGINE for table in results.tables) else 1


if __name__ == "__main__":
    raise SystemExit(main())
