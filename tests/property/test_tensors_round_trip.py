"""A matrix comes back from a message bit for bit, in either encoding and datatype."""

from __future__ import annotations

from typing import Literal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from function.scorers.tensors import build_request, read_scores
from function.settings import Dialect
from model.score_kind import RESPONSE, UPLIFT, ScoreKind
from protos.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.tensor import read_contents, read_raw, write_contents, write_raw

matrices = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
)


@given(
    matrix=matrices,
    datatype=st.sampled_from(["FP32", "FP64"]),
    encoding=st.sampled_from(["raw", "contents"]),
)
def test_matrix_to_message_to_matrix_is_identity(
    matrix: np.ndarray, datatype: Literal["FP32", "FP64"], encoding: Literal["raw", "contents"]
) -> None:
    sent = build_request(
        matrix, Dialect(model="m", datatype=datatype, encoding=encoding)
    ).SerializeToString()
    request = ModelInferRequest.FromString(sent)
    (tensor,) = request.inputs
    if encoding == "raw":
        values = read_raw(tensor.datatype, tensor.shape, request.raw_input_contents[0])
    else:
        values = read_contents(tensor.datatype, tensor.shape, tensor.contents)
    got = values.astype(np.float32)
    assert np.array_equal(np.isnan(got), np.isnan(matrix))
    assert (
        np.where(np.isnan(got), 0, got).tobytes() == np.where(np.isnan(matrix), 0, matrix).tobytes()
    )


@given(
    scores=arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)),
    dtype=st.sampled_from(["<f4", "<f8"]),
    raw=st.booleans(),
    form=st.sampled_from(["[n]", "[n,1]", "[n,2]"]),
    score=st.sampled_from([RESPONSE, UPLIFT]),
)
def test_scores_survive_the_way_back_in_every_form(
    scores: np.ndarray, dtype: str, raw: bool, form: str, score: ScoreKind
) -> None:
    if score.is_uplift:
        scores, form = 2 * scores - 1, "[n,1]"  # effects from -1 to 1, in one column
    sent = scores.astype(dtype)
    shaped = {"[n]": sent, "[n,1]": sent[:, None], "[n,2]": np.stack([1 - sent, sent], axis=1)}[
        form
    ]
    response = ModelInferResponse()
    output = response.outputs.add(
        name=score.output, datatype="FP32" if dtype == "<f4" else "FP64", shape=shaped.shape
    )
    if raw:
        response.raw_output_contents.append(write_raw(shaped))
    else:
        output.contents.CopyFrom(write_contents(shaped))
    got = read_scores(
        ModelInferResponse.FromString(response.SerializeToString()),
        len(scores),
        Dialect(model="m", score=score),
    )
    assert got.tolist() == sent.astype(np.float64).tolist()
