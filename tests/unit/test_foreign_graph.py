"""model/training/foreign/graph.py: any graph of two classes becomes the one that a bundle holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model.operators import check_model
from model.runtime import open_session
from model.training.foreign.graph import close_graph, open_graph
from model.training.foreign.original import ModelRefused

COLUMNS = ("a", "b c")
ROWS = np.array([[1, 2], [-3, 0.5], [np.nan, 1], [0, 0]], dtype=np.float32)
WEIGHTS = np.array([[0.5], [-0.25]])


def expected(rows: np.ndarray, fill: float = 0.0) -> np.ndarray:
    score: np.ndarray = 1 / (
        1 + np.exp(-np.nan_to_num(rows.astype(np.float64), nan=fill) @ WEIGHTS)
    )
    return score[:, 0]


def make_graph(
    nodes: Sequence[Any],
    outputs: Sequence[Any],
    *,
    inputs: Sequence[Any] | None = None,
    kind: int = TensorProto.FLOAT,
    opsets: Sequence[tuple[str, int]] = (("", 17), ("ai.onnx.ml", 3), ("com.example", 1)),
) -> Any:
    """A graph that computes the score `p` [n, 1] from `input`, and then `nodes`."""
    dtype = np.float64 if kind == TensorProto.DOUBLE else np.float32
    start = [
        helper.make_node("IsNaN", ["x"], ["gap"]),
        helper.make_node("Where", ["gap", "zero", "x"], ["label"]),  # a name that is ours later
        helper.make_node("MatMul", ["label", "w"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["p"]),
    ]
    constants = [
        numpy_helper.from_array(WEIGHTS.astype(dtype), "w"),
        numpy_helper.from_array(np.array(0, dtype), "zero"),
        numpy_helper.from_array(np.array(1, dtype), "one"),
        numpy_helper.from_array(np.array([-1]), "flat"),
        numpy_helper.from_array(np.array(3, dtype), "unused"),
    ]
    given = inputs or [helper.make_tensor_value_info("x", kind, [None, 2])]
    graph = helper.make_graph([*start, *nodes], "g", given, outputs, constants)
    opset_imports = [helper.make_opsetid(*each) for each in opsets]
    return helper.make_model(graph, opset_imports=opset_imports, ir_version=8, doc_string="a note")


def value(name: str, shape: Sequence[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


PAIR = [
    helper.make_node("Sub", ["one", "p"], ["q"]),
    helper.make_node("Concat", ["q", "p"], ["pair"], axis=1),
]
ZIPPED = helper.make_node(
    "ZipMap", ["pair"], ["maps"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]
)
MAPS = helper.make_value_info(
    "maps",
    helper.make_sequence_type_proto(
        helper.make_map_type_proto(
            TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        )
    ),
)
LABELS = [
    helper.make_node("Greater", ["p", "zero"], ["above"]),
    helper.make_node("Cast", ["above"], ["said"], to=TensorProto.INT64),
]
SAID = value("said", [None, 1], TensorProto.INT64)
FLAT = helper.make_node("Reshape", ["p", "flat"], ["one score"])
DOUBLE = TensorProto.DOUBLE
GRAPHS = {
    "labels and probabilities": (make_graph([*PAIR, *LABELS], [SAID, value("pair", [None, 2])]), 1),
    "a zipmap": (make_graph([*PAIR, *LABELS, ZIPPED], [SAID, MAPS]), 1),
    "a zipmap alone": (make_graph([*PAIR, ZIPPED], [MAPS]), 1),
    "probabilities alone": (make_graph(PAIR, [value("pair", None)]), 1),
    "the other column": (
        make_graph([PAIR[0], helper.make_node("Concat", ["p", "q"], ["pair"], axis=1)],
                   [value("pair", [None, 2])]),
        0,
    ),
    "one score": (make_graph([], [value("p", [None, 1])]), 1),
    "one score, flat": (make_graph([FLAT], [value("one score", [None])]), 1),
    "float64": (make_graph(PAIR, [value("pair", [None, 2], DOUBLE)], kind=DOUBLE), 1),
    "a further output": (make_graph(PAIR, [value("z", [None, 1]), value("pair", [None, 2])]), 1),
    "a width that is not stated": (
        make_graph([], [value("p", [None, 1])], inputs=[value("x", ["people", "columns"])]),
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_has_the_bundles_input_and_outputs_and_the_same_scores(name: str) -> None:
    source, column = GRAPHS[name]
    before = source.SerializeToString()
    data = close_graph(open_graph(source, COLUMNS, ROWS, None), column)
    assert source.SerializeToString() == before
    check_model(data, Path("model.onnx"))
    session = open_session(data)
    assert [(each.name, each.type, each.shape[1:]) for each in session.get_inputs()] == [
        ("input", "tensor(float)", [2])
    ]
    assert [each.name for each in session.get_outputs()] == ["label", "probabilities"]
    label, found = session.run(None, {"input": ROWS})
    assert label.dtype == np.int64
    assert found[:, 1] == pytest.approx(expected(ROWS), abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(ROWS)), abs=1e-6)
    assert (label == (found[:, 1] > 0.5)).all()
    kept = onnx.load_from_string(data)
    assert not kept.doc_string
    assert {each.domain for each in kept.opset_import} <= {"", "ai.onnx.ml"}
    assert "foreign/unused" not in {each.name for each in kept.graph.initializer}


def test_an_input_for_each_column_is_fed_by_its_name() -> None:
    inputs = [value("b_c", [None, 1], DOUBLE), value("a", [None, 1])]
    join = [
        helper.make_node("Cast", ["b_c"], ["b"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["a", "b"], ["x"], axis=1),
    ]
    source = make_graph([], [value("p", [None, 1])], inputs=inputs)
    source.graph.node.insert(0, join[1])
    source.graph.node.insert(0, join[0])
    data = close_graph(open_graph(source, COLUMNS, ROWS, None), 1)
    check_model(data, Path("model.onnx"))
    (found,) = open_session(data).run(["probabilities"], {"input": ROWS})
    assert found[:, 1] == pytest.approx(expected(ROWS), abs=1e-6)


def test_missing_values_are_filled_before_the_model() -> None:
    source = make_graph([], [value("p", [None, 1])])
    data = close_graph(open_graph(source, COLUMNS, ROWS, np.array([4, 5], np.float32)), 1)
    check_model(data, Path("model.onnx"))
    (found,) = open_session(data).run(["probabilities"], {"input": ROWS})
    assert found[2, 1] == pytest.approx(expected(np.array([[4.0, 1.0]]))[0], abs=1e-6)


def with_a_subgraph() -> Any:
    source = make_graph([], [value("p", [None, 1])])
    body = helper.make_graph([], "body", [], [])
    source.graph.node.append(
        helper.make_node("If", ["gap"], ["chosen"], then_branch=body, else_branch=body)
    )
    return source


REFUSED = {
    "a subgraph": (with_a_subgraph(), "a Loop, Scan or If"),
    "texts": (
        make_graph([], [value("p", [None, 1])], inputs=[value("x", [None, 2], TensorProto.STRING)]),
        "found texts",
    ),
    "another width": (
        make_graph([], [value("p", [None, 1])], inputs=[value("x", [None, 3])]),
        "expected a model of 2 columns, as the feature spec has, found 3",
    ),
    "another column": (
        make_graph([], [value("p", [None, 1])], inputs=[value("a", [None, 1]), value("z", [1])]),
        "found 2, none for b c",
    ),
    "labels alone": (make_graph(LABELS, [SAID]), "expected an output of probabilities"),
    "three classes": (
        make_graph([helper.make_node("Concat", ["p", "p", "p"], ["three"], axis=1)],
                   [value("three", [None, 3])]),
        "found 0 such outputs of 1",
    ),
    "two scores": (
        make_graph([], [value("p", [None, 1]), value("z", [None, 1])]), "found 2 such outputs of 2"
    ),
    "a batch of its own": (
        make_graph([], [value("p", [None, 1])], inputs=[value("x", [1, 2])],
                   opsets=[("", 999)]),
        "found one that it refuses",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_graph_that_no_bundle_can_hold_is_refused_in_a_sentence(name: str) -> None:
    source, words = REFUSED[name]
    with pytest.raises(ModelRefused, match=words):
        open_graph(source, COLUMNS, ROWS, None)
