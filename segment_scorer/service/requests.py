"""Check a ModelInferRequest and build its response. Pure: no model, no clock, no channel.

Every rule about acceptable requests is in this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
import numpy as np
import numpy.typing as npt

from model.features import Matrix
from model.runtime import ModelFacts
from protos.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.tensor import (
    TensorError,
    name_datatype,
    read_contents,
    read_raw,
    write_contents,
    write_raw,
)
from segment_scorer.service.errors import Refusal

InputTensor = ModelInferRequest.InferInputTensor
INPUT_DATATYPES = ("FP32", "FP64")


class InferenceTask(NamedTuple):
    """A checked request.

    matrix   float32 [n, f]
    outputs  names of the requested outputs, in order
    raw      whether the tensors of the response are raw bytes, as those of the request were
    """

    matrix: Matrix
    outputs: tuple[str, ...]
    raw: bool


def check_model(name: str, version: str, facts: ModelFacts) -> None:
    """Raise Refusal unless this model and version are served. An empty version matches any."""
    if name != facts.name:
        raise Refusal(grpc.StatusCode.NOT_FOUND, f"no such model; this server serves {facts.name}")
    if version not in {"", facts.version}:
        raise Refusal(
            grpc.StatusCode.NOT_FOUND,
            f"no such version of the model; this server serves {facts.version}",
        )


def read_task(request: ModelInferRequest, facts: ModelFacts, max_rows: int) -> InferenceTask:
    """Check a whole request.

    Raises Refusal: NOT_FOUND for another model, RESOURCE_EXHAUSTED for more than `max_rows` rows,
    INVALID_ARGUMENT for everything else.
    """
    check_model(request.model_name, request.model_version, facts)
    outputs = read_outputs(request, facts)
    raw = bool(request.raw_input_contents)
    values = _read_values(request, check_input(request, facts, max_rows))
    if values.dtype != np.float32:
        with np.errstate(over="ignore"):  # values beyond float32 become infinite: refused next
            values = values.astype(np.float32)
    check_numbers(values, facts)
    return InferenceTask(matrix=values, outputs=outputs, raw=raw)


def check_numbers(matrix: Matrix, facts: ModelFacts) -> None:
    """Raise Refusal for infinite numbers, and for NaN if the model takes none."""
    # A search of the bytes: `any` takes twice as long where the caches are cold.
    if b"\1" in np.isinf(matrix).tobytes():
        raise _invalid("inputs[0]: expected finite numbers in the range of float32, or NaN")
    if not facts.takes_missing and np.isnan(matrix).any():
        raise _invalid("inputs[0]: expected no missing values; this model takes no NaN")


def read_outputs(request: ModelInferRequest, facts: ModelFacts) -> tuple[str, ...]:
    """The requested outputs in order, or all of them. Raises Refusal for one the model lacks."""
    known = [output.name for output in facts.outputs]
    asked = [output.name for output in request.outputs]
    if len(set(asked).intersection(known)) != len(asked):
        raise _invalid(f"outputs: expected each of {', '.join(known)} at most once")
    return tuple(asked or known)


def check_input(request: ModelInferRequest, facts: ModelFacts, max_rows: int) -> InputTensor:
    """The one input. Raises Refusal unless it has the model's name, width and datatype."""
    tensors = request.inputs
    if len(tensors) != 1 or (tensor := tensors[0]).name != facts.input.name:
        raise _invalid(f"inputs: expected one tensor, named {facts.input.name}")
    if tensor.datatype not in INPUT_DATATYPES:
        raise _invalid(f"inputs[0].datatype: expected {' or '.join(INPUT_DATATYPES)}")
    shape = tuple(tensor.shape)
    if len(shape) != 2 or shape[1] != facts.width or shape[0] < 1:
        raise _invalid(f"inputs[0].shape: expected [n, {facts.width}], n at least 1")
    if shape[0] > max_rows:
        raise Refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"inputs[0].shape: expected at most {max_rows} rows in one request",
        )
    return tensor


def build_response(
    request: ModelInferRequest,
    task: InferenceTask,
    values: Mapping[str, npt.NDArray[Any]],
    facts: ModelFacts,
) -> ModelInferResponse:
    """Build the response with the requested outputs, encoded as the request's input was."""
    response = ModelInferResponse(model_name=facts.name, model_version=facts.version, id=request.id)
    for name in task.outputs:
        value = values[name]
        output = response.outputs.add(name=name, datatype=name_datatype(value), shape=value.shape)
        if task.raw:
            response.raw_output_contents.append(write_raw(value))
        else:
            output.contents.CopyFrom(write_contents(value))
    return response


def _read_values(request: ModelInferRequest, tensor: InputTensor) -> npt.NDArray[Any]:
    raws = request.raw_input_contents
    if raws and tensor.HasField("contents") and tensor.contents.ListFields():
        raise _invalid("expected raw_input_contents or inputs[0].contents, not both")
    if len(raws) > 1:
        raise _invalid("raw_input_contents: expected one entry, for the one input")
    try:
        if raws:
            return read_raw(tensor.datatype, tensor.shape, raws[0])
        return read_contents(tensor.datatype, tensor.shape, tensor.contents)
    except TensorError as error:
        field = "raw_input_contents[0]" if raws else "inputs[0].contents"
        raise _invalid(f"{field}: {error}") from error


def _invalid(message: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)
