from __future__ import annotations

import math

import numpy as np
import pytest

from function.errors import ScorerRejected
from function.scorers.tensors import build_request, read_scores
from function.settings import Dialect
from model.score_kind import RESPONSE, UPLIFT, ScoreKind
from protos.open_inference_pb2 import ModelInferResponse
from protos.tensor import DATATYPES, TensorError, read_contents, read_raw, write_contents, write_raw

MATRIX = np.array([[1.5, np.nan], [-2.0, 3.25], [0.0, 1e30]], dtype=np.float32)
OURS = Dialect(model="segment-scorer")


def answer(
    values: np.ndarray, *, name: str = "probabilities", datatype: str = "FP32", raw: bool = True
) -> ModelInferResponse:
    response = ModelInferResponse(model_name="m")
    output = response.outputs.add(name=name, datatype=datatype, shape=values.shape)
    if raw:
        response.raw_output_contents.append(values.tobytes())
    else:
        output.contents.CopyFrom(write_contents(values))
    return response


def test_sends_one_tensor_with_the_columns_in_the_matrix_order() -> None:
    request = build_request(
        MATRIX, Dialect(model="m", version="7", input_name="x", output_name="p")
    )
    assert (request.model_name, request.model_version) == ("m", "7")
    assert [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in request.inputs] == [
        ("x", "FP32", [3, 2])
    ]
    assert list(request.raw_input_contents) == [MATRIX.tobytes()]
    assert not request.inputs[0].HasField("contents")
    assert [output.name for output in request.outputs] == ["p"]


def test_sends_contents_and_no_raw_bytes_when_told_so() -> None:
    request = build_request(MATRIX, Dialect(model="m", encoding="contents", datatype="FP64"))
    assert not request.raw_input_contents
    assert list(request.inputs[0].contents.fp64_contents)[2:] == [
        -2.0,
        3.25,
        0.0,
        float(np.float32(1e30)),
    ]
    assert math.isnan(request.inputs[0].contents.fp64_contents[1])
    assert not request.inputs[0].contents.fp32_contents


def test_asks_for_no_output_where_the_server_picks() -> None:
    assert not build_request(MATRIX, Dialect(model="m", output_name="")).outputs


def test_sends_nothing_that_some_servers_lack() -> None:
    request = build_request(MATRIX, OURS)
    assert not request.parameters
    assert not request.inputs[0].parameters
    assert not request.outputs[0].parameters


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(("datatype", "dtype"), [("FP32", "<f4"), ("FP64", "<f8")])
@pytest.mark.parametrize(
    ("values", "column", "scores"),
    [
        ([0.25, 0.5], None, [0.25, 0.5]),
        ([[0.25], [0.5]], None, [0.25, 0.5]),
        ([[0.75, 0.25], [0.5, 0.5]], None, [0.25, 0.5]),
        ([[0.75, 0.25], [0.5, 0.5]], 0, [0.75, 0.5]),
        ([[0.5, 0.25, 0.25], [0.0, 0.125, 0.875]], 1, [0.25, 0.125]),
        ([[1.0 + 5e-7, -5e-7], [0.5, 0.5]], 0, [1.0, 0.5]),
    ],
)
def test_reads_the_positive_column(
    *,
    values: list[object],
    column: int | None,
    scores: list[float],
    datatype: str,
    dtype: str,
    raw: bool,
) -> None:
    dialect = Dialect(model="m", positive_column=column)
    got = read_scores(answer(np.array(values, dtype=dtype), datatype=datatype, raw=raw), 2, dialect)
    assert got.dtype == np.float64
    assert got.tolist() == scores


def test_finds_the_named_output_among_several() -> None:
    response = ModelInferResponse()
    response.outputs.add(name="label", datatype="INT64", shape=[1])
    response.outputs.add(name="probabilities", datatype="FP32", shape=[1, 2])
    response.raw_output_contents.extend(
        [np.array([1], "<i8").tobytes(), np.array([[0.25, 0.75]], "<f4").tobytes()]
    )
    assert read_scores(response, 1, OURS).tolist() == [0.75]


def test_takes_the_only_output_whatever_its_name() -> None:
    assert read_scores(
        answer(np.array([0.5], "<f4"), name="output-0"), 1, Dialect(model="m", output_name="")
    ).tolist() == [0.5]


def cut_short(response: ModelInferResponse) -> ModelInferResponse:
    response.raw_output_contents[0] = response.raw_output_contents[0][:-1]
    return response


def without_raw(response: ModelInferResponse) -> ModelInferResponse:
    response.outputs.add(name="other", datatype="FP32", shape=[2])
    return response


