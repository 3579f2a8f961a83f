"""Any ONNX model of two classes in; the graph that a bundle holds out.

That graph has one input `input` FP32 [-1, f], and the outputs `label` INT64 [-1] and
`probabilities` FP32 [-1, 2]. What computes the scores in between is left as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from model.features import Matrix
from model.runtime import INPUT, LABEL, REFUSALS, open_session
from model.score_kind import RESPONSE
from model.training.foreign.original import ModelRefused

PROBABILITIES = RESPONSE.output
ML_OPSET = 3
DEFAULT_OPSET = 17  # of the operators added here, in a model that has only those of ai.onnx.ml
PREFIX = "foreign/"  # of every name of the model's own, so that none is one of ours
NUMBERS = {
    *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.INT32),
    TensorProto.BOOL,
}
SCORES = {TensorProto.FLOAT, TensorProto.DOUBLE}
PROBED = 50  # rows that show the shape of an output


class Probe(NamedTuple):
    """A graph from `input` to the tensor that holds the scores; the tensor's name and width.

    width  2: the probabilities of both classes; 1: one score a row
    """

    model: Any
    output: str
    width: int


def open_graph(source: Any, columns: Sequence[str], rows: Matrix, fills: Matrix | None) -> Probe:
    """Give the model our input, and find its scores by running `rows`.

    `fills` [f]: what missing values become before the model sees them, or None. Raises
    ModelRefused.
    """
    model = copy.deepcopy(source)
    graph = model.graph
    if model.functions or any(
        attribute.type in {onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS}
        for node in graph.node
        for attribute in node.attribute
    ):
        raise ModelRefused(
            "expected a graph of plain operators, found a function or a subgraph (a Loop, Scan or "
            "If), which may run without end"
        )
    constants = {each.name for each in graph.initializer}
    inputs = [copy.deepcopy(each) for each in graph.input if each.name not in constants]
    rename_values(graph)
    del graph.input[:]
    graph.input.append(
        helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, len(columns)])
    )
    nodes, source_name = fill_missing(graph, fills)
    nodes += connect_inputs(graph, inputs, columns, source_name)
    own = [copy.deepcopy(node) for node in graph.node]
    del graph.node[:]
    graph.node.extend([*nodes, *own])
    outputs = cut_outputs(graph)
    del graph.output[:], graph.value_info[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()
    )
    declare_opsets(model)
    return choose_output(model, list(outputs), rows)


def rename_values(graph: Any) -> None:
    """Put PREFIX before the name of every value."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [PREFIX + name if name else "" for name in names]
    for each in (*graph.initializer, *graph.output):
        each.name = PREFIX + each.name


def fill_missing(graph: Any, fills: Matrix | None) -> tuple[list[Any], str]:
    """Nodes that replace missing values, and the name of what the model then reads."""
    if fills is None:
        return [], INPUT
    graph.initializer.append(numpy_helper.from_array(fills.astype(np.float32), "fills"))
    return [
        helper.make_node("IsNaN", [INPUT], ["missing"]),
        helper.make_node("Where", ["missing", "fills", INPUT], ["filled"]),
    ], "filled"


def connect_inputs(
    graph: Any, inputs: Sequence[Any], columns: Sequence[str], source: str
) -> list[Any]:
    """Nodes from `source` to the model's own inputs: one matrix, or one input for each column."""
    kinds = {each.type.tensor_type.elem_type for each in inputs}
    if not inputs or not kinds <= NUMBERS:
        raise ModelRefused(
            "expected inputs of numbers, found "
            + ("texts or another type" if inputs else "none")
            + "; a category becomes a number by the kinds category and code of the feature spec"
        )
    if len(inputs) == 1 and (len(columns) != 1 or count_dims(inputs[0]) != 1):
        width = find_width(inputs[0])
        if width not in {None, len(columns)}:
            raise ModelRefused(
                f"expected a model of {len(columns)} columns, as the feature spec has, found "
                f"{width}"
            )
        return cast(source, PREFIX + inputs[0].name, inputs[0].type.tensor_type.elem_type)
    by_name = {each.name: each for each in inputs}
    found = [by_name.get(column) or by_name.get(simplify_name(column)) for column in columns]
    missing = [column for column, each in zip(columns, found, strict=True) if each is None]
    if missing or len(inputs) != len(columns):
        place = f", none for {missing[0]}" if missing else ""
        raise ModelRefused(
            f"expected one input, or one for each of the {len(columns)} columns of the feature "
            f"spec, found {len(inputs)}{place}"
        )
    nodes = []
    for index, each in enumerate(found):
        if each is None:
            raise ValueError("an input without a column")
        shape = [-1, 1] if count_dims(each) == 2 else [-1]
        place, column, shaped = f"place {index}", f"column {index}", f"shape {index}"
        graph.initializer.append(numpy_helper.from_array(np.array([index]), place))
        graph.initializer.append(numpy_helper.from_array(np.array(shape), shaped))
        nodes += [
            helper.make_node("Gather", [source, place], [column], axis=1),
            helper.make_node("Reshape", [column, shaped], [f"{column} alone"]),
            *cast(f"{column} alone", PREFIX + each.name, each.type.tensor_type.elem_type),
        ]
    return nodes


def simplify_name(column: str) -> str:
    """A column's name as skl2onnx writes an input: other characters become `_`."""
    return "".join(sign if sign.isalnum() else "_" for sign in column)


def count_dims(value: Any) -> int:
    """The number of an input's dimensions."""
    return len(value.type.tensor_type.shape.dim)


