"""The demo: send the CDNOW customers to the hook, and compare kept and filtered customers.

Uses the shipped model and policy. Makes the example data if it is missing, writes a run's outputs
into `--out`, and prints a table of what the customers really did.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from model.bundle import load_bundle
from model.errors import SegmentScorerError
from segment_scorer.cli.run_result import run_with_bar
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.summary import Summary

HERE = Path(__file__).resolve().parent
ENDPOINTS, OUTCOMES = HERE / "endpoints.jsonl.gz", HERE / "outcomes.csv"
ARTIFACT = HERE.parent.parent / "model" / "artifact"


class Customers(NamedTuple):
    """The number of customers, and how many of them bought again."""

    count: int
    bought: int

    @property
    def rate(self) -> float:
        """The share that bought again; 0 if there are no customers."""
        return self.bought / self.count if self.count else 0.0


def make_data() -> None:
    """Make endpoints and outcomes from the transactions, unless both exist."""
    if not (ENDPOINTS.exists() and OUTCOMES.exists()):
        subprocess.run([sys.executable, str(HERE / "make_endpoints.py")], check=True)


def read_column(path: Path, column: str) -> dict[str, str]:
    """Read a column of a CSV file, by `Id`."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["Id"]: row[column] for row in csv.DictReader(file)}


def compare_outcomes(sent: dict[str, str], outcomes: dict[str, str]) -> tuple[Customers, Customers]:
    """Count the customers that the policy keeps, and those that it drops."""
    kept = [outcomes[id_] == "1" for id_, flag in sent.items() if flag == "true"]
    dropped = [outcomes[id_] == "1" for id_, flag in sent.items() if flag == "false"]
    return Customers(len(kept), sum(kept)), Customers(len(dropped), sum(dropped))


def print_result(summary: Summary, kept: Customers, filtered: Customers, out: Path) -> None:
    """Print what happened, in words that need no glossary."""
    everyone = Customers(kept.count + filtered.count, kept.bought + filtered.bought)
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{summary.received:,} customers of the CD shop CDNOW, as of 30 September 1997, "
        f"in {summary.batches:,} batches: {summary.seconds:.1f} s.\n"
        "The hook scored how likely each customer is to buy again, and kept the likely ones.\n"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in ("customers", "bought again by mid-1998", "share"):
        table.add_column(heading, justify="right")
    for name, group in {"kept": kept, "filtered": filtered, "everyone": everyone}.items():
        table.add_row(name, f"{group.count:,}", f"{group.bought:,}", f"{group.rate:.1%}")
    console.print(table)
    manifest = load_bundle(ARTIFACT).manifest
    console.print(
        f"\nMessaging {kept.count / everyone.count:.0%} of the customers reaches "
        f"{kept.bought / everyone.bought:.0%} of those who bought again.\n"
        f"The shipped model was trained on {1 - manifest['reserved']:.0%} of these customers, so "
        "the table looks somewhat too good.\n"
        "On customers that it had not seen (cross-validation), its ROC AUC is "
        f"{manifest['metrics']['roc_auc']:.3f} (0.5 is chance, 1 is certainty).\n\n"
        f"{out} contains segment.jsonl.gz (the kept customers), scores.csv, decisions.csv (all\n"
        "customers, with the reason), summary.json, and report.html: open it in a browser."
    )


def main() -> int:
    """Run the demo. Returns the run's exit status."""
    parser = argparse.ArgumentParser(
        description="Send the CDNOW customers to the hook, and compare what they did."
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/demo"),
        help="folder for the outputs; an earlier run there is replaced",
    )
    options = parser.parse_args()
    make_data()
    run_options = RunOptions(
        segment=(ENDPOINTS,), out=options.out, scheduled_time="1997-10-01T00:00:00Z", force=True
    )
    try:
        result = run_with_bar(run_options, Console(stderr=True))
    except SegmentScorerError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    kept, filtered = compare_outcomes(
        read_column(options.out / "decisions.csv", "sent"), read_column(OUTCOMES, "outcome")
    )
    print_result(result.summary, kept, filtered, options.out)
    return result.summary.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
