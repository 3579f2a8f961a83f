"""Invented people for the tests of training, with gaps and categories.

Their metrics predict the outcome to some degree.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.features import FeatureSpec, Matrix
from model.training.fit import fit_choice
from model.training.models import ModelChoice, ModelSettings
from model.training.people import Join, People
from model.training.selection import choose_model
from model.training.target_rates import encode_for

SPEC = """
[[feature]]
name = "visits"
path = "Metrics.Visits"
kind = "number"

[[feature]]
name = "spend"
path = "Metrics.Spend"
kind = "number"

[[feature]]
name = "plan"
path = "Attributes.Plan"
kind = "category"
"""


def make_people(count: int = 400, seed: int = 0) -> tuple[list[dict[str, Any]], list[int]]:
    """`count` endpoint documents and their outcomes; a third have no `Metrics.Spend`."""
    random = np.random.default_rng(seed)
    documents, outcomes = [], []
    for index in range(count):
        visits, spend = int(random.poisson(5)), round(float(random.gamma(2, 10)), 2)
        metrics: dict[str, Any] = (
            {"Visits": visits} if random.random() < 0.33 else {"Visits": visits, "Spend": spend}
        )
        plan = ["free", "basic", "pro"][int(random.integers(3))]
        documents.append(
            {"Id": f"person-{index}", "Attributes": {"Plan": [plan]}, "Metrics": metrics}
        )
        outcomes.append(int(random.random() < 1 / (1 + np.exp(-(visits - 5 + (plan == "pro"))))))
    return documents, outcomes


def to_lines(documents: Sequence[object]) -> str:
    """JSON lines."""
    return "".join(json.dumps(document) + "\n" for document in documents)


def to_csv(documents: Sequence[dict[str, Any]], outcomes: Sequence[int]) -> str:
    """The outcomes file of these people."""
    rows = (
        f"{document['Id']},{outcome}\n"
        for document, outcome in zip(documents, outcomes, strict=True)
    )
    return "Id,outcome\n" + "".join(rows)


def write_people(
    directory: Path, count: int = 400, seed: int = 0, model: str = "logistic"
) -> list[str]:
    """Write endpoints.jsonl, outcomes.csv and features.toml; give the arguments for `train`."""
    documents, outcomes = make_people(count, seed)
    files = {
        "endpoints.jsonl": to_lines(documents),
        "outcomes.csv": to_csv(documents, outcomes),
        "features.toml": SPEC,
    }
    for name, text in files.items():
        (directory / name).write_text(text, "utf-8")
    named = [
        word
        for option, name in zip(("--endpoints", "--outcomes", "--features"), files, strict=True)
        for word in (option, str(directory / name))
    ]
    return [*named, "--model", model]


def write(path: Path, content: str | bytes) -> Path:
    """Write a file; give its path."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Progress no progress."""


def make_scored(
    matrix: Matrix,
    outcomes: npt.NDArray[np.int64],
    spec: FeatureSpec,
    *,
    groups: npt.NDArray[np.int64] | None = None,
    dates: npt.NDArray[np.float64] | None = None,
) -> People:
    """People made of a matrix; without `groups` each row is a user."""
    join = Join(
        endpoints=len(outcomes),
        matched=len(outcomes),
        without_outcome=0,
        without_endpoint=0,
        repeated=0,
        refused=0,
        refusals=(),
    )
    return People(
        spec=spec,
        matrix=matrix,
        outcomes=outcomes,
        join=join,
        groups=np.arange(len(outcomes)) if groups is None else groups,
        dates=dates,
    )


def fit_model(
    settings: ModelSettings, people: People, seed: int, *, calibrated: bool
) -> tuple[Any, ModelChoice]:
    """Choose and fit on all people; the classifier and the choice."""
    rows = np.arange(len(people.outcomes))
    people = encode_for(people, rows, seed)
    choice = choose_model(settings, people, rows, seed)
    return fit_choice(settings, people, rows, choice, seed, calibrated=calibrated), choice
