"""Measures training on as many people as asked for: CDNOW's customers, resampled and varied.

`python -m tools.benchmarks.training --people 1000000 --out DIR` writes people and a bundle into DIR
and prints seconds of processor time. The people are the same in every run.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from examples.cdnow.make_endpoints import HERE, make_people, read_purchases
from model.features import build_matrix, load_spec
from model.training.config import TrainingConfig
from model.training.datasets import read_lines
from model.training.train import train_bundle

EXTRA = 6  # invented metrics, so that there are 20 features
BLOCK = 10_000


def write_people(out: Path, count: int, seed: int) -> None:
    """endpoints.jsonl, outcomes.csv and features.toml of `count` people."""
    people = make_people(read_purchases(HERE / "transactions.csv.gz"))
    random = np.random.default_rng(seed)
    encoder = msgspec.json.Encoder()
    out.mkdir(parents=True, exist_ok=True)
    with (
        (out / "endpoints.jsonl").open("wb") as endpoints,
        (out / "outcomes.csv").open("w", encoding="utf-8") as outcomes,
    ):
        outcomes.write("Id,outcome\n")
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            drawn, noise, moved = (
                random.integers(0, len(people), size),
                random.random((size, EXTRA)),
                random.normal(1, 0.05, size),
            )
            for index in range(size):
                endpoint, outcome = people[drawn[index]]
                metrics = {
                    name: round(value * float(moved[index]), 2)
                    for name, value in endpoint["Metrics"].items()
                }
                metrics |= {
                    f"Extra{number}": round(float(value), 4)
                    for number, value in enumerate(noise[index])
                }
                id_ = f"synthetic-{start + index}"
                endpoints.write(
                    encoder.encode(
                        {**endpoint, "Id": id_, "Metrics": metrics, "User": {"UserId": id_}}
                    )
                    + b"\n"
                )
                outcomes.write(f"{id_},{outcome}\n")
    extra = [
        f'\n[[feature]]\nname = "extra_{number}"\npath = "Metrics.Extra{number}"\nkind = "number"\n'
        for number in range(EXTRA)
    ]
    (out / "features.toml").write_text(
        (HERE / "features.toml").read_text("utf-8") + "".join(extra), "utf-8"
    )


def time_matrix(out: Path) -> float:
    """Decoded endpoints that become rows of 20 features in a second of processor time."""
    spec = load_spec(out / "features.toml")
    lines = read_lines([out / "endpoints.jsonl"], lambda *_: None)
    documents: list[Any] = [line.document for line in islice(lines, 20_000)]
    begun = time.process_time()
    for start in range(0, len(documents), 500):
        build_matrix(documents[start : start + 500], spec)
    return len(documents) / (time.process_time() - begun)


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.benchmarks.training", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, required=True, help="directory to write into")
    parser.add_argument("--infer", action="store_true", help="without a feature spec")
    given = parser.parse_args()
    write_people(given.out, given.people, 0)
    print(
        f"matrix      {time_matrix(given.out):,.0f} endpoints of 20 features "
        "a second of processor time",
        flush=True,
    )
    begun, processor = time.perf_counter(), time.process_time()
    stages: dict[str, tuple[float, float]] = {}

    def report(stage: str, done: int, total: int) -> None:  # noqa: ARG001  # only starts matter
        if stage not in stages:
            stages[stage] = (time.perf_counter(), time.process_time())
            print(
                f"{stages[stage][0] - begun:8.1f} s "
                f"{stages[stage][1] - processor:8.1f} s of processor time: {stage}",
                file=sys.stderr,
            )

    config = TrainingConfig(
        endpoints=(given.out / "endpoints.jsonl",),
        outcomes=given.out / "outcomes.csv",
        features=None if given.infer else given.out / "features.toml",
        out=given.out / "bundle",
    )
    result = train_bundle(config, report)
    print(
        f"training    {time.perf_counter() - begun:,.0f} s, "
        f"{time.process_time() - processor:,.0f} s of processor time"
    )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")
    print(f"ROC AUC     {result.manifest['metrics']['roc_auc']:.4f}")


if __name__ == "__main__":
    main()
