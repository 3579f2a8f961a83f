from __future__ import annotations

from collections.abc import Callable

import grpc
import numpy as np
import pytest
from msgspec.structs import replace

from protos.open_inference_pb2 import ModelInferRequest
from protos.tensor import write_contents, write_raw
from segment_scorer.service.errors import Refusal
from segment_scorer.service.requests import build_response, read_task
from tests.repeats import FACTS, MATRIX

VALUES = {
    "label": np.array([0, 1, 0]),
    "probabilities": np.array([[0.75, 0.25], [0.5, 0.5], [1, 0]], dtype=np.float32),
}


def ask(
    values: np.ndarray = MATRIX, *, raw: bool = True, datatype: str = "FP32"
) -> ModelInferRequest:
    request = ModelInferRequest(model_name="m", id="42")
    tensor = request.inputs.add(name="input", datatype=datatype, shape=values.shape)
    if raw:
        request.raw_input_contents.append(write_raw(values))
    else:
        tensor.contents.CopyFrom(write_contents(values))
    return request


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(("datatype", "dtype"), [("FP32", "<f4"), ("FP64", "<f8")])
def test_reads_the_matrix_in_either_encoding_and_datatype(
    datatype: str, dtype: str, raw: bool
) -> None:
    task = read_task(ask(MATRIX.astype(dtype), raw=raw, datatype=datatype), FACTS, 10)
    assert task.matrix.dtype == np.float32
    assert task.matrix.flags.c_contiguous
    assert np.array_equal(task.matrix, MATRIX, equal_nan=True)
    assert task.raw is raw


def test_takes_the_served_version_and_gives_every_output_when_none_is_asked() -> None:
    request = ask()
    request.model_version = "3"
    assert read_task(request, FACTS, 3).outputs == ("label", "probabilities")


def test_gives_the_asked_outputs_in_the_asked_order() -> None:
    request = ask()
    for name in ("probabilities", "label"):
        request.outputs.add(name=name)
    answer = build_response(request, read_task(request, FACTS, 3), VALUES, FACTS)
    assert [(output.name, output.datatype, list(output.shape)) for output in answer.outputs] == [
        ("probabilities", "FP32", [3, 2]),
        ("label", "INT64", [3]),
    ]
    assert list(answer.raw_output_contents) == [
        VALUES["probabilities"].tobytes(),
        VALUES["label"].tobytes(),
    ]
    assert (answer.model_name, answer.model_version, answer.id) == ("m", "3", "42")


def test_answers_contents_with_contents() -> None:
    request = ask(raw=False)
    answer = build_response(request, read_task(request, FACTS, 3), VALUES, FACTS)
    assert not answer.raw_output_contents
    assert list(answer.outputs[0].contents.int64_contents) == [0, 1, 0]
    assert list(answer.outputs[1].contents.fp32_contents) == [0.75, 0.25, 0.5, 0.5, 1, 0]


def change(
    what: Callable[[ModelInferRequest], object], request: ModelInferRequest | None = None
) -> ModelInferRequest:
    request = request or ask()
    what(request)
    return request


def set_shape(*shape: int) -> Callable[[ModelInferRequest], object]:
    def apply(request: ModelInferRequest) -> None:
        request.inputs[0].shape[:] = shape

    return apply


