"""A LightGBM model (the text of `save_model`) in; an `Original` out. Runs no code of the file."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from model.training.foreign.original import CONVERTER_OPSET, Exact, ModelRefused, Original
from model.training.foreign.thresholds import Rounder
from model.training.measures import Scores

# LightGBM, src/io/tree.cpp: a bit of a node's decision_type
CATEGORICAL = 1
BINARY = ("binary", "multiclass num_class:2", "multiclassova num_class:2")


def read_lightgbm(data: bytes) -> Original:
    """Read the text. Raises ModelRefused for a model that gives no probability of two classes."""
    import lightgbm  # noqa: PLC0415  # an extra of its own

    text = data.decode("utf-8")
    try:
        booster = lightgbm.Booster(model_str=text)
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise ModelRefused("expected a LightGBM model, found text that LightGBM refuses") from error
    objective = find_line(text, "objective")
    if not objective.startswith(BINARY):
        raise ModelRefused(
            "expected a classifier of two classes (objective binary), found the objective "
            f"{objective.partition(' ')[0][:40]!r}"
        )
    if re.search(r"^is_linear=1", text, re.MULTILINE):
        raise ModelRefused("expected trees with a number in each leaf, found linear trees")

    def score(rows: Exact) -> Scores:
        found = np.asarray(booster.predict(rows), dtype=np.float64)
        return found if found.ndim == 1 else found[:, 1]

    names = tuple(booster.feature_name())
    return Original(
        format="lightgbm",
        title="A LightGBM model",
        width=booster.num_feature(),
        names=None if all(map(re.compile(r"Column_\d+").fullmatch, names)) else names,
        score=score,
        convert=lambda exact: convert_lightgbm(text, exact),
        settings={"objective": objective, "trees": booster.num_trees()},
        codes=read_categories(booster.pandas_categorical),
        libraries=("lightgbm", "onnxmltools"),
    )


def find_line(text: str, key: str) -> str:
    """The value of `key=value` in the model's head; empty if there is none."""
    found = re.search(rf"^{key}=(.*)$", text, re.MULTILINE)
    return found.group(1).strip() if found else ""


def read_categories(found: Any) -> tuple[tuple[str, ...], ...] | None:
    """The categories of each pandas column, as texts; None without such columns."""
    if not found:
        return None
    return tuple(
        tuple(value if isinstance(value, str) else json.dumps(value) for value in values)
        for values in found
    )


def convert_lightgbm(text: str, exact: Exact) -> Any:
    """The model as ONNX by onnxmltools, with thresholds that take float32 the same way."""
    import lightgbm  # noqa: PLC0415
    from onnxmltools import convert_lightgbm as convert  # noqa: PLC0415
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415

    booster = lightgbm.Booster(model_str=adapt_text(text, Rounder(exact)))
    return convert(
        booster, initial_types=[("input", FloatTensorType([None, exact.shape[1]]))], zipmap=False,
        target_opset=CONVERTER_OPSET,
    )  # fmt: skip


def adapt_text(text: str, rounder: Rounder) -> str:
    """The same model for float32, in a form that onnxmltools 1.16 converts faithfully."""
    lines = text.split("\n")
    place: dict[str, int] = {}
    for number, line in enumerate(lines):
        key, _, value = line.partition("=")
        if key == "Tree":
            place = {}
        place[key] = number
        if key == "decision_type" and value and {"threshold", "split_feature"} <= place.keys():
            kinds = [int(word) for word in value.split()]
            at = place["threshold"]
            exact = np.array(lines[at].partition("=")[2].split(), dtype=np.float64)
            columns = np.array(lines[place["split_feature"]].partition("=")[2].split(), np.int64)
            numeric = np.array([not kind & CATEGORICAL for kind in kinds])
            rounded = np.where(numeric, rounder.round(columns, exact), exact)
            lines[at] = "threshold=" + " ".join(map(repr, rounded.tolist()))
    # The sizes of the trees' texts have changed; without them LightGBM looks for each tree.
    return "\n".join(line for line in lines if not line.startswith("tree_sizes="))
