"""One person over HTTP, beside one person of Pinpoint: processor time of a call."""

from __future__ import annotations

from tools.benchmarks.arithmetic import divide
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.web_ratio import MOST
from tools.benchmarks.web_ratio import measure as measure_calls

ROUNDS, CALLS = 15, 200
PINPOINT, WEB = "one person of Pinpoint", "one person over HTTP"


def measure(plan: Plan) -> Table:
    """Rounds of calls alternate."""
    found = measure_calls(plan.count(ROUNDS), plan.count(CALLS, least=20))
    pinpoint, web = found["pinpoint"], found["web"]
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
                value=divide(web, pinpoint) or 0.0,
                bound=MOST,
            ),
        ),
        notes=("Both events hold the same person. Processor time of emulator and function.",),
    )
