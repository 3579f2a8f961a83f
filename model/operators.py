"""The ONNX operators that a bundle's model may use, and the check of a model before it is loaded.

Takes a model's bytes; raises BundleError for a model that could run without end, read other files
or take absurd memory. Computes nothing. To allow an operator, add it to OPERATORS with the rule for
the size of its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from model.errors import BundleError
from model.onnx_file import Graph, Node, OnnxError, Tensor, read_graph
from model.sizes import (
    Rule,
    SizedNode,
    Value,
    as_second,
    broadcast,
    classified,
    constant,
    filled,
    flattened,
    gathered,
    joined,
    measured,
    multiplied,
    one_hot,
    picked_columns,
    reduced,
    regressed,
    reshaped,
    same,
    shaped,
    squeezed,
    transposed,
    unsqueezed,
)
from model.wire import WireError

ROWS = 256  # people in a batch for which the sizes are worked out
MAX_ELEMENTS = 2**25  # of all values of a model together; the shipped model has 3,328
MAX_PRODUCTS = 2**31  # multiplications of all matrix products together
LONGEST_NAME = 64


def rows_of(domain: str, rule: Rule, names: str) -> dict[tuple[str, str], Rule]:
    """Rows of the table: operators of a domain with the same rule."""
    return {(domain, name): rule for name in names.split()}


ML = "ai.onnx.ml"
DOMAINS = {"": "", "ai.onnx": "", ML: ML}
# (domain, operator) -> how large its outputs are. Neither Loop, Scan and If, which may run without
# end, nor operators that make an output as large as a value that is only known when they run.
OPERATORS: Mapping[tuple[str, str], Rule] = {
    **rows_of(
        "",
        same,
        "Abs BatchNormalization Cast CastLike Ceil Celu Clip Cos CumSum Dropout Elu Erf Exp Floor"
        " HardSigmoid HardSwish Identity IsInf IsNaN LayerNormalization LeakyRelu Log LogSoftmax"
        " LpNormalization Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Slice Softmax"
        " Softplus Softsign Split Sqrt Tanh ThresholdedRelu TopK",
    ),
    **rows_of(
        "",
        broadcast,
        "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or"
        " Pow PRelu Sub Sum Where Xor",
    ),
    **rows_of(
        "",
        reduced,
        "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean"
        " ReduceMin ReduceProd ReduceSum ReduceSumSquare",
    ),
    ("", "Concat"): joined,
    ("", "Constant"): constant,
    ("", "ConstantOfShape"): filled,
    ("", "Expand"): filled,
    ("", "Flatten"): flattened,
    ("", "Gather"): gathered,
    ("", "GatherElements"): as_second,
    ("", "Gemm"): multiplied,
    ("", "MatMul"): multiplied,
    ("", "Reshape"): reshaped,
    ("", "Shape"): measured,
    ("", "Squeeze"): squeezed,
    ("", "Transpose"): transposed,
    ("", "Unsqueeze"): unsqueezed,
    **rows_of(ML, same, "Binarizer Imputer LabelEncoder Normalizer Scaler"),
    **rows_of(ML, classified, "LinearClassifier SVMClassifier TreeEnsembleClassifier"),
    **rows_of(ML, regressed, "LinearRegressor SVMRegressor TreeEnsemble TreeEnsembleRegressor"),
    (ML, "ArrayFeatureExtractor"): picked_columns,
    (ML, "FeatureVectorizer"): joined,
    (ML, "OneHotEncoder"): one_hot,
}


def check_model(data: bytes, path: Path) -> None:
    """Check a model before it is loaded. Raises BundleError that names `path`."""
    try:
        check_graph(read_graph(data))
    except WireError as error:
        raise BundleError(
            f"{path}: expected an ONNX model, found damaged bytes: {error}"
        ) from error
    except OnnxError as error:
        raise BundleError(f"{path}: {error}") from error


def check_graph(graph: Graph) -> None:
    """Check operators and sizes. Raises OnnxError."""
    if not graph.nodes:
        raise OnnxError("expected an ONNX model, found no node")
    if not graph.domains <= DOMAINS.keys():
        raise OnnxError("expected operators of ai.onnx and ai.onnx.ml alone, found another domain")
    values = {
        name: shaped(tuple(ROWS if length is None else length for length in dims))
        for name, dims in graph.inputs.items()
    }
    # Older models name their constants among the inputs too.
    values |= {name: shaped(tensor.dims) for name, tensor in graph.constants.items()}
    constants = dict(graph.constants)
    total, products = sum(value.amount for value in values.values()), 0
    check_amounts(total, products)
    for node in graph.nodes:
        outputs = follow(node, values, constants)
        for name, value in zip(node.outputs, outputs, strict=True):
            if name in values:
                raise OnnxError("expected a name for each value, found one for two")
            if name:
                values[name] = value
                total += value.amount
        if node.operator in {"Gemm", "MatMul"}:
            inner = max(values[node.inputs[0]].dims or (values[node.inputs[0]].amount,), default=1)
            products += inner * outputs[0].amount
        check_amounts(total, products)


def check_amounts(total: int, products: int) -> None:
    """Raise OnnxError for a model that would take absurd memory or time."""
    if total > MAX_ELEMENTS or products > MAX_PRODUCTS:
        raise OnnxError(
            f"expected at most {MAX_ELEMENTS:,} numbers and {MAX_PRODUCTS:,} multiplications "
            f"for {ROWS} people, found a model that takes more"
        )


def follow(
    node: Node, values: Mapping[str, Value], constants: dict[str, Tensor]
) -> tuple[Value, ...]:
    """The sizes of a node's outputs. Adds known numbers to the constants. Raises OnnxError."""
    rule = OPERATORS.get((DOMAINS.get(node.domain, node.domain), node.operator))
    if rule is None:
        is_name = node.operator.isidentifier() and node.operator.isascii()
        name = node.operator if is_name and len(node.operator) <= LONGEST_NAME else "another"
        raise OnnxError(f"expected operators that a bundle may use, found {name}")
    if not set(node.inputs) <= values.keys() | {""}:
        raise OnnxError("expected every node after those that it needs, found another order")
    sized = SizedNode(
        node,
        [values[name] if name else None for name in node.inputs],
        [constants[name].integers if name in constants else None for name in node.inputs],
    )
    tensor = sized.find("value").tensor
    if node.operator == "Constant" and tensor:
        constants.update(dict.fromkeys(node.outputs, tensor))
    if node.operator == "Shape" and not node.attributes and sized.first.dims is not None:
        lengths = Tensor((len(sized.first.dims),), sized.first.dims)
        constants.update(dict.fromkeys(node.outputs, lengths))
    found = rule(sized)
    outputs = (found,) * len(node.outputs) if isinstance(found, Value) else found
    if len(outputs) < len(node.outputs):
        raise OnnxError("expected as many outputs as an operator has, found more")
    return outputs[: len(node.outputs)]
