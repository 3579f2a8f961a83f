"""The whole circle on one screen: a policy, a run with a control group, outcomes, and the lift.

Uses the commands as a reader would type them. Writes into `--out`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import itertools
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from examples.hillstrom.make_endpoints import FILES, HERE, write_example
from segment_scorer.cli.main import main as segment_scorer

POLICY = """\
threshold = { reach = 0.5 }  # message the half with the highest scores
[holdout]
percent = 10                 # of everybody; never messaged, so that the effect can be measured
salt = "spring campaign"
"""
EVERY = 10  # the model learns from every tenth customer only


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit status is that of the first command that fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/demo-lift"), help="folder to write")
    parser.add_argument(
        "--customers", type=int, metavar="N", help="learn from and run over the first N customers"
    )
    given = parser.parse_args(arguments)
    try:
        show_circle(given.out, given.customers)
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


class CommandFailed(Exception):
    """A command did not end with 0. The text is what it said."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def show_circle(out: Path, customers: int | None) -> None:
    """The steps, in order. Step 4 measures all customers, the others the first `customers`.

    Raises CommandFailed.
    """
    if not all((HERE / name).exists() for name in FILES):
        write_example()
    out.mkdir(parents=True, exist_ok=True)
    policy, history = out / "policy.toml", out / "history.csv"
    policy.write_text(POLICY, "utf-8")
    learnt = write_history(history, customers)
    endpoints, bundle, run = HERE / "endpoints.jsonl.gz", str(out / "bundle"), out / "run"
    if customers is not None:
        endpoints = write_first(endpoints, customers, out)
    print(f"1. A model of who visits, from {learnt:,} customers of an earlier mailing")
    call(
        "train",
        "--endpoints",
        endpoints,
        "--outcomes",
        history,
        "--out",
        bundle,
        "--model=logistic",
    )
    segment = "64,000" if customers is None else f"{customers:,}"
    print(f"\n2. A policy that holds a tenth of the people out, and a run over {segment} customers")
    call("run", endpoints, "--bundle", bundle, "--policy", policy, "--out", run, "--force")
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    print(f"   {summary['kept']:,} would be messaged; {summary['held_out']:,} are held out")
    print("\n3. The outcomes, two weeks after the real campaign of 2008: who visited the site")
    print(f"   {HERE.name}/outcomes.csv; of your own campaign: segment-scorer outcomes --help")
    print("\n4. What the real campaign changed. Chance had held a third of the customers out")
    printed = call(
        *("lift", "--decisions", HERE / "decisions.csv", "--outcomes", HERE / "outcomes.csv"),
        *("--outcome-name", "visits", "--holdout-percent", "33.333"),
        *("--value", "10", "--cost", "1", "--out", out / "lift"),
    )
    print("\n".join(f"   {line}" for line in printed.strip().splitlines()))
    print("\n5. The same for a campaign of your own, when its outcomes are known")
    show_own(run)


def show_own(run: Path) -> None:
    """The run's own control group, if its decisions say who is in it."""
    command = ("lift", run, "--outcomes", HERE / "outcomes.csv", "--outcome-name", "visits")
    with (run / "decisions.csv").open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    if "holdout" not in header:
        show(*command)
        return
    printed = call(*command)
    print("\n".join(f"   {line}" for line in printed.splitlines()[:2]))
    print("   Nobody was messaged by step 2, so there is nothing to find.")


def write_history(path: Path, customers: int | None) -> int:
    """Outcomes of every tenth customer who was mailed: what an earlier mailing would have left.

    Of the first `customers` only; None: of all. Gives the number of outcomes.
    """
    with (HERE / "decisions.csv").open(encoding="utf-8", newline="") as file:
        mailed = {row["Id"] for row in csv.DictReader(file) if row["holdout"] == "false"}
    with (HERE / "outcomes.csv").open(encoding="utf-8", newline="") as file:
        read = itertools.islice(csv.DictReader(file), customers)
        rows = [row for number, row in enumerate(read, 1) if number % EVERY == 0]
    chosen = [row for row in rows if row["Id"] in mailed]
    lines = "".join(f"{row['Id']},{row['outcome']}\n" for row in chosen)
    path.write_text("Id,outcome\n" + lines, "utf-8")
    return len(chosen)


def write_first(endpoints: Path, customers: int, out: Path) -> Path:
    """A file of the first customers."""
    path = out / "first.jsonl"
    with gzip.open(endpoints, "rt", encoding="utf-8") as file:
        path.write_text("".join(itertools.islice(file, customers)), "utf-8")
    return path


def call(*words: str | Path) -> str:
    """Show a command, run it, and give what it printed. Raises CommandFailed.

    All commands run in this process: loading their packages takes longer than their work.
    """
    show(*words)
    printed, said = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(said):
        status = segment_scorer([*map(str, words)])
    if status:
        raise CommandFailed(status, said.getvalue() or printed.getvalue())
    return printed.getvalue()


def show(*words: str | Path) -> None:
    """Show a command as a reader would type it."""
    shown = " ".join(map(shorten, words))
    print(f"   $ segment-scorer {shown}", flush=True)


def shorten(word: str | Path) -> str:
    """A path below the example's folder, without the folders above."""
    text = str(word)
    return text.replace(str(HERE), f"examples/{HERE.name}")


if __name__ == "__main__":
    raise SystemExit(main())
