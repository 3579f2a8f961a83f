"""Invented people whose response depends on one feature made of others, or on none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from model.training.candidates import Sample
from model.training.infer import infer_spec

PEOPLE = 3_000


def make_sample(outcome: Callable[[int, dict[str, Any]], bool], count: int = PEOPLE) -> Sample:
    """Customers with spend, visits, two dates, a shop of 120, and now and then a note."""
    random = np.random.default_rng(3)
    documents = []
    for index in range(count):
        first, gap = int(random.integers(0, 300)), int(random.integers(1, 60))
        start = np.datetime64("2025-01-01") + np.timedelta64(first, "D")
        days = (start, start + np.timedelta64(gap, "D"))
        documents.append(
            {
                "Metrics": {
                    "Spend": round(float(random.uniform(1, 100)), 2),
                    "Visits": int(random.integers(1, 100)),
                },
                "Attributes": {
                    "First": str(days[0]),
                    "Last": str(days[1]),
                    "Shop": f"shop {random.integers(0, 120)}",
                    **({"Note": f"a note, number {index}"} if index % 3 else {}),
                },
            }
        )
    outcomes = np.array([outcome(index, each) for index, each in enumerate(documents)])
    inference = infer_spec(documents, dated=False)
    return Sample(documents=documents, inference=inference, outcomes=outcomes.astype(np.int64))


def by_ratio(index: int, document: dict[str, Any]) -> bool:
    return bool(document["Metrics"]["Spend"] > document["Metrics"]["Visits"])


def by_shop(index: int, document: dict[str, Any]) -> bool:
    liked = int(document["Attributes"]["Shop"].split()[1]) * 7919 % 120 < 60
    return index % 10 < (8 if liked else 2)


def by_nothing(index: int, document: dict[str, Any]) -> bool:
    return (index * 7919) % 11 < 4
