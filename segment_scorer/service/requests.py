"""A ModelInferRequest -> what is to be computed, or a Refusal that says what was expected; and the outputs -> the answer.

Every rule about what this service takes lives here. Pure: no model, no clock, no channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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

INPUT_DATATYPES = ("FP32", "FP64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A request that is wholly acceptable: float32 [n, f], the outputs asked for in order, and whether the answer goes raw."""

    matrix: Matrix
    outputs: tuple[str, ...]
    raw: bool


def check_model(name: str, version: str, facts: ModelFacts) -> None:
    """Refuse a model or version that is not served. An empty version is any."""
    if name != facts.name:
        raise Refusal(grpc.StatusCode.NOT_FOUND, f"no such model; this server serves {facts.name}")
    if version not in {"", facts.version}:
        raise Refusal(
            grpc.StatusCode.NOT_FOUND,
            f"no such version of the model; this server serves {facts.version}",
        )


def read_task(request: ModelInferRequest, facts: ModelFacts, most_rows: int) -> Task:
    """Check a request whole. Raises Refusal: NOT_FOUND, RESOURCE_EXHAUSTED above `most_rows`, INVALID_ARGUMENT for everything else."""
    check_model(request.model_name, request.model_version, facts)
    known = tuple(output.name for output in facts.outputs)
    asked = tuple(output.name for output in request.outputs)
    if not set(asked) <= set(known) or len(set(asked)) != len(asked):
        raise _invalid(
            f"outputs: expected each of {', '.join(known)} at most once, and nothing else"
        )
    if len(request.inputs) != 1 or request.inputs[0].name != facts.input.name:
        raise _invalid(f"inputs: expected one tensor, named {facts.input.name}")
    tensor = request.inputs[0]
    if tensor.datatype not in INPUT_DATATYPES:
        raise _invalid("inputs[0].datatype: expected FP32 or FP64")
    if len(tensor.shape) != 2 or tensor.shape[1] != facts.width or tensor.shape[0] < 1:
        raise _invalid(f"inputs[0].shape: expected [n, {facts.width}], n at least 1")
    if tensor.shape[0] > most_rows:
        raise Refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"inputs[0].shape: expected at most {most_rows} rows a request",
        )
    values = _read_values(request)
    with np.errstate(
        over="ignore"
    ):  # what float32 cannot hold becomes infinite, and is refused as such
        matrix: Matrix = np.ascontiguousarray(values, dtype=np.float32)
    if np.isinf(matrix).any():
        raise _invalid("inputs[0]: expected numbers that float32 can hold, no infinity")
    if not facts.takes_missing and np.isnan(matrix).any():
        raise _invalid("inputs[0]: expected numbers in every place; this model takes no NaN")
    return Task(matrix=matrix, outputs=asked or known, raw=bool(request.raw_input_contents))


def build_answer(
    request: ModelInferRequest,
    task: Task,
    values: Mapping[str, npt.NDArray[Any]],
    facts: ModelFacts,
) -> ModelInferResponse:
    """Put the asked outputs into an answer, in the form the request came in: raw for raw, contents for contents."""
    response = ModelInferResponse(model_name=facts.name, model_version=facts.version, id=request.id)
    for name in task.outputs:
        value = values[name]
        output = response.outputs.add(name=name, datatype=name_datatype(value), shape=value.shape)
        if task.raw:
            response.raw_output_contents.append(write_raw(value))
        else:
            output.contents.CopyFrom(write_contents(value))
    return response


def _read_values(request: ModelInferRequest) -> npt.NDArray[Any]:
    tensor, raws = request.inputs[0], request.raw_input_contents
    if raws and tensor.contents.ListFields():
        raise _invalid("expected raw_input_contents or inputs[0].contents, not both")
    if len(raws) > 1:
        raise _invalid("raw_input_contents: expected one entry, for the one input")
    try:
        if raws:
            return read_raw(tensor.datatype, tensor.shape, raws[0])
        return read_contents(tensor.datatype, tensor.shape, tensor.contents)
    except TensorError as error:
        raise _invalid(
            f"{'raw_input_contents[0]' if raws else 'inputs[0].contents'}: {error}"
        ) from error


def _invalid(sentence: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, sentence)
