"""Reads the structure of an ONNX model: its nodes, constants and inputs, without computing.

Accepts only what a bundle may hold. Raises OnnxError for external data, local functions, subgraphs,
sparse tensors and every field that it does not know. Field numbers: onnx/onnx.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from model.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    match_run,
    read_fields,
    read_integers,
)

FLOATS, INTEGERS, TEXTS = 7, 8, 9  # the lists of an attribute
# Trees have thousands of numbers in each list, and of words: LEAF, BRANCH_LT, BRANCH_LEQ ...
RUNS = dict(
    (match_run(FLOATS, FIXED32), match_run(INTEGERS, VARINT), match_run(TEXTS, BYTES, (4, 9, 10)))
)
SHORT = 128  # bytes; of longer lists of integers only the length is read
MAX_DIMENSIONS = 16
MAX_NODES = 10_000
INT64 = 7  # TensorProto.DataType
KINDS = {"v": VARINT, "b": BYTES, "4": FIXED32, "8": FIXED64}


class OnnxError(ValueError):
    """The model is not one that a bundle may hold. The text says what was expected and found."""


class Message:
    """The fields of a message that may be there.

    known    number -> kinds of content (letters of KINDS), with `*` if it may come more than once
    refused  number -> what it holds; every other field is refused by its number

    ONNX Runtime skips a field of another kind, and merges a second one where one is meant. This
    module would then have read another model than the one that runs.
    """

    def __init__(self, known: dict[int, str], refused: dict[int, str] | None = None) -> None:
        self._kinds = {
            number: {KINDS[letter] for letter in kinds.rstrip("*")}
            for number, kinds in known.items()
        }
        self._single = {number for number, kinds in known.items() if not kinds.endswith("*")}
        self._refused = refused or {}

    def read(self, data: bytes, whole: Field, *, has_lists: bool = False) -> Iterator[Field]:
        """The fields of the message at `whole`. Raises OnnxError and WireError."""
        seen = set()
        for found in read_fields(data, whole.start, whole.end, RUNS if has_lists else None):
            if found.kind not in self._kinds.get(found.number, ()):
                name = self._refused.get(found.number, f"the unknown field {found.number}")
                raise OnnxError(f"expected a model of nodes and tensors alone, found {name}")
            if found.number in self._single:
                if found.number in seen:
                    raise OnnxError(f"expected field {found.number} once, found it twice")
                seen.add(found.number)
            yield found


MODEL = Message(
    {1: "v", 2: "b", 3: "b", 4: "b", 5: "v", 6: "b", 7: "b", 8: "b*", 14: "b*"},
    {20: "training information", 25: "local functions", 26: "devices"},
)
OPERATOR_SET = Message({1: "b", 2: "v"})
GRAPH = Message(
    {1: "b*", 2: "b", 5: "b*", 10: "b", 11: "b*", 12: "b*", 13: "b*", 14: "b*", 16: "b*"},
    {15: "sparse tensors"},
)
NODE = Message(
    {1: "b*", 2: "b*", 3: "b", 4: "b", 5: "b*", 6: "b", 7: "b", 8: "b", 9: "b*"}, {10: "devices"}
)
SUBGRAPH = "a subgraph (a Loop, Scan or If)"
ATTRIBUTE = Message(
    {1: "b", 2: "4", 3: "v", 4: "b", 5: "b", 7: "4b*", 8: "vb*", 9: "b*", 13: "b", 20: "v"},
    {6: SUBGRAPH, 11: SUBGRAPH, 21: "a local function's attribute", 22: "sparse tensors"},
)
TENSOR = Message(
    {1: "vb*", 2: "v", 4: "4b*", 5: "vb*", 6: "b*", 7: "vb*", 8: "b", 9: "b", 10: "8b*"}
    | {11: "vb*", 12: "b", 14: "v", 16: "b*"},
    {3: "a segment of a tensor", 13: "external data"},
)
VALUE = Message({1: "b", 2: "b", 3: "b", 4: "b*"})
TYPE = Message({1: "b", 6: "b"}, {4: "a sequence", 5: "a map", 9: "an optional value"})
TENSOR_TYPE = Message({1: "v", 2: "b"})
SHAPE = Message({1: "b*"})
DIMENSION = Message({1: "v", 2: "b", 3: "b"})


class Tensor(msgspec.Struct, frozen=True):
    """A constant: its shape, and its values if they are a few int64."""

    dims: tuple[int, ...]
    integers: tuple[int, ...] | None = None


class Attribute(msgspec.Struct, frozen=True):
    """An attribute of a node.

    integer   its value, if it is an integer
    integers  its values, if it is a short list of integers
    length    at least the number of its values, if it is a list
    tensor    its value, if it is a tensor
    """

    integer: int = 0
    integers: tuple[int, ...] | None = None
    length: int = 0
    tensor: Tensor | None = None


class Node:
    """One operation: its operator's domain and name, and the names of its inputs and outputs."""

    __slots__ = ("attributes", "domain", "inputs", "operator", "outputs")

    def __init__(self) -> None:
        self.domain = self.operator = ""
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.attributes: dict[str, Attribute] = {}


class Graph:
    """A model's only graph. Lengths of an input that its caller chooses are None."""

    # Not dataclasses: making their classes takes 1 ms of every cold start.
    __slots__ = ("constants", "domains", "inputs", "nodes")

    def __init__(self) -> None:
        self.domains: set[str] = set()
        self.nodes: list[Node] = []
        self.constants: dict[str, Tensor] = {}
        self.inputs: dict[str, tuple[int | None, ...]] = {}


