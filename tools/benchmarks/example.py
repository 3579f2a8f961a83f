"""The data of the benchmarks: CDNOW customers in batches of 50, and larger invented segments.

All is made once, under `.cache/benchmarks/`, by the scripts of
`examples/cdnow`.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from examples.cdnow.make_endpoints import write_example
from function.hosts.pinpoint import LARGEST_BATCH, PINPOINT
from function.records import Campaign
from function.settings import read_settings
from model.atomic import replace_atomically
from model.bundle import load_bundle
from model.features import Matrix, build_matrix

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".cache" / "benchmarks"
BATCHES = 200
MILLION, MOST_MILLIONS = 1_000_000, 100
PIECE_BYTES = 1 << 24
CAMPAIGN = Campaign(
    application_id="0123456789abcdef0123456789abcdef",
    campaign_id="fedcba9876543210fedcba9876543210",
    activity_id="00112233445566778899aabbccddeeff",
    treatment_id="0",
    scheduled_time="1997-10-01T00:00:00.000Z",
)


def find_python(name: str) -> Path:
    """The interpreter of an environment under `.cache/` that `make bench` makes."""
    return ROOT / ".cache" / name / "bin" / "python"


def clean_environ(**more: str) -> dict[str, str]:
    """Only the variables that a process needs to start, so that no setting changes a figure."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(PLACE),
        "PYTHONPATH": str(ROOT),
        **more,
    }


def describe_usual(*, tuned: bool = False) -> dict[str, str]:
    """The usual handler's environment: where its model is.

    tuned  one thread for the model, which no public template sets
    """
    return {"USUAL_MODEL": str(PLACE / "usual"), **({"OMP_NUM_THREADS": "1"} if tuned else {})}


def read_people() -> list[dict[str, Any]]:
    """The example's endpoints."""
    file = PLACE / "endpoints.jsonl.gz"
    if not file.exists():
        write_example(PLACE)
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def make_events() -> Path:
    """A file of Pinpoint events, one in each line, 50 endpoints each."""
    file = PLACE / "events.jsonl"
    people = read_people()
    with file.open("w", encoding="utf-8") as out:
        for number in range(BATCHES):
            batch = people[number * LARGEST_BATCH : (number + 1) * LARGEST_BATCH]
            event = PINPOINT.build_event(
                {
                    document["Id"]: {key: value for key, value in document.items() if key != "Id"}
                    for document in batch
                },
                CAMPAIGN,
            )
            out.write(json.dumps(event) + "\n")
    return file


def make_matrices() -> list[Matrix]:
    """The same batches as the scoring service receives them: float32 [50, f] each."""
    people, spec = read_people(), load_bundle(read_settings({}).bundle).spec
    return [
        build_matrix(people[start : start + LARGEST_BATCH], spec)
        for start in range(0, BATCHES * LARGEST_BATCH, LARGEST_BATCH)
    ]


def make_segment(count: int) -> Path:
    """A segment of `count` invented people, each with a CDNOW customer's history.

    Whole millions repeat the first million's people under other ids.
    """
    PLACE.mkdir(parents=True, exist_ok=True)
    file = PLACE / f"synthetic-{count}.jsonl.gz"
    if not file.exists() and count > MILLION and count % MILLION == 0:
        repeat_million(make_segment(MILLION), file, count // MILLION)
    elif not file.exists():
        maker = [sys.executable, "-m", "examples.cdnow.make_synthetic"]
        subprocess.run(
            [*maker, str(count), "--out", str(file)],
            check=True,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
    return file


def repeat_million(million: Path, file: Path, times: int) -> None:
    """Write a million's people several times, each time with ids of their own.

    Inventing all of them would take half as long as running them.
    """
    if not 1 <= times <= MOST_MILLIONS:
        raise ValueError(f"expected at most {MOST_MILLIONS} millions")
    with replace_atomically(file) as fresh, gzip.open(fresh, "wb", compresslevel=1) as out:
        for number in range(times):
            with gzip.open(million, "rb") as lines:
                # Ids have eight digits, of which the first two are the millions.
                while piece := b"".join(lines.readlines(PIECE_BYTES)):
                    for name in (b'"synthetic-', b'"person-', b'"user-'):
                        piece = piece.replace(name + b"00", name + b"%02d" % number)
                    out.write(piece)
