"""Turn the CDNOW transactions beside this file into endpoints and outcomes.

Takes transactions.csv.gz; writes endpoints.jsonl.gz (Pinpoint's export format) and outcomes.csv,
the same bytes every time. SOURCE.md lists what is invented.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
from collections.abc import Iterable
from datetime import date
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from model.atomic import write_atomically

HERE = Path(__file__).resolve().parent
AS_OF = date(1997, 9, 30)
UNTIL = date(1998, 6, 30)
INVENTED = ["ChannelType", "Address", "EndpointStatus", "OptOut"]


class Purchase(NamedTuple):
    """One row of the transactions. Spend is in whole cents, so that sums are exact."""

    customer: str
    day: date
    cds: int
    cents: int


def read_purchases(path: Path) -> list[Purchase]:
    """All purchases, sorted by customer, then by day."""
    days: dict[str, date] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        purchases = [
            Purchase(
                row["customer_id"],
                days.setdefault(row["date"], date.fromisoformat(row["date"])),
                int(row["cds"]),
                int(row["spend_usd"].replace(".", "")),
            )
            for row in csv.DictReader(file)
        ]
    return sorted(purchases, key=lambda purchase: (purchase.customer, purchase.day))


def measure_customer(purchases: list[Purchase]) -> dict[str, float]:
    """The metrics of one customer, from the purchases up to AS_OF in order of time.

    Gaps need two purchase days.
    """
    days = sorted({purchase.day for purchase in purchases})
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    cents = [purchase.cents for purchase in purchases]
    metrics: dict[str, float] = {
        "RecencyDays": (AS_OF - days[-1]).days,
        "TenureDays": (AS_OF - days[0]).days,
        "Purchases": len(purchases),
        "PurchaseDays": len(days),
        "PurchasesLast90Days": sum((AS_OF - purchase.day).days < 90 for purchase in purchases),
        "SpendTotal": sum(cents) / 100,
        "SpendMean": round(sum(cents) / len(cents) / 100, 2),
        "SpendMax": max(cents) / 100,
        "SpendFirst": sum(purchase.cents for purchase in purchases if purchase.day == days[0])
        / 100,
        "SpendLast": sum(purchase.cents for purchase in purchases if purchase.day == days[-1])
        / 100,
        "Cds": sum(purchase.cds for purchase in purchases),
        "CdsMax": max(purchase.cds for purchase in purchases),
    }
    if gaps:
        metrics |= {"MeanGapDays": round(sum(gaps) / len(gaps), 2), "LongestGapDays": max(gaps)}
    return metrics


def make_endpoint(customer: str, purchases: list[Purchase]) -> dict[str, Any]:
    """One endpoint as of AS_OF, as Pinpoint exports it."""
    first, last = purchases[0].day.isoformat(), purchases[-1].day.isoformat()
    return {
        "Id": f"cdnow-{customer}",
        "ChannelType": "EMAIL",
        "Address": f"customer-{customer}@example.invalid",
        "EndpointStatus": "ACTIVE",
        "OptOut": "NONE",
        "EffectiveDate": f"{AS_OF.isoformat()}T00:00:00.000Z",
        "CreationDate": f"{first}T00:00:00.000Z",
        "Attributes": {"FirstPurchase": [first], "LastPurchase": [last], "Invented": INVENTED},
        "Metrics": measure_customer(purchases),
        "User": {"UserId": customer},
    }


def make_people(purchases: Iterable[Purchase]) -> list[tuple[dict[str, Any], int]]:
    """Each customer's endpoint, and 1 for a purchase after AS_OF and up to UNTIL, else 0."""
    people = []
    for customer, group in groupby(purchases, key=lambda purchase: purchase.customer):
        bought = list(group)
        before = [purchase for purchase in bought if purchase.day <= AS_OF]
        people.append(
            (
                make_endpoint(customer, before),
                int(any(AS_OF < purchase.day <= UNTIL for purchase in bought)),
            )
        )
    return people


def compress(text: str) -> bytes:
    """`text` as gzip, without a name or a time in it."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=6) as file:
        file.write(text.encode())
    return buffer.getvalue()


def write_example(out: Path, transactions: Path = HERE / "transactions.csv.gz") -> int:
    """Write both files into `out`; give the number of endpoints."""
    people = make_people(read_purchases(transactions))
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
