"""A bare ONNX model in; an `Original` without a score of its own out."""

from __future__ import annotations

import onnx
from google.protobuf.message import DecodeError

from model.training.foreign.original import ModelRefused, Original


def read_onnx(data: bytes) -> Original:
    """Read the bytes. Raises ModelRefused for bytes that are no model."""
    try:
        model = onnx.load_from_string(data)
    except (DecodeError, ValueError) as error:
        raise ModelRefused("expected an ONNX model, found damaged bytes") from error
    if not model.graph.node:
        raise ModelRefused("expected an ONNX model, found no node")

    opsets = {entry.domain: entry.version for entry in model.opset_import}
    return Original(
        format="onnx",
        title="An ONNX model",
        convert=lambda _: model,
        settings={"producer": model.producer_name[:100], "opsets": opsets},
    )
