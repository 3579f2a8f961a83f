"""Hillstrom's campaign as arrays: the e-mail about women's merchandise against none, and visits."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np

from model.training.uplift.campaign import UpliftPeople

DATA = Path(__file__).parents[1] / "examples" / "hillstrom" / "hillstrom.csv.gz"
MESSAGED, CONTROL = "Womens E-Mail", "No E-Mail"
NUMBERS = ("recency", "history", "mens", "womens", "newbie")
TEXTS = ("zip_code", "channel", "history_segment")


def read_womens(path: Path = DATA) -> UpliftPeople:
    """The campaign: numbers as they are, a column for each text."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["segment"] in {MESSAGED, CONTROL}]
    columns = [[float(row[name]) for row in rows] for name in NUMBERS]
    for name in TEXTS:
        values = sorted({row[name] for row in rows})
        columns += [[float(row[name] == value) for row in rows] for value in values]
    treated = np.array([row["segment"] == MESSAGED for row in rows], dtype=np.int64)
    return UpliftPeople(
        matrix=np.array(columns, dtype=np.float32).T.copy(),
        outcomes=np.array([int(row["visit"]) for row in rows], dtype=np.int64),
        treated=treated,
        groups=np.arange(len(rows)),
        share=float(treated.mean()),
    )
