"""The six calls of the Open Inference Protocol over one model. Admits a bounded number of inferences at once, refuses the rest at once."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc

from model.runtime import ModelFailure, TensorFacts
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceServicer
from segment_scorer.service.errors import Refusal
from segment_scorer.service.requests import build_answer, check_model, read_task
from segment_scorer.service.session import Model

LOG = logging.getLogger("segment_scorer.service")
SERVER_NAME = "segment-scorer"
PLATFORM = "onnxruntime_onnx"  # the protocol's name for an ONNX model under ONNX Runtime


class InferenceServicer(GRPCInferenceServiceServicer):
    """Answers for one model.

    most_rows   rows of one request; more are RESOURCE_EXHAUSTED
    most_calls  inferences at once; more are RESOURCE_EXHAUSTED at once, since a late answer is worth nothing to a campaign
    """

    def __init__(self, model: Model, *, most_rows: int, most_calls: int) -> None:
        self._model = model
        self._most_rows = most_rows
        self._admission = threading.BoundedSemaphore(most_calls)

    def ServerLive(self, request: pb.ServerLiveRequest, context: Any) -> pb.ServerLiveResponse:  # noqa: ARG002, N802  # the protocol's
        """Yes: it answers."""
        return pb.ServerLiveResponse(live=True)

    def ServerReady(self, request: pb.ServerReadyRequest, context: Any) -> pb.ServerReadyResponse:  # noqa: ARG002, N802
        """Yes: it listens only once the model is loaded, and a draining server takes no call."""
        return pb.ServerReadyResponse(ready=True)

    def ModelReady(self, request: pb.ModelReadyRequest, context: Any) -> pb.ModelReadyResponse:  # noqa: N802
        """Yes for the served model; NOT_FOUND for any other."""
        with _translate("ModelReady", context):
            check_model(request.name, request.version, self._model.facts)
        return pb.ModelReadyResponse(ready=True)

    def ServerMetadata(  # noqa: N802  # the protocol's own name
        self,
        request: pb.ServerMetadataRequest,
        context: Any,  # noqa: ARG002
    ) -> pb.ServerMetadataResponse:
        """Name and version of this project; it has no extensions of the protocol."""
        return pb.ServerMetadataResponse(name=SERVER_NAME, version=read_version())

    def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: Any
    ) -> pb.ModelMetadataResponse:
        """Names, datatypes and shapes as the loaded model has them."""
        facts = self._model.facts
        with _translate("ModelMetadata", context):
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
        with _translate("ModelInfer", context), self._admit():
            if not context.is_active():
                raise Refusal(grpc.StatusCode.CANCELLED, "the caller no longer waits")
            facts = self._model.facts
            task = read_task(request, facts, self._most_rows)
            try:
                answer = build_answer(request, task, self._model.compute(task.matrix), facts)
            except ModelFailure as error:
                LOG.error(
                    "model failed", extra={"fields": {"rows": len(task.matrix)}}, exc_info=error
                )
                raise Refusal(
                    grpc.StatusCode.INTERNAL, "the model could not compute this batch"
                ) from error
        milliseconds = round((time.monotonic() - began) * 1000, 3)
        LOG.debug(
            "answered",
            extra={
                "fields": {
                    "call": "ModelInfer",
                    "rows": len(task.matrix),
                    "milliseconds": milliseconds,
                }
            },
        )
        return answer

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
    """This project's version: as installed, or as the image says in SERVE_VERSION, where it is copied; else `unknown`."""
    try:
        return importlib.metadata.version(SERVER_NAME)
    except importlib.metadata.PackageNotFoundError:
        return os.environ.get("SERVE_VERSION") or "unknown"


@contextmanager
def _translate(call: str, context: Any) -> Iterator[None]:
    """Turn a Refusal into the call's status. A refusal names no value, so it can be logged as it is."""
    try:
        yield
    except Refusal as refusal:
        LOG.warning(
            "refused",
            extra={
                "fields": {"call": call, "status": refusal.code.name, "reason": refusal.sentence}
            },
        )
        _abort(context, refusal)


def _abort(context: Any, refusal: Refusal) -> NoReturn:
    context.abort(refusal.code, refusal.sentence)
    raise AssertionError("grpc's abort always raises")


def _to_metadata(facts: TensorFacts) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(
        name=facts.name, datatype=facts.datatype, shape=facts.shape
    )
