"""model/operators.py, sizes.py, onnx_file.py and wire.py: which models a bundle may hold.

Each rule of the table is compared with what ONNX Runtime computes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model.bundle import SHIPPED
from model.errors import BundleError
from model.onnx_file import Attribute, Node, OnnxError, Tensor, read_graph
from model.operators import ML, OPERATORS, ROWS, check_model, follow
from model.runtime import open_session
from model.sizes import Value, shaped
from model.wire import Field, WireError, read_fields
from tests.bundles import make_model

WIDTH = 4
PATH = Path("model.onnx")
OPSETS = {"": 17, ML: 3}


class Case(NamedTuple):
    """A node to try. `input` is float [n, 4]; other inputs are constants; "" is an omitted one."""

    inputs: Sequence[Any]
    attributes: dict[str, Any] = {}  # noqa: RUF012
    outputs: int = 1
    opsets: dict[str, int] = OPSETS


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


X = "input"
ROW = np.ones((1, WIDTH), np.float32)
COLUMN = np.ones((ROWS, 1), np.float32)
SCALAR = np.array(2, np.float32)
FLAGS = np.array([[True, False, True, False]])
UNARY = (
    "Abs Ceil Celu Cos Dropout Elu Erf Exp Floor HardSigmoid HardSwish Identity IsInf IsNaN"
    " LeakyRelu Log LogSoftmax LpNormalization Neg Reciprocal Relu Round Selu Sigmoid Sign Sin"
    " Softmax Softplus Softsign Sqrt Tanh ThresholdedRelu"
)
BINARY = "Add Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mul Pow PRelu Sub Sum"
LINEAR = {
    "classlabels_ints": [0, 1, 2],
    "coefficients": [0.5] * 12,
    "intercepts": [0.0] * 3,
}
PAIR = {"classlabels_ints": [0, 1], "vectors_per_class": [1, 1]}
TREE = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}
CLASSES = {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 2]}
TARGETS = {"target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 1]}
CLASSIFIER = {**TREE, **CLASSES, "class_weights": [0.1, 0.9], "classlabels_int64s": [0, 1, 2]}
REGRESSOR = {**TREE, **TARGETS, "target_weights": [1.0, 2.0], "n_targets": 2}
SVM = {
    "coefficients": [0.5, -0.5],
    "support_vectors": [1.0] * 8,
    "kernel_type": "RBF",
    "kernel_params": [0.5, 0.0, 3.0],
    "rho": [0.1],
}
REDUCE = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"]
CASES: list[tuple[str, str, Case]] = [
    *(("", name, Case([X])) for name in UNARY.split()),
    *(("", name, Case([X, ROW])) for name in BINARY.split()),
    ("", "Add", Case([ROW, COLUMN])),
    ("", "Add", Case([np.ones((3, 1, WIDTH), np.float32), X])),
    ("", "Sum", Case([SCALAR, ROW, X])),
    *(("", name, Case([FLAGS, FLAGS.T])) for name in ("And", "Or", "Xor")),
    ("", "Not", Case([FLAGS])),
    ("", "Mod", Case([integers(5, 6), integers(4)])),
    ("", "Where", Case([FLAGS, X, SCALAR])),
    ("", "BatchNormalization", Case([X, *[np.ones(WIDTH, np.float32)] * 4])),
    ("", "LayerNormalization", Case([X, np.ones(WIDTH, np.float32)])),
    ("", "Cast", Case([X], {"to": TensorProto.DOUBLE})),
    ("", "CastLike", Case([X, integers(1)])),
    ("", "Clip", Case([X, SCALAR, SCALAR])),
    ("", "CumSum", Case([X, integers(1)])),
    ("", "Slice", Case([X, integers(1), integers(3), integers(1)])),
    ("", "Split", Case([X, integers(1, 3)], {"axis": 1}, 2)),
    ("", "TopK", Case([X, integers(2)], {"axis": 1}, 2)),
    *(("", name, Case([X], {"axis": 1})) for name in ("ArgMax", "ArgMin")),
    ("", "ArgMax", Case([X], {"axis": -1, "keepdims": 0})),
    *(("", f"Reduce{name}", Case([X], {"axes": [1]})) for name in REDUCE),
    ("", "ReduceMax", Case([X], {"axes": [-2], "keepdims": 0})),
    ("", "ReduceMean", Case([X], {"keepdims": 0})),
    ("", "ReduceSum", Case([X, integers(0)])),
    ("", "ReduceSum", Case([X])),
    ("", "Concat", Case([X, X, COLUMN], {"axis": 1})),
    ("", "Concat", Case([X, ROW], {"axis": -2})),
    ("", "Constant", Case([], {"value": numpy_helper.from_array(ROW)})),
    ("", "Constant", Case([], {"value_ints": [1, 2, 3]})),
    ("", "Constant", Case([], {"value_float": 1.0})),
    ("", "ConstantOfShape", Case([integers(2, 3)])),
    ("", "Expand", Case([X, integers(3, 1, 1)])),
    *(("", "Flatten", Case([X], {"axis": axis})) for axis in (0, 1, 2, -1)),
    ("", "Gather", Case([X, integers(0, 2, 1)], {"axis": 1})),
    ("", "Gather", Case([X, np.zeros((2, 3), np.int64)])),
    ("", "GatherElements", Case([X, np.zeros((5, WIDTH), np.int64)])),
    ("", "Gemm", Case([X, np.ones((3, WIDTH), np.float32)], {"transB": 1})),
    ("", "Gemm", Case([X, COLUMN], {"transA": 1})),
    ("", "MatMul", Case([X, np.ones((WIDTH, 3), np.float32)])),
    ("", "MatMul", Case([X, np.ones(WIDTH, np.float32)])),
    ("", "MatMul", Case([np.ones((2, 1, 3, ROWS), np.float32), X])),
    ("", "Reshape", Case([X, integers(-1, 2)])),
    ("", "Reshape", Case([X, integers(0, -1)])),
    ("", "Shape", Case([X])),
    ("", "Squeeze", Case([COLUMN, integers(1)])),
    ("", "Squeeze", Case([COLUMN])),
    ("", "Transpose", Case([X])),
    ("", "Transpose", Case([np.ones((2, 3, 5), np.float32)], {"perm": [1, 2, 0]})),
    ("", "Unsqueeze", Case([X, integers(0, -1)])),
    (ML, "Binarizer", Case([X], {"threshold": 0.5})),
    (ML, "Imputer", Case([X], {"imputed_value_floats": [0.0] * WIDTH})),
    (
        ML,
        "LabelEncoder",
        Case([integers(1, 2)], {"keys_int64s": [1, 2], "values_floats": [0.5, 1.5]}),
    ),
    (ML, "Normalizer", Case([X], {"norm": "L2"})),
    (ML, "Scaler", Case([X], {"offset": [0.0] * WIDTH, "scale": [1.0] * WIDTH})),
    (ML, "ArrayFeatureExtractor", Case([X, integers(2, 0, 1)])),
    (ML, "ArrayFeatureExtractor", Case([np.ones(5, np.float32), integers(2)])),
    (ML, "FeatureVectorizer", Case([X, COLUMN], {"inputdimensions": [4, 1]})),
    (ML, "OneHotEncoder", Case([integers(1, 2, 1)], {"cats_int64s": [1, 2, 3]})),
    (ML, "LinearClassifier", Case([X], LINEAR, 2)),
    (ML, "LinearRegressor", Case([X], {"coefficients": [0.5] * 12, "targets": 3})),
    (ML, "SVMClassifier", Case([X], {**SVM, **PAIR}, 2)),
    (ML, "SVMRegressor", Case([X], {**SVM, "n_supports": 2})),
    (ML, "TreeEnsembleClassifier", Case([X], CLASSIFIER, 2)),
    (ML, "TreeEnsembleRegressor", Case([X], REGRESSOR)),
]
# The other operators of the table, whose rule is that of a sibling: ai.onnx.ml 5 has this one.
UNTRIED = {(ML, "TreeEnsemble")}


def make(
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto] = (),
    outputs: Sequence[str] = (),
    opsets: dict[str, int] = OPSETS,
    width: int = WIDTH,
) -> onnx.ModelProto:
    names = outputs or nodes[-1].output
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, width])],
        [helper.make_empty_tensor_value_info(name) for name in names],
        constants,
    )
    ids = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(graph, opset_imports=ids, ir_version=8)


def make_case(domain: str, operator: str, case: Case) -> onnx.ModelProto:
    names = [
        value if isinstance(value, str) else f"c{place}" for place, value in enumerate(case.inputs)
    ]
    constants = [
        numpy_helper.from_array(value, f"c{place}")
        for place, value in enumerate(case.inputs)
        if not isinstance(value, str)
    ]
    outputs = [f"y{place}" for place in range(case.outputs)]
    node = helper.make_node(operator, names, outputs, domain=domain, **case.attributes)
    return make([node], constants, opsets=case.opsets)


def test_every_operator_of_the_table_is_tried() -> None:
    assert {(domain, name) for domain, name, _ in CASES} | UNTRIED == set(OPERATORS)


@pytest.mark.parametrize(("domain", "operator", "case"), CASES)
def test_an_outputs_size_is_at_least_what_onnx_runtime_computes(
    domain: str, operator: str, case: Case
) -> None:
    data = make_case(domain, operator, case).SerializeToString()
    check_model(data, PATH)
    found = open_session(data).run(None, {"input": np.ones((ROWS, WIDTH), np.float32)})
    graph = read_graph(data)
    values: dict[str, Value] = {name: shaped(t.dims) for name, t in graph.constants.items()}
    values["input"] = shaped((ROWS, WIDTH))
    sizes = follow(graph.nodes[0], values, dict(graph.constants))
    assert len(sizes) == len(found)
    for size, value in zip(sizes, found, strict=True):
        assert size.amount >= value.size
        if size.dims is not None:
            assert len(size.dims) == value.ndim
            assert all(most >= real for most, real in zip(size.dims, value.shape, strict=True))


def test_the_shipped_model_and_the_tests_models_are_accepted() -> None:
    check_model((SHIPPED / "model.onnx").read_bytes(), PATH)
    for takes_missing in (True, False):
        check_model(make_model(takes_missing=takes_missing), PATH)


def refuse(model: onnx.ModelProto | bytes, words: str) -> None:
    data = model if isinstance(model, bytes) else model.SerializeToString()
    with pytest.raises(BundleError, match=words) as caught:
        check_model(data, PATH)
    assert str(caught.value).startswith("model.onnx: expected ")
    assert "\n" not in str(caught.value)


IDENTITY = helper.make_node("Identity", ["input"], ["y"])


def make_subgraph() -> onnx.GraphProto:
    body = [helper.make_node("Identity", ["going"], ["still"])]
    flag = helper.make_tensor_value_info
    return helper.make_graph(
        body,
        "body",
        [flag("i", TensorProto.INT64, []), flag("going", TensorProto.BOOL, [])],
        [flag("still", TensorProto.BOOL, [])],
    )


@pytest.mark.parametrize("operator", ["Loop", "Scan", "If"])
def test_control_flow_is_refused(operator: str) -> None:
    node = helper.make_node(operator, ["input"], ["y"], body=make_subgraph())
    refuse(make([node]), "found a subgraph")
    # The subgraph may be missing where a hostile file leaves it out.
    refuse(make([helper.make_node(operator, ["input"], ["y"])]), f"found {operator}")


@pytest.mark.parametrize(
    "operator",
    ["Range", "Tile", "EyeLike", "NonZero", "Pad", "Resize", "RandomNormal", "Einsum", "Bernoulli"],
)
def test_an_operator_outside_the_table_is_refused_by_its_name(operator: str) -> None:
    refuse(make([helper.make_node(operator, ["input"], ["y"])]), f"found {operator}")


@pytest.mark.parametrize("name", ["evil\n", "x" * 65, "", "naïve", "a b"])
def test_a_name_that_is_no_name_is_not_repeated(name: str) -> None:
    refuse(make([helper.make_node(name, ["input"], ["y"])]), "found another")


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.training", "local"])
def test_other_domains_are_refused(domain: str) -> None:
    model = make([helper.make_node("Gelu", ["input"], ["y"], domain=domain)])
    refuse(model, "found Gelu")
    model.opset_import.add(domain=domain, version=1)
    refuse(model, "expected operators of ai.onnx and ai.onnx.ml alone, found another domain")


def test_local_functions_are_refused() -> None:
    model = make([IDENTITY])
    model.functions.add(name="Identity", domain="")
    refuse(model, "found local functions")


def test_external_data_is_refused_in_initializers_and_attributes() -> None:
    for mark in ("data_location", "external_data"):
        tensor = numpy_helper.from_array(ROW, "c")
        if mark == "data_location":
            tensor.data_location = TensorProto.EXTERNAL
        else:
            tensor.external_data.add(key="location", value="/etc/passwd")
        refuse(make([IDENTITY], [tensor]), "found external data")
        refuse(make([helper.make_node("Constant", [], ["y"], value=tensor)]), "found external data")


def test_sparse_tensors_and_training_information_are_refused() -> None:
    model = make([IDENTITY])
    model.graph.sparse_initializer.add()
    refuse(model, "found sparse tensors")
    model = make([IDENTITY])
    model.training_info.add()
    refuse(model, "found training information")


def big(*dims: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ones(dims, np.float32), "x".join(map(str, dims)))


def filled_at(*dims: int) -> Sequence[onnx.NodeProto]:
    shape = numpy_helper.from_array(integers(*dims))
    return [
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("ConstantOfShape", ["shape"], ["y"]),
    ]


HUGE = 200_000
ABSURD: dict[str, Callable[[], onnx.ModelProto]] = {
    "a filled shape": lambda: make(filled_at(HUGE, HUGE)),
    "two constants repeated against each other": lambda: make(
        [helper.make_node("Add", ["200000x1", "1x200000"], ["y"])], [big(HUGE, 1), big(1, HUGE)]
    ),
    "people against people": lambda: make(
        [
            helper.make_node("ReduceSum", ["input"], ["s"], keepdims=0, axes=[1]),
            helper.make_node("Transpose", ["input"], ["t"]),
            helper.make_node("Constant", [], ["axis"], value=numpy_helper.from_array(integers(2))),
            helper.make_node("Unsqueeze", ["t", "axis"], ["u"]),
            helper.make_node("Add", ["u", "s"], ["v"]),
            helper.make_node("Constant", [], ["four"], value=numpy_helper.from_array(integers(3))),
            helper.make_node("Unsqueeze", ["v", "four"], ["w"]),
            helper.make_node("Add", ["w", "s"], ["y"]),
        ],
        opsets={"": 12},
    ),
    "products without end": lambda: make(
        [
            helper.make_node("Add", ["2000x1", "1x2000"], ["m0"]),
            *(helper.make_node("MatMul", ["m0", "m0"], [f"m{i}"]) for i in range(1, 7)),
        ],
        [big(2000, 1), big(1, 2000)],
    ),
    "targets": lambda: make_case(
        ML, "TreeEnsembleRegressor", Case([X], {**REGRESSOR, "n_targets": 10**12})
    ),
    "an input": lambda: make([IDENTITY], width=10**9),
    "doubling": lambda: make(
        [
            helper.make_node("Concat", [f"x{i}" if i else "input"] * 2, [f"x{i + 1}"], axis=1)
            for i in range(40)
        ]
    ),
    "categories of categories": lambda: make(
        [
            helper.make_node("Cast", ["input"], ["x0"], to=TensorProto.INT64),
            *(
                helper.make_node(
                    "OneHotEncoder", [f"x{i}"], [f"x{i + 1}"], domain=ML, cats_int64s=[*range(200)]
                )
                for i in range(4)
            ),
        ]
    ),
}


@pytest.mark.parametrize("kind", ABSURD)
def test_tensors_of_absurd_size_are_refused_before_anything_is_computed(kind: str) -> None:
    refuse(ABSURD[kind](), "found a model that takes more")


def test_a_tensor_whose_shape_is_larger_than_its_data_is_refused() -> None:
    tensor = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[HUGE, HUGE])
    refuse(make([IDENTITY], [tensor]), "expected the data of every tensor")
    tensor.dims[:] = [-1, -HUGE]
    refuse(make([IDENTITY], [tensor]), "expected the data of every tensor")


def test_a_shape_that_only_running_tells_is_refused() -> None:
    nodes = [
        helper.make_node("Cast", ["input"], ["shape"], to=TensorProto.INT64),
        helper.make_node("ConstantOfShape", ["shape"], ["y"]),
    ]
    refuse(make(nodes), "expected ConstantOfShape of a constant shape")


def test_a_graph_that_runs_otherwise_than_it_reads_is_refused() -> None:
    late = [
        helper.make_node("Identity", ["y"], ["z"]),
        IDENTITY,
    ]
    refuse(make(late), "found another order")
    refuse(make([IDENTITY, IDENTITY]), "expected a name for each value")
    refuse(make([IDENTITY], [big(1, 2), big(1, 2)]), "expected a name for each constant")
    refuse(make([IDENTITY] * 10_001), "at most 10,000 nodes")


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        # ONNX Runtime skips a field of another kind, so the operator would still be Loop.
        (b"\x21Identity", "found the unknown field 4"),
        (b"\x22\x08Identity", "expected field 4 once"),
    ],
)
def test_a_second_operator_does_not_hide_the_first(hidden: bytes, words: str) -> None:
    node = helper.make_node("Loop", ["input"], ["y"]).SerializeToString() + hidden
    model = make([IDENTITY]).SerializeToString()
    plain = IDENTITY.SerializeToString()
    graph = make([IDENTITY]).graph.SerializeToString()
    other = graph.replace(
        b"\x0a" + bytes([len(plain)]) + plain, b"\x0a" + bytes([len(node)]) + node
    )
    assert other != graph
    size = len(graph).to_bytes(1, "big")
    refuse(model.replace(b"\x3a" + size + graph, b"\x3a" + bytes([len(other)]) + other), words)


@pytest.mark.parametrize(
    "data",
    [b"no model", b"", b"\x3a", b"\x3a\x05abc", b"\xff" * 20, b"\x0b\x0c", b"\x3a\xff\xff\xff\xff"],
)
def test_damaged_bytes_are_refused_in_one_sentence(data: bytes) -> None:
    refuse(data, "expected an ONNX model, found|alone, found|the whole content|found damaged")


def test_any_change_of_a_byte_raises_a_bundle_error_or_nothing() -> None:
    data = make_model()
    random = np.random.default_rng(0)
    for _ in range(2_000):
        changed = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 4)):
            changed[place] = random.integers(0, 256)
        with contextlib.suppress(BundleError):
            check_model(bytes(changed[: random.integers(1, len(data) + 1)]), PATH)


@pytest.mark.parametrize(("domain", "operator"), OPERATORS)
def test_a_rule_takes_any_inputs_and_attributes(domain: str, operator: str) -> None:
    random = np.random.default_rng(0)
    values = {
        "scalar": shaped(()),
        "empty": shaped((0, 3)),
        "vector": shaped((3,)),
        "matrix": shaped((3, 4)),
        "cube": shaped((2, 3, 4)),
        "unknown": Value(None, 5),
    }
    numbers = [-(2**63), -7, -1, 0, 1, 2, 7, 2**63 - 1]
    names = ("axis", "axes", "perm", "keepdims", "transA", "n_targets", "cats_int64s", "value")
    for _ in range(300):
        node = Node()
        node.domain, node.operator = domain, operator
        node.inputs = random.choice([*values, ""], random.integers(0, 4)).tolist()
        node.outputs = [f"y{place}" for place in range(random.integers(0, 3))]
        node.attributes = {
            name: Attribute(
                int(random.choice(numbers)),
                tuple(map(int, random.choice(numbers, random.integers(0, 4)))),
                int(random.integers(0, 4)),
                Tensor((2, 2)) if name == "value" else None,
            )
            for name in random.choice(names, random.integers(0, 4))
        }
        known = tuple(map(int, random.choice(numbers, random.integers(0, 4))))
        with contextlib.suppress(OnnxError):
            for value in follow(node, values, {name: Tensor((2,), known) for name in values}):
                assert value.amount >= 0


@pytest.mark.parametrize(
    "content", [b"\x72\x00", b"\x0a\x00", b"\x42\x00", b"\x3d\0\0\0\0"], ids=repr
)
def test_reading_is_linear_in_the_bytes(content: bytes) -> None:
    """Eight times the bytes take less than 16 times the processor time."""

    def measure(count: int) -> float:
        data = content * count
        whole = b"\x3a" + encode(len(data)) + data
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            with contextlib.suppress(BundleError):
                check_model(whole, PATH)
            best = min(best, time.process_time() - began)
        return best

    assert measure(160_000) < 16 * max(measure(20_000), 0.001)


def encode(number: int) -> bytes:
    whole = bytearray()
    while number > 0x7F:
        whole.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*whole, number])


def test_wire_fields_are_those_that_protobuf_writes() -> None:
    node = helper.make_node(
        "TreeEnsembleClassifier", ["input"], ["a", "b"], domain=ML, **CLASSIFIER
    )
    fields = list(read_fields(node.SerializeToString(), 0, node.ByteSize()))
    assert [field.number for field in fields] == [1, 2, 2, 4, *[5] * len(CLASSIFIER), 7]
    read = read_graph(make([node]).SerializeToString()).nodes[0]
    assert isinstance(read, Node)
    assert (read.domain, read.operator) == (ML, "TreeEnsembleClassifier")
    for name, value in CLASSIFIER.items():
        found = read.attributes[name]
        assert found.length >= len(value)
        if isinstance(value[0], int):
            assert found.integers == tuple(value)


def test_a_number_longer_than_ten_bytes_is_refused() -> None:
    with pytest.raises(WireError, match="more than 10 bytes"):
        list(read_fields(b"\x08" + b"\xff" * 11, 0, 12))
    assert list(read_fields(b"\x08" + b"\xff" * 9 + b"\x01", 0, 11)) == [
        Field(1, 0, 1, 11, 2**64 - 1)
    ]
