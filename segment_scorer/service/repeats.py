"""Requests that repeat an accepted one: only their id and their numbers differ.

A sender's requests have the same bytes around both, so what was read from the first of them holds
for all: a repeat is neither parsed nor checked again, and its response differs only there too.
Holds no rule about requests; infinite and missing numbers are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy.typing as npt

from protos.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.tensor import read_raw, write_raw
from segment_scorer.service.requests import InferenceTask

DATATYPE = "FP32"
MOST = 64  # forms that are remembered; a sender has one for each number of rows
LONGEST = 1_024  # bytes of a form's request, without id and numbers


class Form(NamedTuple):
    """What a request and its repeats have in common.

    before, after  bytes of the request: up to the id's text, and from there to the numbers
    text           length of the id's text
    shape, output  of the input; name of the one output
    answer_before, answer_after, answer_shape
                   the same of the response, and the shape of its output
    """

    before: bytes
    after: bytes
    text: int
    shape: tuple[int, int]
    output: str
    answer_before: bytes
    answer_after: bytes
    answer_shape: tuple[int, ...]


class Repeat(NamedTuple):
    """A request that repeats an accepted one."""

    form: Form
    message: bytes

    @property
    def id(self) -> str:
        """The request's id."""
        return self._text.decode()

    def parse(self) -> ModelInferRequest:
        """The message, parsed."""
        return ModelInferRequest.FromString(self.message)

    def read_task(self) -> InferenceTask:
        """The request as `requests.read_task` gives it, but for the check of its numbers."""
        form = self.form
        numbers = self.message[len(form.before) + form.text + len(form.after) :]
        matrix = read_raw(DATATYPE, form.shape, numbers)
        return InferenceTask(matrix=matrix, outputs=(form.output,), raw=True)

    def answer(self, values: Mapping[str, npt.NDArray[Any]]) -> bytes | None:
        """The response in bytes; None if the shape of the output is not that of the form."""
        form = self.form
        value = values[form.output]
        if value.shape != form.answer_shape:
            return None
        return b"".join((form.answer_before, self._text, form.answer_after, write_raw(value)))

    @property
    def _text(self) -> bytes:
        start = len(self.form.before)
        return self.message[start : start + self.form.text]


class Forms:
    """The forms of accepted requests, by the length of the message: for each length the first."""

    def __init__(self) -> None:
        self._forms: dict[int, Form | None] = {}

    def recognise(self, message: bytes) -> Repeat | None:
        """The message as a repeat; None if it must be parsed."""
        form = self._forms.get(len(message))
        if form is None or not message.startswith(form.before):
            return None
        end = len(form.before) + form.text
        # The id is text in UTF-8; what is not ASCII is left to the parser.
        if not message.startswith(form.after, end) or not message[len(form.before) : end].isascii():
            return None
        return Repeat(form, message)

    def learn(
        self, request: ModelInferRequest, task: InferenceTask, response: ModelInferResponse
    ) -> None:
        """Remember the form of an accepted request, if it is the first of its length."""
        size = request.ByteSize()
        if size not in self._forms:
            if len(self._forms) >= MOST:
                self._forms.clear()
            self._forms[size] = make_form(request, task, response)


def make_form(
    request: ModelInferRequest, task: InferenceTask, response: ModelInferResponse
) -> Form | None:
    """The form of a usual request, else None.

    Usual: one output, FP32 as raw bytes, no field that the protocol does not know, not LONGEST.
    """
    is_raw = task.raw and request.inputs[0].datatype == DATATYPE
    if not is_raw or len(task.outputs) > 1 or request.ByteSize() - task.matrix.nbytes > LONGEST:
        return None
    plain = ModelInferRequest()
    plain.CopyFrom(request)
    plain.DiscardUnknownFields()
    message, answer = plain.SerializeToString(), response.SerializeToString()
    # Fields are written in the order of their numbers: name, version and id are the first three
    # of both messages, and the raw contents are the last.
    before = ModelInferRequest(
        model_name=request.model_name, model_version=request.model_version, id=request.id
    ).SerializeToString()
    answer_before = ModelInferResponse(
        model_name=response.model_name, model_version=response.model_version, id=response.id
    ).SerializeToString()
    numbers, scores = request.raw_input_contents[0], response.raw_output_contents[0]
    is_usual = (
        len(message) == request.ByteSize()
        and message.startswith(before)
        and message.endswith(numbers)
        and answer.startswith(answer_before)
        and answer.endswith(scores)
    )
    if not is_usual:
        return None
    text = len(request.id.encode())
    rows, width = task.matrix.shape
    return Form(
        before=before[: len(before) - text],
        after=message[len(before) : len(message) - len(numbers)],
        text=text,
        shape=(rows, width),
        output=task.outputs[0],
        answer_before=answer_before[: len(answer_before) - text],
        answer_after=answer[len(answer_before) : len(answer) - len(scores)],
        answer_shape=tuple(response.outputs[0].shape),
    )
