"""Invent many endpoints from the CDNOW customers, to measure the runner's speed and memory.

Takes a number and a seed; writes one file in Pinpoint's export format, the same bytes every time.
Each person has a real customer's history, changed in time and spend, and an invented channel,
country and user. No model learns from these people.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from examples.cdnow.make_endpoints import AS_OF, HERE, make_people, read_purchases
from model.atomic import replace_atomically

CHANNELS = ("EMAIL", "EMAIL", "EMAIL", "EMAIL", "EMAIL", "SMS", "SMS", "GCM", "APNS", "VOICE")
COUNTRIES = ("US", "US", "US", "US", "CA", "GB", "DE", "FR", "JP", "AU")
# Two things of a real list that a run has to handle: people who opted out, and endpoints that share
# the user of the endpoint before.
OPTED_OUT, SAME_USER = 0.02, 0.05
LINES_AT_A_TIME = 20_000


def write_person(number: int, metrics: dict[str, float], user: int, chance: random.Random) -> str:
    """One line: a customer's history, moved by up to 10 days and 20 % of spend."""
    spend, days, share = 0.8 + 0.4 * chance.random(), chance.randrange(-10, 11), chance.random()
    recency = max(0, metrics["RecencyDays"] + days)
    moved = ",".join(
        f'"{name}":{value * spend:.2f}' if name.startswith("Spend") else f'"{name}":{value}'
        for name, value in {**metrics, "RecencyDays": recency}.items()
    )
    channel, country = CHANNELS[int(share * 1e6) % 10], COUNTRIES[int(share * 1e7) % 10]
    opt_out = "ALL" if share < OPTED_OUT else "NONE"
    return (
        f'{{"Id":"synthetic-{number:08d}","ChannelType":"{channel}",'
        f'"Address":"person-{number:08d}@example.invalid",'
        f'"EndpointStatus":"ACTIVE","OptOut":"{opt_out}","EffectiveDate":"{AS_OF}T00:00:00.000Z",'
        f'"Attributes":{{"Invented":["everything"]}},"Demographic":{{"Locale":"en_{country}"}},'
        f'"Location":{{"Country":"{country}"}},'
        f'"Metrics":{{{moved}}},"User":{{"UserId":"user-{user:08d}"}}}}\n'
    )


def make_lines(count: int, seed: int, metrics: Sequence[dict[str, float]]) -> Iterator[str]:
    """`count` lines. The same seed gives the same lines."""
    chance = random.Random(seed)  # noqa: S311  # invented people, nothing secret
    user = 0
    for number in range(count):
        user = user if number and chance.random() < SAME_USER else number
        yield write_person(number, metrics[chance.randrange(len(metrics))], user, chance)


def write_synthetic(out: Path, count: int, seed: int, metrics: Sequence[dict[str, float]]) -> None:
    """Write `count` endpoints to `out`, compressed if its name ends in .gz."""
    lines = make_lines(count, seed, metrics)
    packed = out.suffix == ".gz"
    open_: Callable[..., Any] = gzip.open if packed else open
    settings = {"compresslevel": 1} if packed else {}
    chunks = range(0, count, LINES_AT_A_TIME)
    with replace_atomically(out) as fresh, open_(fresh, "wb", **settings) as file:
        for _ in track(chunks, "inventing people", console=Console(stderr=True), transient=True):
            file.write("".join(islice(lines, LINES_AT_A_TIME)).encode())


def read_metrics() -> list[dict[str, float]]:
    """The metrics of each CDNOW customer."""
    people = make_people(read_purchases(HERE / "transactions.csv.gz"))
    return [dict(endpoint["Metrics"]) for endpoint, _ in people]


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, help="number of endpoints")
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write; compressed if it ends in .gz"
    )
    parser.add_argument("--seed", type=int, default=1997)
    options = parser.parse_args()
    write_synthetic(options.out, options.count, options.seed, read_metrics())
    print(f"{options.count:,} synthetic endpoints written to {options.out}")


if __name__ == "__main__":
    main()
