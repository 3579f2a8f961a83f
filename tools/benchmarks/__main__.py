"""`python -m tools.benchmarks`: measure every table; write docs/benchmarks.json, page and plots.

The README's section "Numbers" is written too. `--page` measures nothing and writes the page from
docs/benchmarks.json.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from model.atomic import write_atomically
from model.errors import SegmentScorerError
from tools.benchmarks.example import PLACE, ROOT, find_python, fit_usual
from tools.benchmarks.machine import name_processor, read_load, read_memory, read_packages
from tools.benchmarks.page import renew_readme, write_page
from tools.benchmarks.plan import Plan
from tools.benchmarks.plots import draw_plots
from tools.benchmarks.records import Machine, Results, Table
from tools.image.provenance import read_revision

TABLES = ("warm", "start", "rooms", "service", "runner", "image")
DOCS = ROOT / "docs"
KEPT = DOCS / "benchmarks.json"
NEEDS = ("function", "usual", "interop/mlserver", "interop/kserve")


def take_results(plan: Plan, names: Sequence[str]) -> Results:
    """Measure the named tables in turn. Raises SegmentScorerError if one cannot be measured."""
    began, load = time.monotonic(), read_load()
    revision = read_revision()  # before the run, which may write into docs/
    started = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    plan.say("the usual handler's model")
    fit_usual()
    tables: list[Table] = []
    for name in names:
        plan.say(name)
        tables.append(importlib.import_module(f"tools.benchmarks.rows.{name}").measure(plan))
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


def publish(results: Results, folder: Path = DOCS) -> None:
    """Write figures, page and plots, and the README's section if the folder is docs/.

    Each is written to a temporary file first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = msgspec.json.format(msgspec.json.encode(results), indent=1).decode() + "\n"
    texts = {folder / "benchmarks.json": figures, folder / "benchmarks.md": write_page(results)}
    if folder == DOCS:
        readme = ROOT / "README.md"
        texts[readme] = renew_readme(readme.read_text("utf-8"), results)
    draw_plots(results, folder)
    for file, text in texts.items():
        write_atomically(file, text.encode())


def main() -> int:
    """Run the command. Exit status 1 and one sentence: something is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, and make docs/benchmarks.md."
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
            f"bench: expected the environments {', '.join(missing)} under .cache; run make bench",
            file=sys.stderr,
        )
        return 1
    PLACE.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    with console.status("measuring") as status:
        plan = Plan(
            effort=options.effort,
            largest=options.largest,
            say=lambda what: status.update(f"measuring: {what}"),
        )
        try:
            results = take_results(plan, options.only)
        except SegmentScorerError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    if options.renew:
        results = msgspec.json.decode(KEPT.read_bytes(), type=Results).renew(results)
    if options.renew or tuple(options.only) == TABLES:
        publish(results, options.out)
        print(f"{options.out / 'benchmarks.md'} written")
    else:
        print(write_page(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
