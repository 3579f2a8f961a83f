"""An effect model in, ONNX bytes with the one output `effect` out."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType

from model.errors import BundleError
from model.features import Matrix
from model.runtime import INPUT
from model.score_kind import UPLIFT
from model.training.export import OPSETS, round_thresholds, score_onnx
from model.training.uplift.learners import HIGH, LOW, EffectModel

PARITY_TOLERANCE = 1e-6


def convert_effect(model: EffectModel, width: int) -> bytes:
    """Convert to ONNX, the same bytes every time.

    Input `input` FP32 [-1, width]; output `effect` FP32 [-1, 1].
    """
    graphs = [convert_part(part, width, f"part{at}_") for at, part in enumerate(model.parts)]
    nodes = [node for graph, _ in graphs for node in graph.node]
    held = [initializer for graph, _ in graphs for initializer in graph.initializer]
    said = [value for _, value in graphs]
    constants: dict[str, Any] = {
        "slope": np.float32(model.slope),
        "offset": np.float32(model.offset),
        "lowest": np.float32(LOW),
        "highest": np.float32(HIGH),
    }
    if len(said) > 1:
        constants["second"] = np.array([1], dtype=np.int64)
        nodes += [
            helper.make_node("Gather", [value, "second"], [f"{value}_one"], axis=1)
            for value in said
        ]
        nodes.append(helper.make_node("Sub", [f"{value}_one" for value in said], ["said"]))
    else:
        nodes.append(helper.make_node("Identity", said, ["said"]))
    nodes += [
        helper.make_node("Mul", ["said", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["moved"]),
        helper.make_node("Clip", ["moved", "lowest", "highest"], [UPLIFT.output]),
    ]
    held += [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "segment-scorer",
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(UPLIFT.output, onnx.TensorProto.FLOAT, [None, 1])],
        [initializer for initializer in held if initializer.name in used],
    )
    proto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, number) for domain, number in OPSETS.items()],
        ir_version=8,
    )
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def convert_part(part: Any, width: int, prefix: str) -> tuple[Any, str]:
    """A regressor or a classifier as a graph, and the name of the value that it computes.

    Every name but the input's begins with `prefix`, so that two graphs can be joined.
    """
    part = copy.deepcopy(part)
    round_thresholds(part)
    classifier = hasattr(part, "predict_proba")
    with warnings.catch_warnings():
        # skl2onnx writes booleans into an integer field. protobuf before 7 only warns.
        warnings.filterwarnings("ignore", "Field onnx.AttributeProto.ints", DeprecationWarning)
        proto = convert_sklearn(
            part,
            name="part",
            initial_types=[(INPUT, FloatTensorType([None, width]))],
            target_opset=OPSETS,
            options={id(part): {"zipmap": False}} if classifier else None,
        )
    output = proto.graph.output[-1].name
    named = compose.add_prefix(proto, prefix, rename_inputs=False).graph
    return drop_unused(named, f"{prefix}{output}"), f"{prefix}{output}"


def drop_unused(graph: Any, output: str) -> Any:
    """Remove the nodes that nothing needs, such as those of a classifier's label."""
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    return graph


def check_parity(model: EffectModel, onnx_bytes: bytes, rows: Matrix) -> float:
    """The largest difference between ONNX Runtime and scikit-learn over `rows`.

    Raises BundleError above 1e-6.
    """
    difference = float(np.abs(score_onnx(onnx_bytes, rows, UPLIFT) - model.predict(rows)).max())
    if not difference <= PARITY_TOLERANCE:
        raise BundleError(
            "expected the exported model to score as the trained one within "
            f"{PARITY_TOLERANCE:g}, found a difference of {difference:.2g}; nothing was written"
        )
    return difference
