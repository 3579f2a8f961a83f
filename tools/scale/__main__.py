"""`python -m tools.scale`: the table of docs/runner.md again, from the committed figures.

Takes docs/benchmarks.json, docs/scale.json, docs/prices.json and docs/whole-segment.json.
`--measure` first measures the runner and Ray (about five minutes) and writes docs/scale.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import msgspec

from model.atomic import write_atomically
from tools.benchmarks.documents import renew_documents
from tools.benchmarks.records import Results
from tools.scale.inputs import DOCS, MEASURED
from tools.scale.measure import SIZES, measure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.scale",
        description=(__doc__ or "").splitlines()[0],
        epilog="example: python -m tools.scale --measure",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="first measure the runner and Ray, which make ray installs; write docs/scale.json",
    )
    parser.add_argument(
        "--sizes",
        type=int,
        nargs=2,
        default=SIZES,
        metavar="PEOPLE",
        help=f"with --measure: the two sizes (default: {SIZES[0]:,} and {SIZES[1]:,})",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=1,
        help="with --measure: how often each is run; the median stays (default: 1)",
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not 0 < options.sizes[0] < options.sizes[1]:
        parser.error("expected a round or more, and a smaller size before a larger one")
    if options.measure:
        try:
            ray = version("ray")
        except PackageNotFoundError:
            parser.error("--measure: expected the package ray; make ray installs it")
        started = time.monotonic()
        found = measure(
            lambda text: print(f"{time.monotonic() - started:6.0f} s  {text}", flush=True),
            options.sizes,
            ray,
            options.rounds,
        )
        figures = msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
        write_atomically(DOCS / MEASURED, figures)
    results = msgspec.json.decode((DOCS / "benchmarks.json").read_bytes(), type=Results)
    for file, text in renew_documents(results):
        write_atomically(file, text.encode())
        print(f"{file} written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
