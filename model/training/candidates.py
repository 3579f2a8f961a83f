"""An inferred spec and a sample of people in; features that combine or replace others, out.

Suggests only: `model.training.extend` keeps those that help out of fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from sklearn.metrics import roc_auc_score

from model.feature_paths import split_path
from model.features import FeatureSpec, build_matrix
from model.kinds import KINDS, LEAST_OF_A_VALUE, MOST_VALUES, Feature
from model.training.infer import Inference, name_feature
from model.training.people import Outcomes, find_value
from model.values import read_texts

MOST_NUMBERS, MOST_DATES, MOST_TEXTS = 4, 4, 5
# Presence tells nothing if nearly everybody has text, or nearly no one.
SHARES = (0.05, 0.95)


class Sample(NamedTuple):
    """Some people, the inferred spec, and their outcomes."""

    documents: Sequence[Mapping[str, Any]]
    inference: Inference
    outcomes: Outcomes


# A feature without a name: path, kind, options, and what the name says
Idea: TypeAlias = tuple[str, str, Mapping[str, Any], str]


def suggest_features(sample: Sample) -> tuple[Feature, ...]:
    """Every feature worth a try, with names that the spec does not have yet."""
    names = {feature.name for feature in sample.inference.spec.features}
    features = []
    for suggest in SUGGESTIONS:
        for path, kind, options, said in suggest(sample):
            name = name_feature(f"Metrics.{said}", kind, names)
            names.add(name)
            features.append(Feature(name=name, path=path, kind=kind, options=options))
    return tuple(features)


def suggest_of_numbers(sample: Sample) -> Iterator[Idea]:
    """Ratios and differences of the numbers that rank people best."""
    numbers = [feature for feature in sample.inference.spec.features if feature.kind == "number"]
    ranked = sorted(numbers, key=lambda feature: -rank_alone(sample, feature))[:MOST_NUMBERS]
    for first, second in combinations(ranked, 2):
        over, under = first.path, second.path
        yield over, "ratio", {"per": under}, f"{first.name}_per_{second.name}"
        yield over, "difference", {"minus": under}, f"{first.name}_minus_{second.name}"


def suggest_of_dates(sample: Sample) -> Iterator[Idea]:
    """Weekday and month of each date, and the days between two dates of one format."""
    dates = list_dates(sample.inference)[:MOST_DATES]
    for path, options in dates:
        for kind in ("weekday", "month"):
            yield path, kind, options, shorten(path)
    for (first, options), (second, others) in combinations(dates, 2):
        if options == others:
            said = f"{shorten(first)}_since_{shorten(second)}"
            yield first, "days_between", {"since": second, **options}, said


def suggest_of_categories(sample: Sample) -> Iterator[Idea]:
    """Response rates for texts of which more than 50 are frequent."""
    paths = [f.path for f in sample.inference.spec.features if f.kind == "category"]
    for path in paths[:MOST_TEXTS]:
        steps = split_path(path)
        counts = Counter(
            text
            for document in sample.documents
            for text in read_texts(find_value(document, steps))[:1]
        )
        if sum(count >= LEAST_OF_A_VALUE for count in counts.values()) > MOST_VALUES:
            yield path, "target_rate", {}, shorten(path)


def suggest_of_texts(sample: Sample) -> Iterator[Idea]:
    """Whether there is text, for texts that are no category."""
    for path in sample.inference.texts[:MOST_TEXTS]:
        feature = Feature(name="present", path=path, kind="present")
        column = fill(sample, feature)
        if SHARES[0] <= column.mean() <= SHARES[1]:
            yield path, "present", {}, shorten(path)


SUGGESTIONS: tuple[Callable[[Sample], Iterator[Idea]], ...] = (
    suggest_of_numbers,
    suggest_of_dates,
    suggest_of_categories,
    suggest_of_texts,
)


def list_dates(inference: Inference) -> list[tuple[str, dict[str, Any]]]:
    """Path and options of every date, whether ages can be measured or not."""
    ages = [
        (feature.path, dict(feature.options))
        for feature in inference.spec.features
        if KINDS[feature.kind].needs_time
    ]
    undated = [
        (dates.path, {"format": dates.form} if dates.form else {}) for dates in inference.undated
    ]
    return [*ages, *undated]


def shorten(path: str) -> str:
    """The last step of a path."""
    return split_path(path)[-1]


def fill(sample: Sample, feature: Feature) -> Any:
    """The column of a feature."""
    return build_matrix(sample.documents, FeatureSpec((feature,)))[:, 0]


def rank_alone(sample: Sample, feature: Feature) -> float:
    """How well a number ranks people by itself, upwards or downwards: 0.5 to 1."""
    column = fill(sample, feature)
    present = ~np.isnan(column)
    if not present.any() or len(np.unique(sample.outcomes)) < 2:
        return 0.5
    filled = np.where(present, column, np.median(column[present]))
    area = float(roc_auc_score(sample.outcomes, filled))
    return max(area, 1 - area)
