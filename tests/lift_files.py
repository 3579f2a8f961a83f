"""Small campaigns as files, for the tests of `segment_scorer.lift`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

COLUMNS = ("Id", "UserId", "selected", "holdout", "sent", "reason", "score", "band")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def decide(index: int, *, holdout: bool, selected: bool = True, **more: object) -> dict[str, str]:
    """One row of decisions.csv, of a user with one endpoint."""
    row = {
        "Id": f"e{index}",
        "UserId": f"u{index}",
        "selected": str(selected).lower(),
        "holdout": str(holdout).lower(),
        "sent": str(selected and not holdout).lower(),
        "reason": "holdout" if holdout else "score",
        "score": f"{0.9 if selected else 0.1:.4f}",
        "band": "",
    }
    return {**row, **{name: str(value) for name, value in more.items()}}


def make_rows(messaged: int = 400, control: int = 100, left_out: int = 20) -> list[dict[str, str]]:
    """A campaign with a control group of a fifth; the last rows are not selected."""
    return [
        *(decide(index, holdout=False) for index in range(messaged)),
        *(decide(messaged + index, holdout=True) for index in range(control)),
        *(
            decide(messaged + control + index, holdout=False, selected=False)
            for index in range(left_out)
        ),
    ]


def write_decisions(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    columns = tuple(rows[0])
    return write_rows(path, columns, [[row[column] for column in columns] for row in rows])


def write_run(folder: Path, rows: Sequence[Mapping[str, str]], **facts: Any) -> Path:
    """A run's folder: what `lift` reads of it."""
    summary = {
        "received": len(rows),
        "mode": "filter",
        "host": "pinpoint",
        "holdout_percent": 20.0,
        "holdout_salt_digest": "0123",
        **facts,
    }
    write_decisions(folder / "decisions.csv", rows)
    (folder / "summary.json").write_text(json.dumps(summary), "utf-8")
    return folder


def respond(rows: Sequence[Mapping[str, str]], *, every: int, control: int) -> dict[str, int]:
    """Outcomes: every n-th of those messaged responds, every `control`-th of the others."""
    counts = {"true": 0, "false": 0}
    outcomes = {}
    for row in rows:
        counts[row["holdout"]] += 1
        step = control if row["holdout"] == "true" else every
        outcomes[row["Id"]] = int(counts[row["holdout"]] % step == 0)
    return outcomes


def write_outcomes(path: Path, outcomes: Mapping[str, object], key: str = "Id") -> Path:
    return write_rows(path, (key, "outcome"), outcomes.items())