INVALID, NOT_FOUND, EXHAUSTED = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
REFUSED: dict[str, tuple[ModelInferRequest, grpc.StatusCode, str]] = {
    "another model": (
        change(lambda r: setattr(r, "model_name", "x")),
        NOT_FOUND,
        "no such model; this server serves m",
    ),
    "no model": (change(lambda r: setattr(r, "model_name", "")), NOT_FOUND, "no such model"),
    "another version": (
        change(lambda r: setattr(r, "model_version", "2")),
        NOT_FOUND,
        "no such version",
    ),
    "no input": (
        change(lambda r: r.inputs.pop()),
        INVALID,
        "inputs: expected one tensor, named input",
    ),
    "two inputs": (
        change(lambda r: r.inputs.append(r.inputs[0])),
        INVALID,
        "inputs: expected one tensor",
    ),
    "another input": (
        change(lambda r: setattr(r.inputs[0], "name", "x")),
        INVALID,
        "inputs: expected one tensor, named input",
    ),
    "another datatype": (
        change(lambda r: setattr(r.inputs[0], "datatype", "INT64")),
        INVALID,
        "inputs[0].datatype: expected FP32",
    ),
    "half floats": (
        change(lambda r: setattr(r.inputs[0], "datatype", "FP16")),
        INVALID,
        "inputs[0].datatype: expected FP32",
    ),
    "a wider shape": (change(set_shape(2, 3)), INVALID, "inputs[0].shape: expected [n, 2]"),
    "a flat shape": (change(set_shape(6)), INVALID, "inputs[0].shape: expected [n, 2]"),
    "a cube": (change(set_shape(3, 2, 1)), INVALID, "inputs[0].shape: expected [n, 2]"),
    "no shape": (change(set_shape()), INVALID, "inputs[0].shape: expected [n, 2]"),
    "no rows": (change(set_shape(0, 2)), INVALID, "n at least 1"),
    "negative rows": (change(set_shape(-1, 2)), INVALID, "n at least 1"),
    "more rows than bytes": (
        change(set_shape(4, 2)),
        INVALID,
        "raw_input_contents[0]: expected raw contents of 8 x 4 bytes",
    ),
    "fewer rows than bytes": (
        change(set_shape(2, 2)),
        INVALID,
        "raw_input_contents[0]: expected raw contents of 4 x 4 bytes",
    ),
    "more rows than values": (
        change(set_shape(4, 2), ask(raw=False)),
        INVALID,
        "inputs[0].contents: expected 8 values",
    ),
    "values in another field": (
        change(lambda r: setattr(r.inputs[0], "datatype", "FP64"), ask(raw=False)),
        INVALID,
        "inputs[0].contents: expected values only in fp64_contents",
    ),
    "no values": (
        change(lambda r: r.raw_input_contents.pop()),
        INVALID,
        "inputs[0].contents: expected 6 values",
    ),
    "raw and contents": (
        change(lambda r: r.inputs[0].contents.fp32_contents.append(1)),
        INVALID,
        "raw_input_contents or inputs[0].contents, not both",
    ),
    "two raw entries": (
        change(lambda r: r.raw_input_contents.append(b"")),
        INVALID,
        "raw_input_contents: expected one entry",
    ),
    "infinity": (
        ask(np.array([[np.inf, 0]], np.float32)),
        INVALID,
        "inputs[0]: expected finite numbers in the range of float32",
    ),
    "more than float32": (
        ask(np.array([[1e39, 0]]), datatype="FP64"),
        INVALID,
        "inputs[0]: expected finite numbers in the range of float32",
    ),
    "an unknown output": (
        change(lambda r: r.outputs.add(name="x")),
        INVALID,
        "outputs: expected each of label, probabilities",
    ),
    "an output twice": (
        change(lambda r: [r.outputs.add(name="label"), r.outputs.add(name="label")]),
        INVALID,
        "outputs: expected each of label, probabilities at most once",
    ),
    "too many rows": (
        ask(np.zeros((5, 2), np.float32)),
        EXHAUSTED,
        "inputs[0].shape: expected at most 4 rows",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_a_request_with_its_own_status_and_sentence(name: str) -> None:
    request, code, sentence = REFUSED[name]
    with pytest.raises(Refusal) as caught:
        read_task(request, FACTS, 4)
    assert caught.value.code is code
    assert sentence in caught.value.message


def test_refuses_missing_values_where_the_model_takes_none() -> None:
    with pytest.raises(Refusal, match="this model takes no NaN"):
        read_task(ask(), replace(FACTS, takes_missing=False), 3)


def test_counts_an_empty_contents_beside_raw_as_absent() -> None:
    request = ask()
    request.inputs[0].contents.SetInParent()
    assert read_task(request, FACTS, 3).raw
