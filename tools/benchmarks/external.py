"""Measures how long it takes to look up 50 people, in a SQLite file of 200,000 or a named store.

Prints percentiles in milliseconds, of the look-up alone and of the whole room. Asserts nothing.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from function.external.lookup import ExternalSource, look_up_external
from function.external.sqlite import SqliteStore
from function.records import Endpoint, ExternalStore
from segment_scorer.external_store.rows import Row
from segment_scorer.external_store.sqlite import write_file

PEOPLE, BATCH, ROUNDS = 200_000, 50, 2_000
ATTRIBUTES = [f"Attribute{index}" for index in range(14)]


def make_rows() -> Iterator[Row]:
    """Invented people with 14 numbers each, in random order of their keys."""
    chance = random.Random(0)  # noqa: S311  # the same people every time
    for index in range(PEOPLE):
        yield Row(
            f"row {index}",
            f"user-{index * 7919 % PEOPLE}",
            {name: round(chance.uniform(0, 500), 2) for name in ATTRIBUTES},
        )


def measure(call: Callable[[list[str]], object]) -> str:
    """Percentiles over batches of random people."""
    chance = random.Random(1)  # noqa: S311
    taken = []
    for _ in range(ROUNDS):
        keys = [f"user-{chance.randrange(PEOPLE)}" for _ in range(BATCH)]
        started = time.perf_counter()
        call(keys)
        taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    return "   ".join(
        f"{name} {taken[round(share * (ROUNDS - 1))]:7.3f} ms"
        for name, share in {"p50": 0.5, "p99": 0.99, "max": 1.0}.items()
    )


def report(store: ExternalStore) -> None:
    """Measure and print."""
    source = ExternalSource(store=store, key=("User", "UserId"), patience=2.0, scored=True)

    def enrich(keys: list[str]) -> object:
        endpoints = [
            Endpoint(id=f"e{index}", document={"User": {"UserId": key}})
            for index, key in enumerate(keys)
        ]
        return look_up_external(endpoints, source, 10.0)

    print(f"look-up of {BATCH}    {measure(lambda keys: store.fetch(keys, 10.0))}")
    print(f"the whole room   {measure(enrich)}")


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.benchmarks.external", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--dynamodb", metavar="TABLE", help="a table keyed by id, text, instead of the file"
    )
    table = parser.parse_args().dynamodb
    if table:
        from function.external.dynamodb import DynamoStore  # noqa: PLC0415

        report(DynamoStore(table, "id", ATTRIBUTES, 2.0))
        return
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        file = Path(folder, "external.sqlite")
        write_file(make_rows(), file)
        print(
            f"{PEOPLE:,} people written in {time.perf_counter() - started:.1f} s, "
            f"{file.stat().st_size / PEOPLE:.0f} bytes each"
        )
        report(SqliteStore(file))


if __name__ == "__main__":
    main()