def read_graph(data: bytes) -> Graph:
    """Read a model. Raises OnnxError, or WireError for bytes that are no message."""
    graph = Graph()
    for found in MODEL.read(data, Field(0, BYTES, 0, len(data))):
        if found.number == 7:
            read_content(data, found, graph)
        elif found.number == 8:
            parts = OPERATOR_SET.read(data, found)
            graph.domains.add("".join(read_text(data, part) for part in parts if part.number == 1))
    return graph


def read_content(data: bytes, whole: Field, graph: Graph) -> None:
    """Add the nodes, constants and inputs of a GraphProto to the graph."""
    for found in GRAPH.read(data, whole):
        if found.number == 1:
            graph.nodes.append(read_node(data, found))
            if len(graph.nodes) > MAX_NODES:
                raise OnnxError(f"expected at most {MAX_NODES:,} nodes, found more")
        elif found.number == 5:
            name, tensor = read_tensor(data, found)
            if name in graph.constants:
                raise OnnxError("expected a name for each constant, found one for two")
            graph.constants[name] = tensor
        elif found.number == 11:
            name, dims = read_input(data, found)
            graph.inputs[name] = dims


def read_node(data: bytes, whole: Field) -> Node:
    """A NodeProto."""
    node = Node()
    for found in NODE.read(data, whole):
        if found.number == 1:
            node.inputs.append(read_text(data, found))
        elif found.number == 2:
            node.outputs.append(read_text(data, found))
        elif found.number == 4:
            node.operator = read_text(data, found)
        elif found.number == 5:
            name, attribute = read_attribute(data, found)
            if name in node.attributes:
                raise OnnxError("expected every attribute of a node once, found one twice")
            node.attributes[name] = attribute
        elif found.number == 7:
            node.domain = read_text(data, found)
    return node


def read_attribute(data: bytes, whole: Field) -> tuple[str, Attribute]:
    """Name and content of an AttributeProto."""
    name, integer, tensor = "", 0, None
    integers: list[int] = []
    length = size = 0
    for found in ATTRIBUTE.read(data, whole, has_lists=True):
        if found.number == 1:
            name = read_text(data, found)
        elif found.number == 3:
            (integer,) = read_integers(data, found)
        elif found.number == 5:
            _, tensor = read_tensor(data, found)
        elif found.number in {FLOATS, INTEGERS, TEXTS}:
            length += count_most(found)
            size += found.end - found.start
            if found.number == INTEGERS and size <= SHORT:
                integers += read_integers(data, found)
    short = tuple(integers) if size <= SHORT else None
    return name, Attribute(integer, short, length, tensor)


def count_most(found: Field) -> int:
    """At least the number of elements in a list's field, without counting them."""
    size = found.end - found.start
    if found.is_run:
        return size // (5 if found.kind == FIXED32 else 2)  # with their tags
    return size if found.kind == BYTES and found.number != TEXTS else 1


def read_tensor(data: bytes, whole: Field) -> tuple[str, Tensor]:
    """Name, shape and a few integers of a TensorProto.

    Raises OnnxError for a tensor whose shape asks for more data than the file holds.
    """
    name, kind, raw = "", 0, b""
    dims: list[int] = []
    integers: list[int] = []
    for found in TENSOR.read(data, whole):
        size = found.end - found.start
        if found.number == 1:
            dims += read_integers(data, found) if size <= SHORT else [0] * SHORT
            if len(dims) > MAX_DIMENSIONS:
                raise OnnxError(f"expected at most {MAX_DIMENSIONS} dimensions, found more")
        elif found.number == 2:
            kind = found.value
        elif found.number == 7 and size <= SHORT and len(integers) <= SHORT:
            integers += read_integers(data, found)
        elif found.number == 8:
            name = read_text(data, found)
        elif found.number == 9 and size <= SHORT:
            raw = data[found.start : found.end]
        elif found.number == 14 and found.value:
            raise OnnxError("expected every tensor in the file, found external data")
    count, room = math.prod(dims), whole.end - whole.start
    if min(dims, default=0) < 0 or count > 2 * room:  # an element has four bits or more
        raise OnnxError("expected the data of every tensor, found a shape for more than there is")
    if kind == INT64 and raw and len(raw) == 8 * count:
        integers = [
            int.from_bytes(raw[start : start + 8], "little", signed=True)
            for start in range(0, len(raw), 8)
        ]
    known = kind == INT64 and len(integers) == count
    return name, Tensor(tuple(dims), tuple(integers) if known else None)


def read_input(data: bytes, whole: Field) -> tuple[str, tuple[int | None, ...]]:
    """Name and shape of a ValueInfoProto, which must be a tensor's."""
    name, dims = "", list[int | None]()
    for found in VALUE.read(data, whole):
        if found.number == 1:
            name = read_text(data, found)
        elif found.number == 2:
            for shape in find_shapes(data, found):
                dims += [read_length(data, dimension) for dimension in SHAPE.read(data, shape)]
    return name, tuple(dims)


def find_shapes(data: bytes, whole: Field) -> Iterator[Field]:
    """The shape in a TypeProto of a tensor, if it has one."""
    for tensor in TYPE.read(data, whole):
        if tensor.number == 1:
            yield from (part for part in TENSOR_TYPE.read(data, tensor) if part.number == 2)


def read_length(data: bytes, whole: Field) -> int | None:
    """The length that a dimension states."""
    lengths = [part.value for part in DIMENSION.read(data, whole) if part.number == 1]
    return lengths[0] if lengths else None


def read_text(data: bytes, found: Field) -> str:
    """A name, a character for each byte, so that any bytes are a name."""
    return data[found.start : found.end].decode("latin-1")
