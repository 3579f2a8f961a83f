"""The runner's processor time an endpoint, beside an earlier commit's, in the same run."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tools.benchmarks.arithmetic import divide, find_median, take_no_number, take_turns
from tools.benchmarks.example import PLACE, ROOT, clean_environ, make_segment
from tools.benchmarks.parent import NoHistory, provide_tree
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.rows.runner import RunError

# The commit before the one that first made the runner cheaper.
EARLIER = "44bc37e"
OURS, THEIRS = "now", f"at commit {EARLIER}"
SIZE, SMALL, ROUNDS = 200_000, 10_000, 5
BOUND = 0.95
# A smaller model alone would make the runner cheaper, too.
BUNDLE = ROOT / "model" / "artifact"


def measure(plan: Plan) -> Table:
    """Run the same segment by both trees in turn, in one process each."""
    size = min(SIZE, plan.largest)
    title = "The campaign runner's processor time"
    trees, missing = {OURS: ROOT}, tuple[str, ...]()
    try:
        trees[THEIRS] = provide_tree(EARLIER)
    except NoHistory as error:
        missing = (f"The earlier commit is left out: {error}.",)
    for tree in trees.values():  # compiles everything
        run(tree, make_segment(min(SMALL, size)))
    runs: Mapping[str, Callable[[int], float]] = {
        name: take_no_number(partial(run, tree, make_segment(size))) for name, tree in trees.items()
    }
    taken = take_turns(runs, plan.count(ROUNDS, least=1))
    cost = {name: 1e6 * find_median(seconds) / size for name, seconds in taken.items()}
    targets = [
        Target(
            sentence="the runner's processor time an endpoint, of that at the earlier commit",
            value=divide(cost[OURS], cost[THEIRS]) or 0.0,
            bound=BOUND,
        )
        for name in cost
        if name == THEIRS
    ]
    return Table(
        name="runner_cost",
        title=title,
        ours=OURS,
        alternatives=tuple(name for name in cost if name != OURS),
        rows=(
            Measurement(
                label=f"{size:,} endpoints: processor time an endpoint", unit="us", values=cost
            ),
        ),
        targets=tuple(targets),
        notes=(
            (
                f"Medians of {plan.count(ROUNDS, least=1)} runs each, in turn, in one process; "
                "the start of Python included. The function is of the same commit as the runner; "
                "both score by today's bundle, so that only code differs."
            ),
            *missing,
        ),
    )


def run(tree: Path, segment: Path) -> float:
    """Processor seconds of the whole command, by the code of a tree. Raises RunError."""
    out = PLACE / "run-cost"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "segment_scorer.cli.main", "run", str(segment)]
    command += ["--out", str(out), "--scheduled-time", "1997-10-01T00:00:00Z", "--processes", "1"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        cwd=tree,
        env=clean_environ(PYTHONPATH=str(tree), SCORER_BUNDLE=str(BUNDLE)),
        capture_output=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RunError(f"expected the run to end with status 0, found {done.returncode}")
    shutil.rmtree(out)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