def find_width(value: Any) -> int | None:
    """The length of an input's last dimension; None if it is not stated."""
    dims = value.type.tensor_type.shape.dim
    return dims[-1].dim_value or None if len(dims) == 2 else None


def cast(source: str, target: str, kind: int) -> list[Any]:
    """A node from float32 `source` to `target` of a kind."""
    operator = "Identity" if kind == TensorProto.FLOAT else "Cast"
    attributes = {} if kind == TensorProto.FLOAT else {"to": kind}
    return [helper.make_node(operator, [source], [target], **attributes)]


def cut_outputs(graph: Any) -> dict[str, int]:
    """Outputs that may be the scores: name -> kind. A ZipMap is removed, and what it read stays."""
    zipped = {
        name: node.input[0]
        for node in graph.node
        if node.op_type == "ZipMap"
        for name in node.output
    }
    found = {}
    for each in graph.output:
        if each.name in zipped:
            found[zipped[each.name]] = TensorProto.FLOAT
        elif each.type.tensor_type.elem_type in SCORES:
            found[each.name] = each.type.tensor_type.elem_type
    kept = [node for node in graph.node if node.op_type != "ZipMap"]
    del graph.node[:]
    graph.node.extend(kept)
    if not found:
        raise ModelRefused(
            "expected an output of probabilities (floating-point numbers), found none; export the "
            "model with its probabilities"
        )
    return found


def declare_opsets(model: Any) -> None:
    """Name the versions of the domains that are used, and no other."""
    used = {"" if node.domain == "ai.onnx" else node.domain for node in model.graph.node} | {""}
    versions = {
        "" if entry.domain == "ai.onnx" else entry.domain: entry.version
        for entry in model.opset_import
    }
    del model.opset_import[:]
    model.opset_import.extend(
        helper.make_opsetid(domain, versions.get(domain, ML_OPSET if domain else DEFAULT_OPSET))
        for domain in sorted(used)
    )


def choose_output(model: Any, names: list[str], rows: Matrix) -> Probe:
    """The one output that has one or two numbers a row."""
    shapes = {name: values.shape for name, values in run(model, names, rows[:PROBED]).items()}
    count = len(rows[:PROBED])
    fitting = {
        name: shape[1] if len(shape) == 2 else 1
        for name, shape in shapes.items()
        if shape in {(count,), (count, 1), (count, 2)}
    }
    if len(fitting) > 1:
        pairs = {name: width for name, width in fitting.items() if width == 2}
        fitting = pairs or fitting
    if len(fitting) != 1:
        raise ModelRefused(
            "expected one output with the probabilities of two classes, or one score a person, "
            f"found {len(fitting)} such outputs of {len(names)}"
        )
    ((name, width),) = fitting.items()
    return Probe(model, name, width)


def run(model: Any, names: Sequence[str], rows: Matrix) -> Mapping[str, npt.NDArray[Any]]:
    """Outputs by name. Raises ModelRefused if ONNX Runtime refuses the model or the rows."""
    try:
        session = open_session(model.SerializeToString())
        return dict(zip(names, session.run(list(names), {INPUT: rows}), strict=True))
    except REFUSALS as error:
        raise ModelRefused(
            "expected a model that ONNX Runtime can run on the columns of the feature spec, found "
            f"one that it refuses ({type(error).__name__})"
        ) from error


def close_graph(probe: Probe, column: int) -> bytes:
    """The finished model: the score is the probability in `column`, or the only one."""
    model = copy.deepcopy(probe.model)
    graph = model.graph
    ours = [helper.make_node("Cast", [probe.output], ["scores"], to=TensorProto.FLOAT)]
    if probe.width == 2:
        graph.initializer.append(numpy_helper.from_array(np.array([1 - column, column]), "order"))
        ours.append(helper.make_node("Gather", ["scores", "order"], [PROBABILITIES], axis=1))
    else:
        graph.initializer.append(numpy_helper.from_array(np.array([-1, 1]), "tall"))
        graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "whole"))
        ours += [
            helper.make_node("Reshape", ["scores", "tall"], ["score"]),
            helper.make_node("Sub", ["whole", "score"], ["rest"]),
            helper.make_node("Concat", ["rest", "score"], [PROBABILITIES], axis=1),
        ]
    ours.append(helper.make_node("ArgMax", [PROBABILITIES], [LABEL], axis=1, keepdims=0))
    graph.node.extend(ours)
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info(LABEL, TensorProto.INT64, [None]),
            helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, [None, 2]),
        ]
    )
    prune(graph)
    declare_opsets(model)
    graph.name, model.producer_name = "segment-scorer", "segment-scorer"
    for text in ("doc_string", "domain", "producer_version"):
        model.ClearField(text)
    model.ClearField("model_version")
    graph.ClearField("doc_string")
    del model.metadata_props[:], graph.metadata_props[:]
    onnx_bytes: bytes = model.SerializeToString(deterministic=True)
    return onnx_bytes


def prune(graph: Any) -> None:
    """Remove nodes and constants that no output needs, and the nodes' names and notes."""
    needed = {each.name for each in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            for text in ("name", "doc_string"):
                node.ClearField(text)
            del node.metadata_props[:]
            kept.append(node)
    constants = [each for each in graph.initializer if each.name in needed]
    kept = [copy.deepcopy(node) for node in reversed(kept)]
    constants = [copy.deepcopy(each) for each in constants]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(constants)
