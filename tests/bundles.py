"""Small bundles for tests: a logistic model over four columns whose scores plain numpy can say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model.bundle import write_bundle
from model.features import Matrix
from model.manifest import golden_as_data

NAME, VERSION = "tiny", "3"
COLUMNS = ("a", "b", "c", "d")
WEIGHTS = np.array([[0.5], [-0.25], [1.0], [0.125]], dtype=np.float32)
ROWS = np.array([[1, 2, 3, 4], [0, 0, 0, 0], [-1, 0.5, -2, 8]], dtype=np.float32)
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


def make_model(
    *,
    takes_missing: bool = True,
    inputs: str = "input",
    probabilities: str = "probabilities",
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
