"""The six calls of the Open Inference Protocol, for one model."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import grpc
import numpy.typing as npt

from model.runtime import ModelFailure, TensorFacts
from protos import open_inference_pb2 as pb
from segment_scorer.service.callers import identify
from segment_scorer.service.errors import Refusal
from segment_scorer.service.inferences import Inferences
from segment_scorer.service.log import LOG, write_log
from segment_scorer.service.meter import Meter
from segment_scorer.service.repeats import Forms, Repeat
from segment_scorer.service.requests import (
    InferenceTask,
    build_response,
    check_model,
    check_numbers,
    read_task,
)
from segment_scorer.service.session import Model

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
SERVER_NAME = "segment-scorer"
PLATFORM = "onnxruntime_onnx"  # the protocol's name for an ONNX model under ONNX Runtime


# The names of the methods, and `context`, are the protocol's.
class InferenceServicer:
    """Answers calls for one model. Its methods raise Refusal.

    max_rows    rows in one request; a larger request is RESOURCE_EXHAUSTED
    inferences  admits and runs the inferences
    meter       told of each inference
    """

    def __init__(
        self, model: Model, *, max_rows: int, inferences: Inferences, meter: Meter | None = None
    ) -> None:
        self._meter = meter or Meter()
        self._model = model
        self._max_rows = max_rows
        self._inferences = inferences
        self.forms = Forms()

    async def ServerLive(self, request: Any, context: Any) -> pb.ServerLiveResponse:  # noqa: ARG002, N802
        """Always true: the process answers."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(self, request: Any, context: Any) -> pb.ServerReadyResponse:  # noqa: ARG002, N802
        """Always true: the model is loaded before the server listens, and draining ends it."""
        return pb.ServerReadyResponse(ready=True)

    async def ModelReady(  # noqa: N802
        self,
        request: pb.ModelReadyRequest,
        context: Any,  # noqa: ARG002
    ) -> pb.ModelReadyResponse:
        """True for the served model; NOT_FOUND for any other."""
        check_model(request.name, request.version, self._model.facts)
        return pb.ModelReadyResponse(ready=True)

    async def ServerMetadata(self, request: Any, context: Any) -> pb.ServerMetadataResponse:  # noqa: ARG002, N802
        """Name and version of this project. It supports no extension of the protocol."""
        return pb.ServerMetadataResponse(name=SERVER_NAME, version=read_version())

    async def ModelMetadata(  # noqa: N802
        self,
        request: pb.ModelMetadataRequest,
        context: Any,  # noqa: ARG002
    ) -> pb.ModelMetadataResponse:
        """Names, datatypes and shapes of the loaded model's tensors."""
        facts = self._model.facts
        check_model(request.name, request.version, facts)
        return pb.ModelMetadataResponse(
            name=facts.name,
            versions=[facts.version],
            platform=PLATFORM,
            inputs=[_to_metadata(facts.input)],
            outputs=[_to_metadata(output) for output in facts.outputs],
        )

    async def ModelInfer(  # noqa: N802
        self,
        request: pb.ModelInferRequest | Repeat,
        context: Any,
    ) -> pb.ModelInferResponse | bytes:
        """Score the rows of a request. The response to a repeat is in bytes."""
        began = time.perf_counter()
        response: pb.ModelInferResponse | bytes
        if isinstance(request, Repeat):
            repeat = request
            response = await self._inferences.run(
                lambda: self.score_repeat(repeat), len(repeat.message)
            )
            rows = repeat.form.shape[0]
        else:
            first = request
            response = await self._inferences.run(lambda: self.score(first), first.ByteSize())
            rows = first.inputs[0].shape[0]
        taken = time.perf_counter() - began
        self._meter.count_inference(taken, rows)
        if LOG.isEnabledFor(logging.DEBUG):
            write_log(
                logging.DEBUG,
                "answered",
                call="ModelInfer",
                rows=rows,
                milliseconds=round(taken * 1000, 3),
                **identify(request, context),
            )
        return response

    def score(self, request: pb.ModelInferRequest) -> pb.ModelInferResponse:
        """Check a request, compute and build the response. Raises Refusal."""
        facts = self._model.facts
        task = read_task(request, facts, self._max_rows)
        response = build_response(request, task, self._compute(task), facts)
        self.forms.learn(request, task, response)
        return response

    def score_repeat(self, repeat: Repeat) -> pb.ModelInferResponse | bytes:
        """The same for a request whose form is known: only its numbers are checked."""
        task = repeat.read_task()
        check_numbers(task.matrix, self._model.facts)
        values = self._compute(task)
        return repeat.answer(values) or build_response(
            repeat.parse(), task, values, self._model.facts
        )

    def _compute(self, task: InferenceTask) -> Mapping[str, npt.NDArray[Any]]:
        try:
            return self._model.compute(task.matrix, task.outputs)
        except ModelFailure as error:
            write_log(logging.ERROR, "model failed", error=error, rows=len(task.matrix))
            raise Refusal(
                grpc.StatusCode.INTERNAL, "the model could not compute this batch"
            ) from error


def read_version() -> str:
    """This project's version, or `unknown`.

    The image copies the code without installing it and sets SERVE_VERSION instead.
    """
    try:
        return importlib.metadata.version(SERVER_NAME)
    except importlib.metadata.PackageNotFoundError:
        return os.environ.get("SERVE_VERSION") or "unknown"


def _to_metadata(facts: TensorFacts) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(
        name=facts.name, datatype=facts.datatype, shape=facts.shape
    )
