"""Any answer gives scores or a ScorerRejected; any request gives a task or a Refusal."""

from __future__ import annotations

import contextlib

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from function.errors import ScorerRejected
from function.scorers.tensors import read_scores
from function.settings import Dialect
from model.runtime import ModelFacts, TensorFacts
from model.score_kind import RESPONSE, UPLIFT, ScoreKind
from protos.open_inference_pb2 import InferTensorContents, ModelInferRequest, ModelInferResponse
from protos.tensor import DATATYPES
from segment_scorer.service.errors import Refusal
from segment_scorer.service.requests import read_task

FACTS = ModelFacts(
    name="m",
    version="1",
    input=TensorFacts(name="input", datatype="FP32", shape=(-1, 2)),
    outputs=(TensorFacts(name="probabilities", datatype="FP32", shape=(-1, 2)),),
    takes_missing=True,
)
shapes = st.one_of(
    st.sampled_from(
        [[2], [2, 1], [2, 2], [1, 2], [0, 2**62, 2**62], [2**62, 2**62], [0] * 70, [1] * 70]
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    st.lists(st.integers(-1, 4), max_size=4),
)
datatypes = st.one_of(
    st.sampled_from(["FP32", "FP64", *DATATYPES, "BYTES", "BF16"]), st.text(max_size=5)
)
raws = st.lists(
    st.one_of(st.binary(max_size=40), st.just(b"\0" * 16), st.just(b"\0" * 32)), max_size=2
)
contents = st.builds(
    InferTensorContents,
    fp32_contents=st.lists(st.floats(width=32), max_size=4),
    fp64_contents=st.lists(st.floats(), max_size=4),
    int64_contents=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2),
    bytes_contents=st.lists(st.binary(max_size=3), max_size=1),
)
names = st.sampled_from(["input", "probabilities", "effect", "", "x"])


EMPTY = InferTensorContents()


@example(
    tensors=[("probabilities", "FP32", [0, 2**62, 2**62], EMPTY)],
    raw=[],
    column=None,
    score=RESPONSE,
)
@example(tensors=[("probabilities", "FP32", [0] * 70, EMPTY)], raw=[b""], column=None, score=UPLIFT)
@given(
    tensors=st.lists(st.tuples(names, datatypes, shapes, contents), max_size=2),
    raw=raws,
    column=st.none() | st.integers(0, 3),
    score=st.sampled_from([RESPONSE, UPLIFT]),
)
def test_any_answer_is_scores_or_rejected(
    tensors: list[tuple[str, str, list[int], InferTensorContents]],
    raw: list[bytes],
    column: int | None,
    score: ScoreKind,
) -> None:
    response = ModelInferResponse(raw_output_contents=raw)
    for name, datatype, shape, content in tensors:
        response.outputs.add(name=name, datatype=datatype, shape=shape, contents=content)
    with contextlib.suppress(ScorerRejected):
        scores = read_scores(response, 2, Dialect(model="m", positive_column=column, score=score))
        assert scores.shape == (2,)
        assert ((scores >= score.low) & (scores <= score.high)).all()


@given(
    tensors=st.lists(st.tuples(names, datatypes, shapes, contents), max_size=2),
    raw=raws,
    asked=st.lists(names, max_size=2),
)
def test_any_question_is_a_task_or_refused(
    tensors: list[tuple[str, str, list[int], InferTensorContents]],
    raw: list[bytes],
    asked: list[str],
) -> None:
    request = ModelInferRequest(model_name="m", raw_input_contents=raw)
    for name, datatype, shape, content in tensors:
        request.inputs.add(name=name, datatype=datatype, shape=shape, contents=content)
    for name in asked:
        request.outputs.add(name=name)
    with contextlib.suppress(Refusal):
        task = read_task(request, FACTS, 10)
        assert task.matrix.dtype == np.float32
        assert task.matrix.shape[1] == 2
