"""Whether a foreign model's columns are those of a feature spec; errors name the column."""

from __future__ import annotations

import re
from pathlib import Path

from model.errors import SpecError
from model.features import FeatureSpec, load_spec
from model.kinds import KINDS
from model.training.foreign.agreement import CODE
from model.training.foreign.original import ModelRefused, Original

LONGEST_NAME = 60


def read_whole_spec(path: Path, *, dated: bool) -> FeatureSpec:
    """The spec, whose every column the model needs. Raises SpecError if one cannot be built."""
    spec = load_spec(path)
    problems = [
        f"{feature.name}: an age needs --as-of TIME or dated outcomes"
        for feature in spec.features
        if KINDS[feature.kind].needs_time and not dated
    ]
    problems += [
        f"{feature.name}: expected its values, as the model was trained with them"
        for feature in spec.features
        if KINDS[feature.kind].learner(feature) is not None
    ]
    if problems:
        raise SpecError(f"{path}: {'; '.join(problems)}")
    return spec


def check_columns(original: Original, spec: FeatureSpec) -> None:
    """Raise ModelRefused unless the model takes the spec's columns in their order."""
    columns = spec.columns
    if original.width is not None and original.width != len(columns):
        raise ModelRefused(
            f"expected a model of {len(columns)} columns, as the feature spec has, found "
            f"{original.width}; a category has a column for each of its values and one for others"
        )
    for number, (column, name) in enumerate(
        zip(columns, original.names or columns, strict=True), start=1
    ):
        if simplify(column) != simplify(name):
            raise ModelRefused(
                f"expected column {number} to be {column}, as in the feature spec, found "
                f"{name[:LONGEST_NAME]!r}; list the features in the model's order"
            )
    check_codes(original, spec)


def check_codes(original: Original, spec: FeatureSpec) -> None:
    """Raise ModelRefused unless each vocabulary in the model is that of a feature's codes."""
    if original.codes is None:
        return
    features = [feature for feature in spec.features if feature.kind == CODE]
    if len(features) != len(original.codes):
        raise ModelRefused(
            f"expected a feature of kind code for each of the model's {len(original.codes)} "
            f"categorical columns, found {len(features)}"
        )
    for feature, values in zip(features, original.codes, strict=True):
        if tuple(feature.options["values"]) != values:
            raise ModelRefused(
                f"{feature.name}: expected its values to be the categories that the model was "
                f"trained with, in their order, found others"
            )


def simplify(name: str) -> str:
    """A name without the difference that LightGBM makes: it writes spaces as `_`."""
    return re.sub(r"\s", "_", name)