FLOATS = np.array([0.25, 0.5], "<f4")
REFUSED = {
    "labels": (answer(np.array([0, 1], "<i8"), datatype="INT64"), "labels or other values"),
    "texts": (answer(np.array([0, 1], "<i8"), datatype="BYTES"), "labels or other values"),
    "half floats": (answer(np.array([0, 1], "<f2"), datatype="FP16"), "labels or other values"),
    "too few rows": (answer(FLOATS[:1]), "another number of rows"),
    "too many rows": (answer(np.array([0.1, 0.2, 0.3], "<f4")), "another number of rows"),
    "no rows at all": (answer(np.array(0.5, "<f4")), "another number of rows"),
    "a cube": (answer(np.zeros((2, 1, 1), "<f4")), "another number of rows"),
    "NaN": (answer(np.array([0.5, np.nan], "<f4")), "cannot be used: expected finite scores"),
    "infinity": (answer(np.array([np.inf, 0.5], "<f4")), "cannot be used: expected finite scores"),
    "odds": (
        answer(np.array([0.5, 1.5], "<f4")),
        "cannot be used: expected response scores from 0 to 1",
    ),
    "a negative score": (
        answer(np.array([0.5, -0.1], "<f4")),
        "cannot be used: expected response scores from 0 to 1",
    ),
    "three columns": (answer(np.zeros((2, 3), "<f4")), "say which one is the positive class"),
    "no columns": (answer(np.zeros((2, 0), "<f4")), "say which one is the positive class"),
    "another output": (answer(FLOATS, name="predict"), "lacks the output"),
    "nothing": (ModelInferResponse(), "lacks the output"),
    "bytes cut short": (
        cut_short(answer(FLOATS)),
        "cannot be read: expected raw contents of 2 x 4 bytes",
    ),
    "fewer raw contents than outputs": (without_raw(answer(FLOATS)), "incomplete"),
    "values in another field": (
        answer(FLOATS.astype("<f8"), datatype="FP32", raw=False),
        "cannot be read: expected values only in fp32",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_an_answer_that_is_no_scores_with_its_own_sentence(name: str) -> None:
    response, sentence = REFUSED[name]
    with pytest.raises(ScorerRejected, match=sentence):
        read_scores(response, 2, OURS)


def test_refuses_more_outputs_than_one_where_none_is_named() -> None:
    with pytest.raises(ScorerRejected, match="name the one that holds the scores"):
        read_scores(without_raw(answer(FLOATS)), 2, Dialect(model="m", output_name=""))


def test_refuses_a_positive_column_that_the_answer_lacks() -> None:
    with pytest.raises(ScorerRejected, match="positive class"):
        read_scores(answer(FLOATS), 2, Dialect(model="m", positive_column=1))


UPLIFTING = Dialect(model="m", score=UPLIFT)


@pytest.mark.parametrize("values", [[-0.25, 0.5], [[-0.25], [0.5]]])
def test_reads_effects_with_their_sign(values: list[object]) -> None:
    response = answer(np.array(values, "<f4"), name="effect")
    assert read_scores(response, 2, UPLIFTING).tolist() == [-0.25, 0.5]


def test_asks_for_the_output_of_its_kind() -> None:
    asked = [build_request(MATRIX, dialect).outputs[0].name for dialect in (OURS, UPLIFTING)]
    assert asked == ["probabilities", "effect"]


def test_two_columns_are_no_effect() -> None:
    response = answer(np.array([[0.5, 0.5], [0.25, 0.75]], "<f4"), name="effect")
    with pytest.raises(ScorerRejected, match="2 columns; say which one is the positive class, or"):
        read_scores(response, 2, UPLIFTING)


def test_refuses_effects_out_of_their_range() -> None:
    response = answer(np.array([-1.5, 0.5], "<f4"), name="effect")
    with pytest.raises(ScorerRejected, match="uplift scores from -1 to 1, found 1 of 2 outside"):
        read_scores(response, 2, UPLIFTING)


@pytest.mark.parametrize(
    ("name", "score", "found"),
    [("effect", RESPONSE, "uplift"), ("probabilities", UPLIFT, "response")],
)
def test_refuses_the_only_output_if_its_name_says_another_kind(
    name: str, score: ScoreKind, found: str
) -> None:
    dialect = Dialect(model="m", output_name="", score=score)
    with pytest.raises(
        ScorerRejected, match=f"answered with {found} scores; expected {score.kind}"
    ):
        read_scores(answer(FLOATS, name=name), 2, dialect)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_reads_what_it_writes_in_every_datatype(datatype: str) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(DATATYPES[datatype][0])
    forms = [read_raw(datatype, array.shape, write_raw(array))]
    if DATATYPES[datatype][1]:
        forms.append(read_contents(datatype, array.shape, write_contents(array)))
    for form in forms:
        assert form.dtype == array.dtype
        assert np.array_equal(form, array)


def test_writes_little_endian_whatever_the_array_is() -> None:
    assert write_raw(np.array([1.0], dtype=">f4")) == b"\x00\x00\x80\x3f"


def test_names_no_datatype_for_what_the_protocol_lacks() -> None:
    with pytest.raises(TensorError, match="expected one of the datatypes"):
        write_contents(np.array(["text"]))
    with pytest.raises(TensorError, match="expected one of the datatypes"):
        read_raw("BF16", [1], b"\0\0")
    with pytest.raises(TensorError, match="without negative lengths"):
        read_raw("FP32", [-1], b"")
    with pytest.raises(TensorError, match="the only form of FP16"):
        write_contents(np.array([1.0], dtype="<f2"))


def test_refuses_contents_beyond_the_range_of_their_datatype() -> None:
    contents = write_contents(np.array([300], dtype="<i4"))
    with pytest.raises(TensorError, match="within the range of INT8"):
        read_contents("INT8", [1], contents)
