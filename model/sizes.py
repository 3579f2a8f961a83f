"""How large the outputs of an ONNX operator become, by the sizes of its inputs: a rule a function.

Used by the table in `model.operators`. A rule gives the number of dimensions exactly, or none, and
lengths that are at least the true ones. Computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from model.onnx_file import Attribute, Node, OnnxError


class Value(msgspec.Struct, frozen=True):
    """How large a tensor is at most.

    dims    lengths; None where the shape is not known
    amount  number of elements
    """

    dims: tuple[int, ...] | None
    amount: int


class SizedNode(msgspec.Struct, frozen=True):
    """A node and what is known about its inputs. Omitted inputs are None."""

    node: Node
    inputs: list[Value | None]
    integers: list[tuple[int, ...] | None]

    @property
    def first(self) -> Value:
        """The first input. Raises OnnxError if there is none."""
        if not self.inputs or self.inputs[0] is None:
            raise OnnxError("expected an input of every node, found none")
        return self.inputs[0]

    @property
    def given(self) -> list[Value]:
        """The inputs without the omitted ones."""
        return [value for value in self.inputs if value is not None]

    def find(self, name: str) -> Attribute:
        """An attribute, or an empty one."""
        return self.node.attributes.get(name, Attribute())

    def find_axes(self) -> tuple[int, ...] | None:
        """Axes from the attribute, or from the second input as later versions have it."""
        if "axes" in self.node.attributes:
            return self.find("axes").integers
        return self.integers[1] if len(self.integers) > 1 else None


# Gives one size for every output, or one for each.
Rule = Callable[[SizedNode], "Value | tuple[Value, ...]"]


def shaped(dims: tuple[int, ...]) -> Value:
    """A value of a known shape."""
    return Value(dims, math.prod(dims))


def unknown(amount: int) -> Value:
    """A value of which only the number of elements is known."""
    return Value(None, amount)


def same(sized: SizedNode) -> Value:
    """As large as the first input."""
    return sized.first


def broadcast(sized: SizedNode) -> Value:
    """Element by element, smaller inputs repeated (numpy's rule)."""
    shapes = [value.dims for value in sized.given]
    if any(dims is None for dims in shapes):
        return unknown(math.prod(value.amount for value in sized.given))
    known = [dims for dims in shapes if dims is not None]
    width = max(map(len, known), default=0)
    padded = [(1,) * (width - len(dims)) + dims for dims in known]
    return shaped(tuple(max(lengths) for lengths in zip(*padded, strict=True)))


def joined(sized: SizedNode) -> Value:
    """The inputs one after the other along an axis (FeatureVectorizer: the last)."""
    total = sum(value.amount for value in sized.given)
    dims = sized.first.dims
    axis = sized.find("axis").integer if "axis" in sized.node.attributes else -1
    if not dims or not -len(dims) <= axis < len(dims):
        return unknown(total)
    others = math.prod(dims) // dims[axis] if dims[axis] else 0
    if (
        any(value.dims is None or len(value.dims) != len(dims) for value in sized.given)
        or not others
    ):
        return unknown(total)
    axis %= len(dims)
    return Value((*dims[:axis], -(-total // others), *dims[axis + 1 :]), total)


def reshaped(sized: SizedNode) -> Value:
    """The same elements in another shape."""
    amount, target = sized.first.amount, sized.integers[1] if len(sized.integers) > 1 else None
    if target is None or 0 in target or any(length < -1 for length in target):
        return unknown(amount)
    rest = math.prod(length for length in target if length > 0)
    return Value(tuple(-(-amount // rest) if length < 0 else length for length in target), amount)


def flattened(sized: SizedNode) -> Value:
    """Two dimensions."""
    dims = sized.first.dims
    axis = sized.find("axis").integer if "axis" in sized.node.attributes else 1
    if dims is None or not 0 <= axis <= len(dims):
        return unknown(sized.first.amount)
    return shaped((math.prod(dims[:axis]), math.prod(dims[axis:])))


def transposed(sized: SizedNode) -> Value:
    """The dimensions in another order."""
    dims = sized.first.dims
    if dims is None:
        return sized.first
    order = sized.find("perm").integers or tuple(reversed(range(len(dims))))
    if sorted(order) != list(range(len(dims))):
        return unknown(sized.first.amount)
    return shaped(tuple(dims[axis] for axis in order))


def squeezed(sized: SizedNode) -> Value:
    """Without some dimensions of length 1."""
    dims, axes = sized.first.dims, sized.find_axes()
    if dims is None or axes is None:
        return unknown(sized.first.amount)
    gone = {axis % len(dims) for axis in axes} if dims else set()
    return Value(
        tuple(length for axis, length in enumerate(dims) if axis not in gone), sized.first.amount
    )


def unsqueezed(sized: SizedNode) -> Value:
    """With further dimensions of length 1."""
    dims, axes = sized.first.dims, sized.find_axes()
    if dims is None or axes is None:
        return unknown(sized.first.amount)
    width = len(dims) + len(axes)
    added, left = {axis % width for axis in axes}, iter(dims)
    return Value(
        tuple(1 if axis in added else next(left, 1) for axis in range(width)), sized.first.amount
    )


def reduced(sized: SizedNode) -> Value:
    """One element for many along some axes (ArgMax: along one)."""
    dims = sized.first.dims
    axes = (sized.find("axis").integer,) if sized.node.operator[:3] == "Arg" else sized.find_axes()
    if dims is None or axes is None:
        return unknown(sized.first.amount)
    keep = "keepdims" not in sized.node.attributes or sized.find("keepdims").integer
    gone = {axis % len(dims) for axis in axes} if dims else set()
    kept = ((1 if axis in gone else length, axis in gone) for axis, length in enumerate(dims))
    return shaped(tuple(length for length, is_gone in kept if keep or not is_gone))


def gathered(sized: SizedNode) -> Value:
    """Elements picked along an axis by the second input."""
    data, picks = sized.first, sized.given[1] if len(sized.given) > 1 else sized.first
    axis = sized.find("axis").integer
    if data.dims is None or picks.dims is None or not -len(data.dims) <= axis < len(data.dims):
        return unknown(data.amount * picks.amount)
    axis %= len(data.dims)
    return shaped((*data.dims[:axis], *picks.dims, *data.dims[axis + 1 :]))


def picked_columns(sized: SizedNode) -> Value:
    """Columns picked by the second input."""
    data, picks = sized.first, sized.given[1] if len(sized.given) > 1 else sized.first
    if not data.dims:
        return unknown(data.amount * picks.amount)
    return shaped(((1,) if len(data.dims) == 1 else data.dims[:-1]) + (picks.amount,))


def as_second(sized: SizedNode) -> Value:
    """As large as the second input."""
    return sized.given[1] if len(sized.given) > 1 else sized.first


def filled(sized: SizedNode) -> Value:
    """A shape that the last input states. It must be a constant."""
    target = sized.integers[-1] if sized.integers else None
    if target is None or min(target, default=0) < 0:
        raise OnnxError(f"expected {sized.node.operator} of a constant shape, found another")
    # Expand takes the larger of its input's shape and the stated one.
    stated = shaped(target)
    if sized.node.operator == "Expand":
        return broadcast(SizedNode(sized.node, [sized.first, stated], []))
    return stated


def measured(sized: SizedNode) -> Value:
    """The shape of the input, as numbers."""
    return shaped((len(sized.first.dims),)) if sized.first.dims is not None else unknown(64)


def constant(sized: SizedNode) -> Value:
    """The value of an attribute."""
    for attribute in sized.node.attributes.values():
        if attribute.tensor:
            return shaped(attribute.tensor.dims)
        if attribute.length:
            return shaped((attribute.length,))
    return shaped(())


def multiplied(sized: SizedNode) -> Value:
    """A matrix product."""
    left, right = sized.first, as_second(sized)
    if left.dims is None or right.dims is None or min(len(left.dims), len(right.dims)) < 1:
        return unknown(left.amount * right.amount)
    a, b = left.dims, right.dims
    if sized.node.operator == "Gemm" and len(a) == len(b) == 2:
        a = a[::-1] if sized.find("transA").integer else a
        b = b[::-1] if sized.find("transB").integer else b
    rows, columns = a[:-1][-1:], b[-1:] if len(b) > 1 else ()
    lead = broadcast(SizedNode(sized.node, [shaped(a[:-2]), shaped(b[:-2])], [])).dims or ()
    return shaped((*lead, *rows, *columns))


def classified(sized: SizedNode) -> tuple[Value, Value]:
    """A label for each person, and a score for each class. An SVM may score pairs of classes."""
    lists = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")
    classes = max(2, *(sized.find(name).length for name in lists))
    scores = classes**2 if sized.node.operator == "SVMClassifier" else classes
    return shaped((count_rows(sized),)), shaped((count_rows(sized), scores))


def regressed(sized: SizedNode) -> Value:
    """A number for each person and target."""
    targets = max(1, sized.find("n_targets").integer, sized.find("targets").integer)
    return shaped((count_rows(sized), targets))


def count_rows(sized: SizedNode) -> int:
    """People in the first input."""
    return sized.first.dims[0] if sized.first.dims else sized.first.amount


def one_hot(sized: SizedNode) -> Value:
    """A column for each category."""
    columns = sized.find("cats_int64s").length + sized.find("cats_strings").length
    dims = sized.first.dims
    return shaped((*dims, columns)) if dims is not None else unknown(sized.first.amount * columns)
