from __future__ import annotations

import grpc
import numpy as np
import pytest
from msgspec.structs import replace

from protos.open_inference_pb2 import ModelInferRequest
from segment_scorer.service.callers import identify
from segment_scorer.service.errors import Refusal
from segment_scorer.service.repeats import LONGEST, MOST
from tests.repeats import (
    FACTS,
    ID,
    MATRIX,
    OTHER,
    OTHER_ID,
    Doubler,
    answer_first,
    answer_repeat,
    ask,
    make_servicer,
)


class NoMetadata:
    def invocation_metadata(self) -> None:
        return None


@pytest.mark.parametrize("version", ["", "3"])
@pytest.mark.parametrize(("first", "second"), [(ID, OTHER_ID), ("", ""), ("a" * 300, "b" * 300)])
def test_a_repeat_gets_the_bytes_that_it_would_get_if_it_were_parsed(
    version: str, first: str, second: str
) -> None:
    servicer = make_servicer()
    answer_first(servicer, ask(MATRIX, first, version=version).SerializeToString())
    message = ask(OTHER, second, version=version).SerializeToString()
    repeat = servicer.forms.recognise(message)
    assert repeat is not None
    assert repeat.id == second
    assert answer_repeat(servicer, repeat) == answer_first(make_servicer(), message)


def test_a_log_line_about_a_repeat_has_its_own_id() -> None:
    servicer = make_servicer()
    servicer.score(ask())
    repeat = servicer.forms.recognise(ask(OTHER, OTHER_ID).SerializeToString())
    assert identify(repeat, NoMetadata()) == {"function_request_id": OTHER_ID}


@pytest.mark.parametrize(
    "changed",
    [
        ask(MATRIX[:2]),
        ask(id_="short"),
        ask(id_=""),
        ask(version="3"),
        ask(id_="ü" * (len(ID) // 2)),  # as many bytes; UTF-8 is the parser's to check
        ask(input_name="other"),
        ask(output_name="label" + "x" * 8),  # as long as probabilities
        ask(datatype="FP64"),
        ask(encoding="contents"),
    ],
)
def test_another_request_is_parsed(changed: ModelInferRequest) -> None:
    servicer = make_servicer()
    servicer.score(ask())
    assert servicer.forms.recognise(changed.SerializeToString()) is None


def test_a_request_in_another_order_of_fields_is_parsed() -> None:
    servicer = make_servicer()
    servicer.score(ask())
    message = ask().SerializeToString()
    start = ModelInferRequest(model_name="m").SerializeToString()
    moved = message.removeprefix(start) + start
    assert ModelInferRequest.FromString(moved) == ask()
    assert servicer.forms.recognise(moved) is None


def test_only_a_usual_request_is_remembered() -> None:
    unknown = ask()
    # Field 100, which the protocol does not know, ends with the bytes of the numbers.
    numbers = unknown.raw_input_contents[0]
    unknown.MergeFromString(b"\xa2\x06" + bytes([len(numbers)]) + numbers)
    long = ask()
    long.parameters["text"].string_param = "x" * LONGEST
    both = ask(np.zeros((1, 2), dtype=np.float32))  # so that both outputs are the same bytes
    both.outputs.add(name="label")
    for request in (unknown, long, both, ask(datatype="FP64"), ask(encoding="contents")):
        servicer = make_servicer()
        for _ in range(2):
            servicer.score(request)
        assert servicer.forms.recognise(request.SerializeToString()) is None


def test_no_more_forms_are_remembered_than_stated() -> None:
    servicer = make_servicer()
    messages = [ask(id_="x" * length) for length in range(1, MOST + 2)]
    for message in messages:
        servicer.score(message)
    known = [servicer.forms.recognise(message.SerializeToString()) for message in messages]
    assert [repeat is not None for repeat in known] == [False] * MOST + [True]


@pytest.mark.parametrize(("takes_missing", "number"), [(True, np.inf), (False, np.nan)])
def test_the_numbers_of_a_repeat_are_checked(takes_missing: bool, number: float) -> None:
    model = Doubler()
    model.facts = replace(FACTS, takes_missing=takes_missing)
    servicer = make_servicer(model)
    servicer.score(ask(np.ones((3, 2), dtype=np.float32)))
    matrix = np.array([[1, 2], [3, 4], [5, number]], dtype=np.float32)
    repeat = servicer.forms.recognise(ask(matrix).SerializeToString())
    assert repeat is not None
    with pytest.raises(Refusal, match=r"inputs\[0\]: expected") as of_repeat:
        servicer.score_repeat(repeat)
    with pytest.raises(Refusal) as of_first:
        servicer.score(ask(matrix))
    assert of_repeat.value.message == of_first.value.message
    assert of_repeat.value.code is of_first.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_an_output_of_another_shape_is_told_with_that_shape() -> None:
    model = Doubler()
    servicer = make_servicer(model)
    servicer.score(ask())
    model.is_flat = True
    message = ask(OTHER, OTHER_ID).SerializeToString()
    repeat = servicer.forms.recognise(message)
    assert repeat is not None
    assert answer_repeat(servicer, repeat) == answer_first(servicer, message)
