"""Measures `train` against a hand-made pipeline and LightGBM, and its time against a plain one.

`make prove-training` writes docs/training-figures.json. `ARGS="--only credit"` measures one set and
keeps the others. Figures are out of fold, in the same five folds; times are of the processor.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from examples.cdnow.make_endpoints import HERE as CDNOW
from examples.cdnow.make_endpoints import make_people, read_purchases
from examples.credit.make_endpoints import read_people
from examples.hillstrom.make_endpoints import make_endpoint, read_customers
from model.training.config import TrainingConfig
from model.training.datasets import read_outcomes
from model.training.models import CANDIDATES
from model.training.selection import limit_threads
from model.training.train import prepare_people, train_bundle
from tools.image.provenance import read_revision
from tools.tree_numbers import compare_trees, score_out_of_fold

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "training-figures.json"
LIGHTGBM = ROOT / ".cache" / "foreign" / "bin" / "python"
MANY = 50_000  # people: from here on `train` grows other trees
Person = tuple[dict[str, Any], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """People with outcomes. `judged`: whether others are compared on them, or only times."""

    title: str
    read: Callable[[], list[Person]]
    features: Path | None = None
    judged: bool = True


def read_hillstrom() -> list[Person]:
    """Hillstrom's customers, and whether each visited."""
    return [
        (make_endpoint(number, row), int(row["visit"]))
        for number, row in enumerate(read_customers(), 1)
    ]


