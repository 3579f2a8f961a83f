"""What one person costs over HTTP, beside one person of Pinpoint: processor time in the emulator.

Both events hold the same person. Short rounds of calls alternate, and each round gives a ratio, so
that a busy machine slows both.
Run it as `python -m tools.benchmarks.web_ratio` from the root of the project.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from function.hosts import HOSTS
from function.records import Campaign
from tools.benchmarks.machine import read_processor_seconds
from tools.image.emulator import Emulator, run_emulator
from tools.image.sessions import find_session

ROOT = Path(__file__).parents[2]
EVENT = ROOT / "examples" / "events" / "cdnow-five-customers.json"
MOST = 1.1  # what one person over HTTP may cost beside one of Pinpoint


def make_events() -> dict[str, Any]:
    """The event of each host, with one and the same person."""
    event = json.loads(EVENT.read_text("utf-8"))
    id_, document = next(iter(event["Endpoints"].items()))
    campaign = Campaign(
        application_id=event["ApplicationId"],
        campaign_id=event["CampaignId"],
        treatment_id=event["TreatmentId"],
        activity_id=event["ActivityId"],
        scheduled_time=event["ScheduledTime"],
    )
    events = {name: HOSTS[name].build_event({id_: document}, campaign) for name in HOSTS}
    return {"pinpoint": events["pinpoint"], "web": events["web"]}


def read_seconds(emulator: Emulator) -> float:
    """Processor seconds that the threads of the emulator and of the function have used."""
    return read_processor_seconds(find_session(emulator.pid))


def measure(rounds: int, calls: int) -> list[dict[str, float]]:
    """Milliseconds of processor time a call, of each host, for each round."""
    bodies = {name: json.dumps(event).encode() for name, event in make_events().items()}
    taken = []
    with run_emulator() as emulator:
        for number in range(rounds + 1):
            # Each host comes first in half of the rounds.
            names = sorted(bodies, reverse=bool(number % 2))
            found = {}
            for name in names:
                before = read_seconds(emulator)
                for _ in range(calls):
                    emulator.post(bodies[name])
                found[name] = 1000 * (read_seconds(emulator) - before) / calls
            if number:  # the first round warms up
                taken.append(found)
    return taken


def main() -> None:
    """Print both costs and their ratio: medians of the rounds."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.benchmarks.web_ratio",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=50)
    options = parser.parse_args()
    found = measure(options.rounds, options.calls)
    costs = {name: statistics.median(each[name] for each in found) for name in ("pinpoint", "web")}
    ratio = statistics.median(each["web"] / each["pinpoint"] for each in found)
    print(
        f"pinpoint {costs['pinpoint']:.3f} ms, web {costs['web']:.3f} ms of processor time a call"
    )
    print(f"ratio {ratio:.3f}, the median of {len(found)} rounds; the limit is {MOST}")


if __name__ == "__main__":
    main()
