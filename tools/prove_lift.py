"""Simulates campaigns whose truth is known, and counts how often `lift` says it.

Takes no input; writes docs/lift-simulations.json. The exit status is 1 when a claim fails.
Each campaign draws its groups anew (seeds 0, 1, ...) among the same people, so that chance is
where it is in reality: in who is held out, not in who the people are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from segment_scorer.lift.checks import check_split
from segment_scorer.lift.errors import LiftRefused
from segment_scorer.lift.estimate import estimate_effect
from segment_scorer.lift.plan import find_detectable_rise, find_split_deviation
from tools.image.provenance import read_revision
from tools.simulated_campaigns import (
    SHARE,
    USERS,
    Population,
    add_up,
    make_amounts,
    make_responses,
    shows_effect,
    spread_endpoints,
)

OUT = Path(__file__).parents[1] / "docs" / "lift-simulations.json"
CAMPAIGNS = 2000
COVERAGE, FALSE_ALARMS, POWER = (0.935, 0.965), (0.04, 0.06), (0.77, 0.83)
WARNED = (0.915, 0.965)


@dataclass(frozen=True, slots=True)
class Simulation:
    """How often something happened in simulated campaigns, and between which shares it should."""

    claim: str
    campaigns: int
    share: float
    expected: tuple[float, float]

    @property
    def holds(self) -> bool:
        """Whether the share is as claimed."""
        return self.expected[0] <= self.share <= self.expected[1]


def simulate_all(campaigns: int = CAMPAIGNS) -> Iterator[Simulation]:
    """Every claim."""
    visits, rare = make_responses(0.1, 0.06), make_responses(0.004, 0.004)
    orders, uneven = make_amounts(0.3), make_amounts(0.3, buyers=0.1, users=USERS)
    truth = "the interval holds the true difference"
    relative = "the interval holds the true relative lift"
    nothing = "an effect is claimed where there is none"
    yield cover(f"0/1: {truth}", visits, campaigns)
    yield cover(f"0/1: {relative}", visits, campaigns, relative=True)
    yield cover(f"0/1, several endpoints a user: {truth}", visits, campaigns, endpoints=True)
    yield cover(f"0/1, few responses: {truth}", rare, campaigns, expected=(0.935, 1.0))
    yield cover(f"amounts: {truth}", orders, campaigns)
    yield cover(f"amounts: {relative}", orders, campaigns, relative=True)
    yield cover(f"amounts, several endpoints a user: {truth}", orders, campaigns, endpoints=True)
    yield cover(f"amounts so uneven that lift warns: {truth}", uneven, campaigns, expected=WARNED)
    yield alarm(f"0/1: {nothing}", make_responses(0.1, 0.0), campaigns)
    yield alarm(f"amounts: {nothing}", make_amounts(0.0), campaigns)
    yield alarm_with_policy(f"0/1, groups drawn as a policy does: {nothing}", campaigns)
    yield find_effect(campaigns)
    yield from check_splits(campaigns)


def cover(
    claim: str,
    population: Population,
    campaigns: int,
    *,
    relative: bool = False,
    endpoints: bool = False,
    expected: tuple[float, float] = COVERAGE,
) -> Simulation:
    """How often the interval holds the truth. `endpoints`: users have one to five of them."""
    truth = population.truth / (float(population.without.mean()) if relative else 1.0)
    owner = spread_endpoints(len(population.without)) if endpoints else None
    hits = 0
    for seed in range(campaigns):
        effect = population.draw(seed) if owner is None else population.draw_by_user(seed, owner)
        interval = effect.relative if relative else effect.difference
        hits += interval is not None and interval.low <= truth <= interval.high
    return Simulation(claim, campaigns, hits / campaigns, expected)


def alarm(claim: str, population: Population, campaigns: int) -> Simulation:
    """How often an interval leaves out 0, where 0 is the truth."""
    wrong = sum(shows_effect(population.draw(seed)) for seed in range(campaigns))
    return Simulation(claim, campaigns, wrong / campaigns, FALSE_ALARMS)


def alarm_with_policy(claim: str, campaigns: int) -> Simulation:
    """The same with a policy's own draw: BLAKE2b of salt, NUL and user, as a share of 2^64."""
    outcomes = make_responses(0.1, 0.0).without
    users = [f"\0{index}".encode() for index in range(len(outcomes))]
    limit = int(SHARE * 2**64)
    wrong = 0
    for seed in range(campaigns):
        salt = hashlib.blake2b(f"salt {seed}".encode())
        held_out = np.zeros(len(users), dtype=bool)
        for index, user in enumerate(users):
            draw = salt.copy()
            draw.update(user)
            held_out[index] = int.from_bytes(draw.digest()[:8], "big") < limit
        wrong += shows_effect(estimate_effect(outcomes[~held_out], outcomes[held_out], binary=True))
    return Simulation(claim, campaigns, wrong / campaigns, FALSE_ALARMS)


def find_effect(campaigns: int) -> Simulation:
    """How often `--plan`'s smallest effect is found."""
    rise = find_detectable_rise(USERS, 100.0 * SHARE, 0.1) or 0.0
    population = make_responses(0.1, rise)
    found = sum(population.draw(seed).difference.low > 0.0 for seed in range(campaigns))
    claim = "plan: the smallest effect that it names is found"
    return Simulation(claim, campaigns, found / campaigns, POWER)


def check_splits(campaigns: int) -> Iterator[Simulation]:
    """How often the split check refuses: a right split, and one as wrong as `--plan` says."""
    deviation = find_split_deviation(USERS, 100.0 * SHARE)
    for claim, share, expected in (
        ("split check: a right split is refused", SHARE, (0.0, 0.004)),
        ("plan: the wrong split that it names is noticed", SHARE + deviation, POWER),
    ):
        refused = sum(refuses_split(seed, share) for seed in range(campaigns))
        yield Simulation(claim, campaigns, refused / campaigns, expected)


def refuses_split(seed: int, share: float) -> bool:
    """Whether the split check refuses a campaign that held out `share`, where 10 % was asked."""
    held_out = np.random.default_rng(seed).random(USERS) < share
    try:
        check_split(add_up(np.arange(USERS), held_out, np.zeros(USERS)), 100.0 * SHARE)
    except LiftRefused:
        return True
    return False


def main(write: Callable[[str], object] = OUT.write_text) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.prove_lift", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--campaigns", type=int, default=CAMPAIGNS, help="for each claim")
    campaigns = parser.parse_args().campaigns
    revision = read_revision()
    found = []
    for simulation in simulate_all(campaigns):
        verdict = "" if simulation.holds else "  FAILS"
        low, high = simulation.expected
        print(f"{simulation.share:7.2%} ({low:.1%} to {high:.1%})  {simulation.claim}{verdict}")
        sys.stdout.flush()
        found.append(simulation)
    rows = [{**asdict(each), "holds": each.holds} for each in found]
    write(
        json.dumps({"revision": revision, "held_out": SHARE, "simulations": rows}, indent=2) + "\n"
    )
    return 0 if all(each.holds for each in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
