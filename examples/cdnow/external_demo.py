"""Runs the CDNOW campaign twice: with metrics on the endpoints, and in an external store.

Makes both segments, the store, and a bundle whose features are read from the store. Compares every
decision.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from external_bundle import make_external_bundle
from make_endpoints import compress, write_example
from rich.console import Console
from rich.progress import Progress

from model.errors import SegmentScorerError
from segment_scorer.external_store.rows import read_rows
from segment_scorer.external_store.sqlite import write_file
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import RunResult, run_segment

AS_OF = "1997-10-01T00:00:00Z"
INLINE, BARE, EXTERNAL, STORE, BUNDLE = (
    "endpoints.jsonl.gz",
    "bare.jsonl.gz",
    "external.jsonl",
    "external.sqlite",
    "bundle",
)


def make_data(folder: Path, people: int | None) -> None:
    """Write both segments, the metrics by UserId, and the bundle.

    people  so many customers of the example; None: all
    """
    write_example(folder)
    with gzip.open(folder / INLINE, "rt", encoding="utf-8") as file:
        lines = list(itertools.islice(file, people))
    (folder / INLINE).write_bytes(compress("".join(lines)))
    bare, external = [], []
    for line in lines:
        endpoint = json.loads(line)
        external.append({"id": endpoint["User"]["UserId"], **endpoint.pop("Metrics")})
        bare.append(endpoint)
    (folder / BARE).write_bytes(compress(write_lines(bare)))
    (folder / EXTERNAL).write_text(write_lines(external), "utf-8")
    make_external_bundle(folder / BUNDLE)


def write_lines(rows: list[dict[str, Any]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def run_campaign(out: Path, segment: Path, environ: Mapping[str, str]) -> RunResult:
    """Run one campaign over the segment; write its outputs to `out`."""
    settings = {
        name: value for name, value in os.environ.items() if not name.startswith("SCORER_")
    } | environ
    request = RunOptions(
        segment=(segment,), out=out, scheduled_time=AS_OF, force=True, environ=settings
    )
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(out.name)
        return run_segment(
            request, lambda done, total: progress.update(task, completed=done, total=total)
        )


def main() -> int:
    """Run as a script. Exit status 0 if both campaigns make the same decisions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("out/external"), help="folder for data and outputs"
    )
    parser.add_argument(
        "--external",
        default="",
        help="another store than the SQLite file the demo builds: a value of SCORER_EXTERNAL",
    )
    parser.add_argument(
        "--people", type=int, metavar="N", help="only the first N customers (default: all)"
    )
    options = parser.parse_args()
    folder: Path = options.out
    try:
        make_data(folder, options.people)
        write_file(read_rows([folder / EXTERNAL], "id", lambda *_: None), folder / STORE)
        inline = run_campaign(folder / "inline", folder / INLINE, {}).summary
        store = {
            "SCORER_BUNDLE": str(folder / BUNDLE),
            "SCORER_EXTERNAL": options.external or f"sqlite:{folder / STORE}",
        }
        looked_up = run_campaign(folder / "looked-up", folder / BARE, store).summary
    except SegmentScorerError as error:
        print(f"external_demo: {error}", file=sys.stderr)
        return 1
    same = (folder / "inline" / "decisions.csv").read_bytes() == (
        folder / "looked-up" / "decisions.csv"
    ).read_bytes()
    for name, summary in (
        ("metrics on the endpoints", inline),
        ("metrics in the store", looked_up),
    ):
        print(
            f"{name:<26} {summary.kept:,} of {summary.received:,} kept, "
            f"{summary.batches:,} batches, {summary.seconds:.1f} s"
        )
    print(
        "Every decision, score and reason is the same."
        if same
        else f"The decisions differ: see decisions.csv below {folder}."
    )
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
