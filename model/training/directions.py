"""In which direction each feature moves the score: partial dependence. Fits and writes nothing.

A feature is set to one value for all of a sample of people, and their mean score is taken; then to
the next value. Everything else stays as it is, so features that move together are torn apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.features import FeatureSpec, Matrix
from model.kinds import KINDS, Feature
from model.training.measures import Scores
from model.training.phrases import format_score

TRACED_PEOPLE = 400
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_VALUES = 20  # of a category
# The mean score moves by less than this share of itself: no direction
HARDLY = 0.02
DIGITS = 4  # significant, of a value: no more tells a person from others


def trace_features(
    score: Callable[[Matrix], Scores], matrix: Matrix, spec: FeatureSpec, seed: int
) -> dict[str, dict[str, Any]]:
    """By feature: the values `at` which it was set, the mean `scores` there, and the `shape`.

    Nothing for a feature that has the same value for everyone.
    """
    random = np.random.default_rng(seed)
    count = min(TRACED_PEOPLE, len(matrix))
    sample = matrix[np.sort(random.choice(len(matrix), count, replace=False))]
    traces: dict[str, dict[str, Any]] = {}
    for feature, start in zip(spec.features, spec.starts, strict=True):
        columns = slice(start, start + len(feature.columns))
        names, settings = list_settings(feature, matrix[:, columns])
        if len(names) < 2:
            continue
        varied = np.tile(sample, (len(names), 1))
        varied[:, columns] = np.repeat(settings, count, axis=0)
        means = score(varied).reshape(len(names), count).mean(axis=1).round(6).tolist()
        one_hot = KINDS[feature.kind].one_hot
        shape = "by value" if one_hot else name_shape(means)
        traces[feature.name] = {"at": names, "scores": means, "shape": shape}
    return traces


def add_directions(
    features: Sequence[dict[str, Any]], traces: Mapping[str, Mapping[str, Any]]
) -> None:
    """Add its trace as `direction` to each row of `evaluation.features`."""
    for row in features:
        row["direction"] = traces.get(row["name"])


def list_settings(feature: Feature, columns: Matrix) -> tuple[list[Any], npt.NDArray[np.float32]]:
    """The values to set a feature to, and the columns of each."""
    if KINDS[feature.kind].one_hot:
        width = columns.shape[1]
        names = [*feature.columns[: min(width, MOST_VALUES)]]
        prefix = len(feature.name) + 1
        return [name[prefix:] for name in names], np.eye(width, dtype=np.float32)[: len(names)]
    if columns.shape[1] != 1:
        return [], np.empty((0, columns.shape[1]), dtype=np.float32)
    present = columns[~np.isnan(columns[:, 0]), 0]
    if not len(present):
        return [], np.empty((0, 1), dtype=np.float32)
    values = np.quantile(present, LEVELS, method="inverted_cdf").tolist()
    levels = sorted({float(f"{value:.{DIGITS}g}") for value in values})
    return levels, np.array(levels, dtype=np.float32).reshape(-1, 1)


def name_shape(scores: list[float]) -> str:
    """Rises, falls, or what it does first and then."""
    span = max(scores) - min(scores)
    if span < HARDLY * max(float(np.mean(scores)), 1e-6):
        return "hardly moves the score"
    steps = np.diff(scores)
    steps = steps[np.abs(steps) > 0.1 * span]
    turns = [steps[0] > 0] if len(steps) else []
    for step in steps[1:]:
        if (step > 0) != turns[-1]:
            turns.append(step > 0)
    words = ["rises" if up else "falls" for up in turns]
    if len(words) > 2:
        return "goes up and down"
    return ", then ".join(words)


def describe_trace(trace: Mapping[str, Any] | None) -> str:
    """The direction in a few words, with the mean scores at both ends."""
    if not trace:
        return ""
    at, scores = trace["at"], trace["scores"]
    if trace["shape"] == "by value":
        ends = [
            f"{format_score(scores[index])} for {' '.join(at[index].split())}"
            for index in (int(np.argmin(scores)), int(np.argmax(scores)))
        ]
        return ", ".join(ends)
    first = f"{format_score(scores[0])} at {at[0]:g}"
    return f"{trace['shape']}: {first}, {format_score(scores[-1])} at {at[-1]:g}"
