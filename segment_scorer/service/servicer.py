"""The six calls of the Open Inference Protocol, for one model.

At most a fixed number of inferences run at once; further ones are refused, not queued.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from model.runtime import ModelFailure, TensorFacts
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceServicer
from segment_scorer.service.errors import Refusal
from segment_scorer.service.log import write_log
from segment_scorer.service.requests import build_response, check_model, read_task
from segment_scorer.service.session import Model

SERVER_NAME = "segment-scorer"
PLATFORM = "onnxruntime_onnx"  # the protocol's name for an ONNX model under ONNX Runtime


# The names of the methods, and `context` where it is unused, are the protocol's.
class InferenceServicer(GRPCInferenceServiceServicer):
    """Answers calls for one model.

    max_rows   rows in one request; a larger request is RESOURCE_EXHAUSTED
    max_calls  inferences at once; a further one is RESOURCE_EXHAUSTED without waiting, because a
               campaign's host gives up before a queue would clear
    """

    def __init__(self, model: Model, *, max_rows: int, max_calls: int) -> None:
        self._model = model
        self._max_rows = max_rows
        self._admission = threading.BoundedSemaphore(max_calls)

    def ServerLive(self, request: pb.ServerLiveRequest, context: Any) -> pb.ServerLiveResponse:  # noqa: ARG002, N802
        """Always true: the process answers."""
        return pb.ServerLiveResponse(live=True)

    def ServerReady(self, request: pb.ServerReadyRequest, context: Any) -> pb.ServerReadyResponse:  # noqa: ARG002, N802
        """Always true: the model is loaded before the server listens, and draining ends it."""
        return pb.ServerReadyResponse(ready=True)

    def ModelReady(self, request: pb.ModelReadyRequest, context: Any) -> pb.ModelReadyResponse:  # noqa: N802
        """True for the served model; NOT_FOUND for any other."""
        with _answer_refusals("ModelReady", context):
            check_model(request.name, request.version, self._model.facts)
        return pb.ModelReadyResponse(ready=True)

    def ServerMetadata(  # noqa: N802
        self,
        request: pb.ServerMetadataRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> pb.ServerMetadataResponse:
        """Name and version of this project. It supports no extension of the protocol."""
        return pb.ServerMetadataResponse(name=SERVER_NAME, version=read_version())

    def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: Any
    ) -> pb.ModelMetadataResponse:
        """Names, datatypes and shapes of the loaded model's tensors."""
        facts = self._model.facts
        with _answer_refusals("ModelMetadata", context):
            check_model(request.name, request.version, facts)
        return pb.ModelMetadataResponse(
            name=facts.name,
            versions=[facts.version],
            platform=PLATFORM,
            inputs=[_to_metadata(facts.input)],
            outputs=[_to_metadata(output) for output in facts.outputs],
        )

    def ModelInfer(self, request: pb.ModelInferRequest, context: Any) -> pb.ModelInferResponse:  # noqa: N802
        """Score the rows of a request."""
        began = time.monotonic()
        with _answer_refusals("ModelInfer", context), self._admit():
            if not context.is_active():
                raise Refusal(grpc.StatusCode.CANCELLED, "the caller no longer waits")
            facts = self._model.facts
            task = read_task(request, facts, self._max_rows)
            rows = len(task.matrix)
            try:
                response = build_response(request, task, self._model.compute(task.matrix), facts)
            except ModelFailure as error:
                write_log(logging.ERROR, "model failed", error=error, rows=rows)
                raise Refusal(
                    grpc.StatusCode.INTERNAL, "the model could not compute this batch"
                ) from error
        milliseconds = round((time.monotonic() - began) * 1000, 3)
        write_log(
            logging.DEBUG, "answered", call="ModelInfer", rows=rows, milliseconds=milliseconds
        )
        return response

    @contextmanager
    def _admit(self) -> Iterator[None]:
        if not self._admission.acquire(blocking=False):
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "too many inferences at once; ask again in a moment",
            )
        try:
            yield
        finally:
            self._admission.release()


def read_version() -> str:
    """This project's version, or `unknown`.

    The image copies the code without installing it and sets SERVE_VERSION instead.
    """
    try:
        return importlib.metadata.version(SERVER_NAME)
    except importlib.metadata.PackageNotFoundError:
        return os.environ.get("SERVE_VERSION") or "unknown"


@contextmanager
def _answer_refusals(call: str, context: Any) -> Iterator[None]:
    """Log a Refusal and end the call with its status."""
    try:
        yield
    except Refusal as refusal:
        write_log(
            logging.WARNING,
            "refused",
            call=call,
            status=refusal.code.name,
            reason=refusal.message,
        )
        context.abort(refusal.code, refusal.message)
        raise AssertionError("gRPC's abort always raises") from refusal


def _to_metadata(facts: TensorFacts) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(
        name=facts.name, datatype=facts.datatype, shape=facts.shape
    )
