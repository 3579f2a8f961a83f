"""Many invented endpoints, made from the CDNOW customers by a seeded script: what the runner's speed and memory are measured on.

Takes a number and a seed; writes one file in Pinpoint's export form, the same bytes every time. Nobody in it exists: each person has a
real customer's history, moved in time and spend, and an invented channel, country and user. Never part of what a model learns from.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from make_endpoints import AS_OF, HERE, make_people, read_purchases
from rich.console import Console
from rich.progress import track

from model.atomic import replace_atomically

CHANNELS = ("EMAIL", "EMAIL", "EMAIL", "EMAIL", "EMAIL", "SMS", "SMS", "GCM", "APNS", "VOICE")
COUNTRIES = ("US", "US", "US", "US", "CA", "GB", "DE", "FR", "JP", "AU")
# Shares of a real list that a run has to get right: who opted out, and who shares a user with the endpoint before.
OPTED_OUT, SAME_USER = 0.02, 0.05
LINES_AT_A_TIME = 20_000


def write_person(number: int, metrics: dict[str, float], user: int, chance: random.Random) -> str:
    """One line: the customer's history moved by up to 10 days and 20 % of spend."""
    spend, days, fate = 0.8 + 0.4 * chance.random(), chance.randrange(-10, 11), chance.random()
    moved = ",".join(
        f'"{name}":{value * spend:.2f}' if name.startswith("Spend") else f'"{name}":{value}'
        for name, value in {**metrics, "RecencyDays": max(0, metrics["RecencyDays"] + days)}.items()
    )
    channel, country = CHANNELS[int(fate * 1e6) % 10], COUNTRIES[int(fate * 1e7) % 10]
    return (
        f'{{"Id":"synthetic-{number:08d}","ChannelType":"{channel}","Address":"person-{number:08d}@example.invalid",'
        f'"EndpointStatus":"ACTIVE","OptOut":"{"ALL" if fate < OPTED_OUT else "NONE"}","EffectiveDate":"{AS_OF}T00:00:00.000Z",'
        f'"Attributes":{{"Invented":["everything"]}},"Demographic":{{"Locale":"en_{country}"}},"Location":{{"Country":"{country}"}},'
        f'"Metrics":{{{moved}}},"User":{{"UserId":"user-{user:08d}"}}}}\n'
    )


def make_lines(count: int, seed: int, metrics: Sequence[dict[str, float]]) -> Iterator[str]:
    """`count` lines. The same seed gives the same lines."""
    chance = random.Random(seed)  # noqa: S311  # invented people, nothing secret
    user = 0
    for number in range(count):
        user = user if number and chance.random() < SAME_USER else number
        yield write_person(number, metrics[chance.randrange(len(metrics))], user, chance)


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, help="how many endpoints")
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write; gzip where its name ends in .gz"
    )
    parser.add_argument("--seed", type=int, default=1997)
    options = parser.parse_args()
    people = make_people(read_purchases(HERE / "transactions.csv.gz"))
    metrics = [dict(endpoint["Metrics"]) for endpoint, _ in people]
    lines = make_lines(options.count, options.seed, metrics)
    open_: Callable[..., Any] = gzip.open if options.out.suffix == ".gz" else open
    settings = {"compresslevel": 1} if options.out.suffix == ".gz" else {}
    blocks = range(0, options.count, LINES_AT_A_TIME)
    with replace_atomically(options.out) as fresh, open_(fresh, "wb", **settings) as file:
        for _ in track(blocks, "making people", console=Console(stderr=True), transient=True):
            file.write("".join(islice(lines, LINES_AT_A_TIME)).encode())
    print(f"{options.count:,} synthetic endpoints written to {options.out}")


if __name__ == "__main__":
    main()