def make_wide(count: int, width: int) -> list[Person]:
    """Invented people with many metrics, a third of them skewed, a tenth of the values missing."""
    random = np.random.default_rng(count)
    values = random.normal(size=(count, width))
    values[:, : width // 3] = np.exp(values[:, : width // 3])
    known = np.where(random.random(values.shape) < 0.1, 0.0, values)
    weights = random.normal(size=width) * (random.random(width) < 0.3) * 0.4
    margin = known @ weights + 0.6 * (known[:, 0] > 1) * known[:, 1] - 0.5 * np.abs(known[:, 2])
    margin -= np.quantile(margin, 0.85)
    outcomes = random.random(count) < 1 / (1 + np.exp(-margin))
    return [
        (
            {
                "Id": f"invented-{index}",
                "Metrics": {
                    f"M{column}": round(float(value), 4)
                    for column, value in enumerate(row)
                    if value
                },
            },
            int(outcome),
        )
        for index, (row, outcome) in enumerate(zip(known, outcomes, strict=True))
    ]


SETS: dict[str, DataSet] = {
    "cdnow": DataSet(
        title="CDNOW, 23,570 people",
        read=lambda: make_people(read_purchases(CDNOW / "transactions.csv.gz")),
        features=CDNOW / "features.toml",
    ),
    "credit": DataSet(title="credit, 4,454 people", read=read_people),
    "hillstrom": DataSet(title="Hillstrom (visit), 64,000 people", read=read_hillstrom),
    "small": DataSet(
        title="credit, 1,369 people", read=lambda: read_people()[:1_369], judged=False
    ),
    "wide-9000": DataSet(
        title="invented, 9,000 people x 85", read=lambda: make_wide(9_000, 85), judged=False
    ),
    "wide-27000": DataSet(
        title="invented, 27,000 people x 71", read=lambda: make_wide(27_000, 71), judged=False
    ),
}


def measure_set(data: DataSet) -> dict[str, Any]:
    """Figures and times of one set."""
    people = data.read()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        config = write_files(folder, people, data.features)
        seconds, ours = time_call(lambda: train_bundle(config, lambda *_: None))
        material = prepare_people(config, read_outcomes(config.outcomes), None, lambda *_: None)
        # Of one five-fold cross-validation of the costliest candidate of `--model auto`.
        plain = max(
            time_call(partial(score_out_of_fold, material.people, each))[0] for each in CANDIDATES
        )
        metrics = ours.manifest["metrics"]
        found: dict[str, Any] = {
            "title": data.title,
            "model": ours.manifest["model"]["kind"],
            "train_seconds": round(seconds, 1),
            "plain_seconds": round(plain, 1),
            "times_plain": round(seconds / plain, 2),
            "ours": round(metrics["roc_auc"], 4),
            "interval": [round(edge, 4) for edge in metrics["intervals"]["roc_auc"]],
        }
        if data.judged:
            found |= judge_others(people, folder)
        if len(people) < MANY:
            found["trees"] = compare_trees(material.people)
    return found


def write_files(folder: Path, people: list[Person], features: Path | None) -> TrainingConfig:
    """The files that `train` takes."""
    with (folder / "endpoints.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(person) + "\n" for person, _ in people)
    lines = (f"{person['Id']},{outcome}\n" for person, outcome in people)
    (folder / "outcomes.csv").write_text("Id,outcome\n" + "".join(lines), "utf-8")
    return TrainingConfig(
        endpoints=(folder / "endpoints.jsonl",),
        outcomes=folder / "outcomes.csv",
        features=features,
        out=folder / "bundle",
    )


def time_call(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of processor time, and what the call gave."""
    begun = time.process_time()
    given = call()
    return time.process_time() - begun, given


def judge_others(people: list[Person], folder: Path) -> dict[str, float]:
    """ROC AUC out of fold of a hand-made pipeline and of LightGBM, on columns made by hand."""
    numbers, texts = make_columns(people)
    outcomes = np.array([outcome for _, outcome in people])
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(numbers, outcomes))
    linear, trees = (np.full(len(outcomes), np.nan) for _ in range(2))
    encoded = np.full(len(outcomes), -1)
    table = np.concatenate([numbers.astype(object), texts], axis=1)
    columns = list(range(numbers.shape[1]))
    words = list(range(numbers.shape[1], table.shape[1]))
    for fold, (train, test) in enumerate(folds):
        encoded[test] = fold
        for scores, model in (
            (linear, make_linear(columns, words)),
            (trees, make_trees(columns, words)),
        ):
            with limit_threads(len(outcomes)):
                model.fit(table[train], outcomes[train])
                scores[test] = model.predict_proba(table[test])[:, 1]
    onehot = OneHotEncoder(sparse_output=False, min_frequency=20, handle_unknown="ignore")
    matrix = np.concatenate([numbers, onehot.fit_transform(texts)], axis=1) if words else numbers
    np.savez(folder / "in.npz", matrix=matrix, outcomes=outcomes, fold_of=encoded)
    script = Path(__file__).with_name("lightgbm_scores.py")
    command = [str(LIGHTGBM), str(script), str(folder / "in.npz"), str(folder / "out.npz")]
    subprocess.run(command, check=True)
    boosted = np.load(folder / "out.npz")["scores"]
    return {
        "hand_made_logistic": round(float(roc_auc_score(outcomes, linear)), 4),
        "hand_made_trees": round(float(roc_auc_score(outcomes, trees)), 4),
        "lightgbm": round(float(roc_auc_score(outcomes, boosted)), 4),
    }


def make_columns(people: list[Person]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.object_]]:
    """Metrics as numbers, NaN where missing, and the attributes with few values as texts."""
    metrics = sorted({name for person, _ in people for name in person["Metrics"]})
    numbers = np.array(
        [[person["Metrics"].get(name, np.nan) for name in metrics] for person, _ in people],
        dtype=np.float64,
    )
    found: dict[str, set[str]] = {}
    for person, _ in people:
        for name, values in person.get("Attributes", {}).items():
            if name != "Invented":
                found.setdefault(name, set()).update(values[:1])
    names = sorted(name for name, values in found.items() if len(values) <= 50)
    texts = np.array(
        [
            [(person.get("Attributes", {}).get(name) or ["missing"])[0] for name in names]
            for person, _ in people
        ],
        dtype=object,
    ).reshape(len(people), len(names))
    return numbers, texts


def make_linear(columns: list[int], words: list[int]) -> Any:
    """A logistic regression on imputed, scaled numbers and one-hot texts."""
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encode = OneHotEncoder(handle_unknown="ignore", min_frequency=20)
    return make_pipeline(
        ColumnTransformer([("numbers", scaled, columns), ("texts", encode, words)]),
        LogisticRegression(max_iter=2_000),
    )


def make_trees(columns: list[int], words: list[int]) -> Any:
    """HistGradientBoosting with a lower learning rate, as most people would try first."""
    encode = OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False)
    return make_pipeline(
        ColumnTransformer([("numbers", "passthrough", columns), ("texts", encode, words)]),
        HistGradientBoostingClassifier(learning_rate=0.05, max_iter=150, random_state=0),
    )


def main() -> int:
    """Run as a script."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.prove_training", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", choices=sorted(SETS), action="append", help="only this set")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    kept = json.loads(given.out.read_text("utf-8")) if given.out.exists() and given.only else {}
    sets = dict(kept.get("sets", {}))
    for name in given.only or SETS:
        sets[name] = measure_set(SETS[name])
        print(f"{name}: {json.dumps(sets[name])}", file=sys.stderr, flush=True)
    ordered = {name: sets[name] for name in SETS if name in sets}
    figures = {"revision": read_revision(), "sets": ordered}
    given.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    slow = [name for name, found in ordered.items() if found["times_plain"] > 6]
    if slow:
        print(f"more than 6 times a plain cross-validation: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
