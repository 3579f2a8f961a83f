"""Turn the credit data beside this file into endpoints and outcomes.

Takes credit_data.csv.gz; writes endpoints.jsonl.gz (Pinpoint's export format) and outcomes.csv, the
same bytes every time. SOURCE.md lists what is invented.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from pathlib import Path
from typing import Any

from examples.cdnow.make_endpoints import compress
from model.atomic import write_atomically

HERE = Path(__file__).resolve().parent
INVENTED = ["Id", "ChannelType", "Address", "EndpointStatus", "OptOut"]
TEXTS = ("Home", "Marital", "Records", "Job")
NUMBERS = ("Seniority", "Time", "Age", "Expenses", "Income", "Assets", "Debt", "Amount", "Price")


def make_endpoint(number: int, row: dict[str, str]) -> dict[str, Any]:
    """One applicant as Pinpoint exports an endpoint. Empty cells of the data are missing."""
    return {
        "Id": f"credit-{number:04}",
        "ChannelType": "EMAIL",
        "Address": f"applicant-{number:04}@example.invalid",
        "EndpointStatus": "ACTIVE",
        "OptOut": "NONE",
        "Attributes": {**{name: [row[name]] for name in TEXTS if row[name]}, "Invented": INVENTED},
        "Metrics": {name: int(row[name]) for name in NUMBERS if row[name]},
    }


def read_people(path: Path = HERE / "credit_data.csv.gz") -> list[tuple[dict[str, Any], int]]:
    """Each applicant's endpoint, and 1 if the applicant is rated good, else 0."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [
            (make_endpoint(number, row), int(row["Status"] == "good"))
            for number, row in enumerate(csv.DictReader(file), 1)
        ]


def write_example(out: Path) -> int:
    """Write both files into `out`; give the number of endpoints."""
    people = read_people()
    out.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(endpoint, separators=(",", ":")) + "\n" for endpoint, _ in people)
    rows = "".join(f"{endpoint['Id']},{outcome}\n" for endpoint, outcome in people)
    write_atomically(out / "endpoints.jsonl.gz", compress(lines))
    write_atomically(out / "outcomes.csv", f"Id,outcome\n{rows}".encode())
    return len(people)


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=HERE, help="directory to write into (default: beside this file)"
    )
    out = parser.parse_args().out
    print(f"{write_example(out):,} endpoints and their outcomes written to {out}")


if __name__ == "__main__":
    main()
