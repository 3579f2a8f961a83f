"""Convert a tensor of the Open Inference Protocol to and from a numpy array.

A tensor has a datatype, a shape and one of two encodings: raw bytes or typed contents. Every rule
about datatypes and lengths is here, for the client and for the service. Raises TensorError.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from protos.open_inference_pb2 import InferTensorContents

Array: TypeAlias = npt.NDArray[Any]

# datatype -> numpy's dtype, little-endian like raw contents, and the field of InferTensorContents
# (empty: raw only). Source: the protocol's "Tensor Data Types" and InferTensorContents. BF16 and
# BYTES are not supported: numpy has no dtype for them.
DATATYPES: dict[str, tuple[np.dtype[Any], str]] = {
    "BOOL": (np.dtype("?"), "bool_contents"),
    "UINT8": (np.dtype("u1"), "uint_contents"),
    "UINT16": (np.dtype("<u2"), "uint_contents"),
    "UINT32": (np.dtype("<u4"), "uint_contents"),
    "UINT64": (np.dtype("<u8"), "uint64_contents"),
    "INT8": (np.dtype("i1"), "int_contents"),
    "INT16": (np.dtype("<i2"), "int_contents"),
    "INT32": (np.dtype("<i4"), "int_contents"),
    "INT64": (np.dtype("<i8"), "int64_contents"),
    "FP16": (np.dtype("<f2"), ""),
    "FP32": (np.dtype("<f4"), "fp32_contents"),
    "FP64": (np.dtype("<f8"), "fp64_contents"),
}
# kind and size of a numpy dtype, in any byte order -> datatype
NAMES = {(dtype.kind, dtype.itemsize): name for name, (dtype, _) in DATATYPES.items()}
# numpy's signs for a byte order that raw contents do not have
OTHER_ORDERS = (">",) if sys.byteorder == "little" else (">", "=")


class TensorError(ValueError):
    """A tensor does not match its datatype and shape. The message holds no values."""


def name_datatype(array: Array) -> str:
    """The protocol's name of an array's dtype. Raises TensorError for a dtype without one."""
    try:
        return NAMES[array.dtype.kind, array.dtype.itemsize]
    except KeyError as error:
        raise TensorError(f"expected one of the datatypes {', '.join(DATATYPES)}") from error


def write_raw(array: Array) -> bytes:
    """Encode an array as one entry of raw contents: row-major, little-endian."""
    if array.dtype.byteorder in OTHER_ORDERS:
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.tobytes()


def write_contents(array: Array) -> InferTensorContents:
    """Encode an array as typed contents, row-major. Raises TensorError for FP16: raw only."""
    name = name_datatype(array)
    field = DATATYPES[name][1]
    if not field:
        raise TensorError(f"expected raw contents, the only form of {name}")
    return InferTensorContents(**{field: array.ravel().tolist()})


def read_raw(datatype: str, shape: Sequence[int], raw: bytes) -> Array:
    """Decode one entry of raw contents into an array of `shape`.

    Raises TensorError unless the length is exactly that of the shape.
    """
    shape = tuple(shape)
    dtype, count = _expect(datatype, shape)
    if len(raw) != count * dtype.itemsize:
        raise TensorError(
            f"expected raw contents of {count} x {dtype.itemsize} bytes for this datatype and "
            f"shape, found {len(raw)} bytes"
        )
    try:
        return np.ndarray(shape, dtype, raw)
    except ValueError as error:
        raise _refuse_shape() from error


def read_contents(datatype: str, shape: Sequence[int], contents: InferTensorContents) -> Array:
    """Decode typed contents into an array of `shape`.

    Raises TensorError for a wrong count, values in another datatype's field, and numbers out of
    range.
    """
    shape = tuple(shape)
    dtype, count = _expect(datatype, shape)
    field = DATATYPES[datatype][1]
    if not field:
        raise TensorError(f"expected raw contents, the only form of {datatype}")
    if any(other.name != field for other, _ in contents.ListFields()):
        raise TensorError(f"expected values only in {field}, the field of {datatype}")
    values = getattr(contents, field)
    if len(values) != count:
        raise TensorError(f"expected {count} values in {field} for this shape, found {len(values)}")
    try:
        flat = np.fromiter(values, dtype=dtype, count=count)
    except OverflowError as error:
        raise TensorError(f"expected values within the range of {datatype}") from error
    try:
        return flat.reshape(shape)
    except ValueError as error:
        raise _refuse_shape() from error


def _refuse_shape() -> TensorError:
    """For more or longer dimensions than numpy supports."""
    return TensorError("expected a shape of fewer and shorter dimensions")


def _expect(datatype: str, shape: Sequence[int]) -> tuple[np.dtype[Any], int]:
    if datatype not in DATATYPES:
        raise TensorError(f"expected one of the datatypes {', '.join(DATATYPES)}")
    if shape and min(shape) < 0:
        raise TensorError("expected a shape without negative lengths")
    return DATATYPES[datatype][0], math.prod(shape)
