"""The whole circle on one screen: a policy, a run with a control group, outcomes, and the lift.

Uses the commands as a reader would type them. Writes into `--out`.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

from examples.hillstrom.make_endpoints import FILES, HERE, write_example

POLICY = """\
threshold = { reach = 0.5 }  # message the half with the highest scores
[holdout]
percent = 10                 # of everybody; never messaged, so that the effect can be measured
salt = "spring campaign"
"""
EVERY = 10  # the model learns from every tenth customer only


def main() -> int:
    """Run the demo; the exit status is that of the first command that fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/demo-lift"), help="folder to write")
    out: Path = parser.parse_args().out
    try:
        show_circle(out)
    except subprocess.CalledProcessError as error:
        print(error.stderr or error.stdout, file=sys.stderr)
        return int(error.returncode)
    return 0


def show_circle(out: Path) -> None:
    """The steps, in order. Raises CalledProcessError when a command fails."""
    if not all((HERE / name).exists() for name in FILES):
        write_example()
    out.mkdir(parents=True, exist_ok=True)
    policy, history = out / "policy.toml", out / "history.csv"
    policy.write_text(POLICY, "utf-8")
    learnt = write_history(history)
    endpoints, bundle, run = str(HERE / "endpoints.jsonl.gz"), str(out / "bundle"), out / "run"
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
    print("\n2. A policy that holds a tenth of the people out, and a run over 64,000 customers")
    call("run", endpoints, "--bundle", bundle, "--policy", policy, "--out", run, "--force")
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    print(f"   {summary['kept']:,} would be messaged; {summary['held_out']:,} are held out")
    print("\n3. The outcomes, two weeks after the real campaign of 2008: who visited the site")
    print(f"   {HERE.name}/outcomes.csv; of your own campaign: segment-scorer outcomes --help")
    print("\n4. What the real campaign changed. Chance had held a third of the customers out")
    done = call(
        *("lift", "--decisions", HERE / "decisions.csv", "--outcomes", HERE / "outcomes.csv"),
        *("--outcome-name", "visits", "--holdout-percent", "33.333"),
        *("--value", "10", "--cost", "1", "--out", out / "lift"),
    )
    print("\n".join(f"   {line}" for line in done.stdout.strip().splitlines()))
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
    done = call(*command)
    print("\n".join(f"   {line}" for line in done.stdout.splitlines()[:2]))
    print("   Nobody was messaged by step 2, so there is nothing to find.")


def write_history(path: Path) -> int:
    """Outcomes of every tenth customer who was mailed: what an earlier mailing would have left."""
    with (HERE / "decisions.csv").open(encoding="utf-8", newline="") as file:
        mailed = {row["Id"] for row in csv.DictReader(file) if row["holdout"] == "false"}
    with (HERE / "outcomes.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for number, row in enumerate(csv.DictReader(file), 1) if number % EVERY == 0]
    chosen = [row for row in rows if row["Id"] in mailed]
    lines = "".join(f"{row['Id']},{row['outcome']}\n" for row in chosen)
    path.write_text("Id,outcome\n" + lines, "utf-8")
    return len(chosen)


def call(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Show a command, run it, and give what it said."""
    show(*words)
    return subprocess.run(
        [sys.executable, "-m", "segment_scorer.cli.main", *map(str, words)],
        check=True,
        capture_output=True,
        text=True,
    )


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
