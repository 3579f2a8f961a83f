"""Turn Hillstrom's e-mail campaign beside this file into endpoints, outcomes and decisions.

Takes hillstrom.csv.gz; writes endpoints.jsonl.gz, outcomes.csv, conversions.csv, spend.csv,
decisions.csv and womens.csv, the same bytes every time. SOURCE.md says what is invented.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
INVENTED = ["Id", "UserId", "ChannelType", "Address", "EndpointStatus", "OptOut"]
CONTROL = "No E-Mail"
# file -> column of the data that it holds
OUTCOMES = {"outcomes.csv": "visit", "conversions.csv": "conversion", "spend.csv": "spend"}
# The e-mail about women's merchandise against none, for `train --treated`.
WOMENS, TREATED = "Womens E-Mail", "womens.csv"
FILES = ("endpoints.jsonl.gz", *OUTCOMES, "decisions.csv", TREATED)


def make_endpoint(number: int, row: dict[str, str]) -> dict[str, Any]:
    """One customer as Pinpoint exports an endpoint, as known before the campaign."""
    segment = re.sub(r"^\d+\) ", "", row["history_segment"])
    return {
        "Id": name_endpoint(number),
        "ChannelType": "EMAIL",
        "Address": f"customer-{number:05}@example.invalid",
        "EndpointStatus": "ACTIVE",
        "OptOut": "NONE",
        "Attributes": {
            "HistorySegment": [segment],
            "ZipCode": ["Suburban" if row["zip_code"] == "Surburban" else row["zip_code"]],
            "Channel": [row["channel"]],
            "Mens": [row["mens"]],
            "Womens": [row["womens"]],
            "Newbie": [row["newbie"]],
            "Invented": INVENTED,
        },
        "Metrics": {"RecencyMonths": int(row["recency"]), "History": float(row["history"])},
        "User": {"UserId": f"{number:05}"},
    }


def name_endpoint(number: int) -> str:
    """The endpoint's id."""
    return f"hillstrom-{number:05}"


def read_customers(path: Path = HERE / "hillstrom.csv.gz") -> list[dict[str, str]]:
    """The rows of the data, one a customer."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def make_files(rows: list[dict[str, str]]) -> dict[str, bytes]:
    """The content of each file."""
    numbered = list(enumerate(rows, 1))
    endpoints = "".join(
        json.dumps(make_endpoint(number, row), separators=(",", ":")) + "\n"
        for number, row in numbered
    )
    files = {"endpoints.jsonl.gz": compress(endpoints)}
    for name, column in OUTCOMES.items():
        lines = (f"{name_endpoint(number)},{row[column]}\n" for number, row in numbered)
        files[name] = ("Id,outcome\n" + "".join(lines)).encode()
    decisions = (make_decision(number, row) for number, row in numbered)
    files["decisions.csv"] = (
        "Id,UserId,selected,holdout,treatment\n" + "".join(decisions)
    ).encode()
    compared = (
        f"{name_endpoint(number)},{row['visit']},{int(row['segment'] == WOMENS)}\n"
        for number, row in numbered
        if row["segment"] in {WOMENS, CONTROL}
    )
    files[TREATED] = ("Id,outcome,treated\n" + "".join(compared)).encode()
    return files


def make_decision(number: int, row: dict[str, str]) -> str:
    """What the campaign decided for one customer: everybody was selected, a third held out."""
    held_out = row["segment"] == CONTROL
    treatment = "" if held_out else row["segment"]
    return f"{name_endpoint(number)},{number:05},true,{str(held_out).lower()},{treatment}\n"


def compress(text: str) -> bytes:
    """`text` as gzip, without a name or a time in it."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=6) as file:
        file.write(text.encode())
    return buffer.getvalue()


def write_example(out: Path = HERE) -> int:
    """Write all files into `out`; give the number of customers."""
    rows = read_customers()
    out.mkdir(parents=True, exist_ok=True)
    for name, content in make_files(rows).items():
        fresh = out / f".{name}.{os.getpid()}"
        fresh.write_bytes(content)
        fresh.replace(out / name)
    return len(rows)


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=HERE, help="directory to write into (default: beside this file)"
    )
    out = parser.parse_args().out
    print(f"{write_example(out):,} customers: {', '.join(FILES)} written to {out}")


if __name__ == "__main__":
    main()
