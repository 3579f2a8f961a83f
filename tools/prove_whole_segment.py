"""Proves on invented endpoints that budget and one-per-user hold exactly, and what they cost.

Takes no input; writes docs/whole-segment.json. Makes a segment, runs it without and with
`--budget 10000 --one-per user`, and recounts who was chosen from `decisions.csv` with pyarrow
alone. The exit status is 1 when a claim fails. Says every step, with the seconds so far.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from examples.cdnow.make_synthetic import read_metrics, write_synthetic
from tools.benchmarks.machine import name_processor, read_load
from tools.benchmarks.runner import EVERY_SECONDS, measure_memory
from tools.image.provenance import read_revision

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "whole-segment.json"
PEOPLE, BUDGET, SEED = 10_000_000, 10_000, 20
MOST_TIMES = 1.6  # the time of a run without these options
POLICY = '[holdout]\npercent = 10.0\nsalt = "whole segment"\n'
COLUMNS = ("Id", "UserId", "selected", "holdout", "sent", "score")


class Timed(NamedTuple):
    """What one run took: seconds by the clock and of all processors; memory of all processes."""

    seconds: float
    processor_seconds: float
    most_mb: float


def run_once(segment: Path, out: Path, policy: Path, more: Sequence[str]) -> Timed:
    """Run the segment. Raises SystemExit unless the run is clean."""
    command = [sys.executable, "-m", "segment_scorer.cli.main", "run", str(segment), *more]
    fixed = ["--policy", str(policy), "--scheduled-time", "1997-10-01", "--out", str(out)]
    most, ended = 0, threading.Event()
    process = subprocess.Popen([*command, *fixed], cwd=ROOT, stderr=subprocess.DEVNULL)

    def watch() -> None:
        nonlocal most
        while not ended.wait(EVERY_SECONDS):
            most = max(most, measure_memory(process.pid))

    watcher, started = threading.Thread(target=watch), time.monotonic()
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)  # with the workers, which it waited for
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"expected a clean run, found exit status {process.returncode}")
    return Timed(round(seconds, 1), round(usage.ru_utime + usage.ru_stime, 1), round(most / 1e6, 1))


def read_decisions(folder: Path) -> pa.Table:
    """The columns of decisions.csv; `user` stands for the UserId, or for the Id without one."""
    texts = dict.fromkeys(COLUMNS[:2], pa.string()) | {"score": pa.float64()}
    options = csv.ConvertOptions(
        include_columns=list(COLUMNS), column_types=texts, strings_can_be_null=True
    )
    table = csv.read_csv(folder / "decisions.csv", convert_options=options)
    return table.append_column("user", pc.coalesce(table["UserId"], table["Id"]))


def list_claims(whole: Path, chosen: Path, budget: int) -> Iterator[tuple[str, bool]]:
    """Every claim, and whether it holds: `whole` without and `chosen` with the options."""
    before, after = read_decisions(whole), read_decisions(chosen)
    same = before["Id"].equals(after["Id"]) and before["score"].equals(after["score"])
    yield "everybody is in both runs, in the same order, with the same score", same
    selected = before.filter(before["selected"])
    best = selected.group_by("user").aggregate([("score", "max")])
    stay = after.filter(after["selected"])
    wanted = min(budget, len(best))
    users = pc.unique(stay["user"])
    yield f"exactly {wanted:,} users are chosen", len(users) == wanted
    yield "each of them has one endpoint", len(stay) == len(users)
    yield (
        "all of them were selected by the rules",
        pc.all(pc.is_in(stay["Id"], selected["Id"])).as_py(),
    )
    is_chosen = pc.is_in(best["user"], users)
    others = pc.max(best.filter(pc.invert(is_chosen))["score_max"]).as_py()
    least = pc.min(best.filter(is_chosen)["score_max"]).as_py()
    yield "nobody left out scores better than one of them", others is None or least >= others
    joined = stay.join(best, "user")
    yield (
        "each is at the best score of the user",
        pc.all(pc.equal(joined["score"], joined["score_max"])).as_py(),
    )
    sent = stay.filter(pc.invert(stay["holdout"]))
    yield (
        "the control group comes out of them, and all others are sent",
        after.filter(after["sent"])["Id"].equals(sent["Id"]) and 0 < len(sent) < len(stay),
    )
    yield (
        "the segment holds those who are sent, in their order",
        read_ids(chosen) == sent["Id"].to_pylist(),
    )
    summary = json.loads((chosen / "summary.json").read_text("utf-8"))
    found = (summary["received"], summary["kept"], summary["budget_users"], summary["users_kept"])
    yield "the summary says the same", found == (len(after), len(sent), wanted, len(sent))


def read_ids(folder: Path) -> list[str]:
    """The ids of the segment, in order."""
    with gzip.open(folder / "segment.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line)["Id"] for line in file]


def prove(people: int, budget: int, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Make the segment, run it twice and recount."""
    segment, policy = folder / "people.jsonl.gz", folder / "policy.toml"
    tell(f"inventing {people:,} endpoints")
    write_synthetic(segment, people, SEED, read_metrics())
    policy.write_text(POLICY, "utf-8")
    options = ("--budget", str(budget), "--one-per", "user")
    timed = {}
    for name, more in (("without", ()), ("with", options)):
        tell(f"running {name} {' '.join(options)}")
        timed[name] = run_once(segment, folder / name, policy, more)
    tell("recounting")
    claims = dict(list_claims(folder / "without", folder / "with", budget))
    times = timed["with"].processor_seconds / timed["without"].processor_seconds
    claims[f"the processors' time is at most {MOST_TIMES} times as long"] = times <= MOST_TIMES
    return {
        "people": people,
        "budget": budget,
        "processor": name_processor(),
        "cores": os.cpu_count(),
        "load_at_the_end": round(read_load(), 1),
        **{name: each._asdict() for name, each in timed.items()},
        "times_the_clock": round(timed["with"].seconds / timed["without"].seconds, 2),
        "times_the_processors": round(times, 2),
        "claims": [{"claim": claim, "holds": holds} for claim, holds in claims.items()],
    }


def main(write: Callable[[str], object] = OUT.write_text) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.prove_whole_segment", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--people", type=int, default=PEOPLE, help="endpoints to make")
    parser.add_argument("--budget", type=int, default=BUDGET, help="users to choose")
    parser.add_argument("--folder", type=Path, help="where a folder for the files is made")
    options = parser.parse_args()
    started = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {text}", flush=True)

    revision = read_revision()
    folder = Path(tempfile.mkdtemp(prefix="whole-segment-", dir=options.folder))
    try:
        found = prove(options.people, options.budget, folder, tell)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for each in found["claims"]:
        tell(("holds   " if each["holds"] else "FAILS   ") + each["claim"])
    tell(
        f"{found['times_the_processors']} times the processors' time, "
        f"{found['times_the_clock']} times by the clock, "
        f"at most {found['with']['most_mb']:.0f} MB"
    )
    write(json.dumps({"revision": revision, **found}, indent=2) + "\n")
    return 0 if all(each["holds"] for each in found["claims"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
