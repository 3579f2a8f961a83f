"""The runner's processor time an endpoint, beside an earlier commit's, in the same run."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import msgspec

from tools.benchmarks.arithmetic import divide, find_median, take_no_number, take_turns
from tools.benchmarks.example import PLACE, ROOT, clean_environ, make_segment
from tools.benchmarks.parent import NoHistory, provide_tree
from tools.benchmarks.plan import Plan
from tools.benchmarks.profiles import profile_command
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
    targets = [judge(cost, make_segment(size))] if THEIRS in cost else []
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


def judge(cost: Mapping[str, float], segment: Path) -> Target:
    """The target; if it is missed, with a profile of one more run."""
    target = Target(
        sentence="the runner's processor time an endpoint, of that at the earlier commit",
        value=divide(cost[OURS], cost[THEIRS]) or 0.0,
        bound=BOUND,
    )
    if target.met:
        return target
    with clear_outputs() as out:
        profile = profile_command("segment_scorer.cli.main", *list_arguments(segment, out))
    explanation = (
        "where one more run at this commit spent its time, by cProfile, under which small "
        f"functions cost more than they do: {profile}."
    )
    return msgspec.structs.replace(target, explanation=explanation)


def list_arguments(segment: Path, out: Path) -> list[str]:
    """The verb and its options."""
    options = ["--out", str(out), "--scheduled-time", "1997-10-01T00:00:00Z", "--processes", "1"]
    return ["run", str(segment), *options]


@contextlib.contextmanager
def clear_outputs() -> Iterator[Path]:
    """A folder for outputs, which are deleted before and after."""
    out = PLACE / "run-cost"
    shutil.rmtree(out, ignore_errors=True)
    yield out
    shutil.rmtree(out, ignore_errors=True)


def run(tree: Path, segment: Path) -> float:
    """Processor seconds of the whole command, by the code of a tree. Raises RunError."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with clear_outputs() as out:
        done = subprocess.run(
            [sys.executable, "-m", "segment_scorer.cli.main", *list_arguments(segment, out)],
            cwd=tree,
            env=clean_environ(PYTHONPATH=str(tree), SCORER_BUNDLE=str(BUNDLE)),
            capture_output=True,
            check=False,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RunError(f"expected the run to end with status 0, found {done.returncode}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
