"""One person over HTTP, beside one person of Pinpoint: processor time of a call."""

from __future__ import annotations

from tools.benchmarks.arithmetic import find_median
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.web_ratio import MOST
from tools.benchmarks.web_ratio import measure as measure_calls

ROUNDS, CALLS = 60, 50
PINPOINT, WEB = "one person of Pinpoint", "one person over HTTP"


def measure(plan: Plan) -> Table:
    """Rounds of calls alternate."""
    found = measure_calls(plan.count(ROUNDS), CALLS)
    pinpoint, web = (find_median([each[name] for each in found]) for name in ("pinpoint", "web"))
    ratio = find_median([each["web"] / each["pinpoint"] for each in found])
    return Table(
        name="web",
        title="One person over HTTP",
        ours=WEB,
        limit=PINPOINT,
        rows=(
            Measurement(
                label="processor time a call", unit="ms", values={WEB: web, PINPOINT: pinpoint}
            ),
        ),
        targets=(
            Target(
                sentence="processor time of one person over HTTP, of one person of Pinpoint",
                value=ratio,
                bound=MOST,
            ),
        ),
        notes=(
            (
                "Both events hold the same person. Processor time of emulator and function; the "
                f"ratio is the median of those of {len(found)} rounds of {CALLS} calls each."
            ),
        ),
    )
