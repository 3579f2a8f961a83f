"""The least that a gRPC server of Python's asyncio can do: read bytes, send bytes.

`python -m tools.benchmarks.echo_server ADDRESS`: answers every ModelInfer with the same bytes,
those of a real response to 50 rows. Nothing is parsed, checked or computed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc

from function.scorers.tensors import build_request
from function.settings import Dialect, read_settings
from model.bundle import load_bundle
from model.runtime import OnnxModel
from protos.open_inference_pb2 import ModelReadyResponse
from segment_scorer.service.inferences import Inferences
from segment_scorer.service.servicer import InferenceServicer
from tools.benchmarks.example import make_matrices

SERVICE = "inference.GRPCInferenceService"


def make_response() -> bytes:
    """The bytes that the service answers to the first batch."""
    model = OnnxModel(load_bundle(read_settings({}).bundle))
    servicer = InferenceServicer(model, max_rows=5_000, inferences=Inferences(1))
    request = build_request(make_matrices()[0], Dialect(model=model.facts.name))
    return servicer.score(request).SerializeToString()


async def serve(address: str) -> None:
    """Serve until the process is ended."""
    response = make_response()
    ready = ModelReadyResponse(ready=True).SerializeToString()

    async def answer(request: bytes, context: Any) -> bytes:  # noqa: ARG001  # gRPC's
        return response

    async def answer_ready(request: bytes, context: Any) -> bytes:  # noqa: ARG001  # gRPC's
        return ready

    server = grpc.aio.server()
    # Without serialisers gRPC hands the bytes over as they are.
    methods: dict[str, Any] = {
        "ModelInfer": grpc.unary_unary_rpc_method_handler(answer),
        "ModelReady": grpc.unary_unary_rpc_method_handler(answer_ready),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
