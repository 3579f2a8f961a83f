"""Small bundles for tests, over four columns, whose scores plain numpy can say.

A logistic model of responses, and an uplift model whose effects are from -0.2 to 0.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model.bins import describe_column
from model.bundle import write_bundle
from model.features import Matrix
from model.manifest import golden_as_data
from model.score_kind import RESPONSE, UPLIFT, ScoreKind

NAME, VERSION = "tiny", "3"
COLUMNS = ("a", "b", "c", "d")
WEIGHTS = np.array([[0.5], [-0.25], [1.0], [0.125]], dtype=np.float32)
ROWS = np.array([[1, 2, 3, 4], [0, 0, 0, 0], [-1, 0.5, -2, 8]], dtype=np.float32)
EFFECT = 0.2  # the uplift model's largest
GAPS = np.array([[np.nan, 2, np.nan, 4], [np.nan] * 4], dtype=np.float32)


def expected_scores(matrix: Matrix) -> np.ndarray:
    """What the model of `make_bundle` gives, missing counted as 0."""
    return (
        1
        / (
            1
            + np.exp(
                -np.nan_to_num(matrix, nan=0.0).astype(np.float64) @ WEIGHTS.astype(np.float64)
            )
        )[:, 0]
    )


def expected_effects(matrix: Matrix) -> np.ndarray:
    """What the model of `make_uplift_bundle` gives, missing counted as 0."""
    known = np.nan_to_num(matrix, nan=0.0).astype(np.float64)
    return EFFECT * np.tanh(known @ WEIGHTS.astype(np.float64))[:, 0]


def make_rows(count: int, seed: int = 0) -> Matrix:
    """Rows with missing values among them."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(count, len(COLUMNS))).astype(np.float32)
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    return matrix


def make_bundle(
    directory: Path,
    *,
    takes_missing: bool = True,
    name: str = NAME,
    version: str = VERSION,
    model: bytes | None = None,
) -> Path:
    """Write a bundle and give its directory."""
    rows = np.concatenate([ROWS, GAPS]) if takes_missing else ROWS
    write_bundle(
        directory,
        model if model is not None else make_model(takes_missing=takes_missing),
        {
            "name": name,
            "version": version,
            "columns": list(COLUMNS),
            "spec": {
                "feature": [
                    {"name": column, "path": f"Metrics.{column}", "kind": "number"}
                    for column in COLUMNS
                ]
            },
            "threshold": 0.5,
            "metrics": {"roc_auc": 0.75},
            "golden": golden_as_data(rows, expected_scores(rows)),
            "versions": {},
            "quantiles": [0.0, 0.5, 1.0],
        },
    )
    return directory


def make_uplift_bundle(
    directory: Path,
    *,
    kind: ScoreKind = UPLIFT,
    threshold: float = 0.0,
    model: bytes | None = None,
    **changes: Any,
) -> Path:
    """Write a bundle of uplift scores and give its directory."""
    rows = np.concatenate([ROWS, GAPS])
    everybody = expected_effects(make_rows(2_000))
    write_bundle(
        directory,
        model if model is not None else make_uplift_model(),
        {
            "name": NAME,
            "version": VERSION,
            "columns": list(COLUMNS),
            "spec": {
                "feature": [
                    {"name": column, "path": f"Metrics.{column}", "kind": "number"}
                    for column in COLUMNS
                ]
            },
            "score": kind.to_mapping(),
            "threshold": threshold,
            "metrics": {"qini": 0.05},
            "golden": golden_as_data(rows, expected_effects(rows)),
            "versions": {},
            "quantiles": np.quantile(everybody, np.linspace(0, 1, 101)).round(6).tolist(),
            "drift": {
                "features": {
                    name: describe_column(column)
                    for name, column in zip(COLUMNS, make_rows(2_000).T, strict=True)
                },
                "score": describe_column(everybody.round(6)),
            },
            **changes,
        },
    )
    return directory


def make_uplift_model(*, output: str = UPLIFT.output, more: Sequence[str] = ()) -> bytes:
    """The uplift model as ONNX: input `input` FP32 [-1, 4], one output `effect` FP32 [-1, 1].

    more  further outputs, which a bundle may not have
    """
    nodes = [
        helper.make_node("IsNaN", ["input"], ["gap"]),
        helper.make_node("Where", ["gap", "zero", "input"], ["x"]),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Tanh", ["z"], ["t"]),
        helper.make_node("Mul", ["t", "largest"], [output]),
        *(helper.make_node("Identity", [output], [name]) for name in more),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny-uplift",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, len(COLUMNS)])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1])
            for name in (output, *more)
        ],
        [
            numpy_helper.from_array(WEIGHTS, "w"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(EFFECT, np.float32), "largest"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def make_model(
    *,
    takes_missing: bool = True,
    inputs: str = "input",
    probabilities: str = RESPONSE.output,
    width: int = 4,
) -> bytes:
    """The model as ONNX, with the inputs and outputs of a classifier of skl2onnx (no ZipMap)."""
    constants = [
        numpy_helper.from_array(np.resize(WEIGHTS, (width, 1)), "w"),
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
        numpy_helper.from_array(np.array(0.5, np.float32), "half"),
        numpy_helper.from_array(np.array([-1]), "flat"),
    ]
    fill = [
        helper.make_node("IsNaN", [inputs], ["gap"]),
        helper.make_node("Where", ["gap", "zero", inputs], ["x"]),
    ]
    nodes = [
        *(fill if takes_missing else [helper.make_node("Identity", [inputs], ["x"])]),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["p"]),
        helper.make_node("Sub", ["one", "p"], ["q"]),
        helper.make_node("Concat", ["q", "p"], [probabilities], axis=1),
        helper.make_node("Greater", ["p", "half"], ["above"]),
        helper.make_node("Cast", ["above"], ["column"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["column", "flat"], ["label"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(inputs, TensorProto.FLOAT, [None, width])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info(probabilities, TensorProto.FLOAT, [None, 2]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
