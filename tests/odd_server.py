"""A scoring server that misbehaves as the word in a file says, which it reads at each call.

Started as a process with the arguments BUNDLE MODE_FILE.

right   answers as the service does
slow    answers long after everybody has gone
labels  gives class labels as the probabilities; floats: as FP32 of another name
rows    gives one row too few
nan     gives a score that is no number
logits  gives numbers that are no probabilities
half    gives the first half of the answer's bytes
crash   raises
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from protos.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from segment_scorer.service.inferences import Inferences
from segment_scorer.service.server import load_model
from segment_scorer.service.servicer import InferenceServicer


def replace(response: ModelInferResponse, values: np.ndarray, datatype: str) -> ModelInferResponse:
    (output,) = response.outputs
    output.datatype, output.shape[:] = datatype, values.shape
    response.raw_output_contents[:] = [values.tobytes()]
    return response


def distort(mode: str, response: ModelInferResponse) -> ModelInferResponse:
    values = np.frombuffer(response.raw_output_contents[0], "<f4").reshape(-1, 2)
    if mode == "labels":
        return replace(response, (values[:, 1] > 0.5).astype("<i8"), "INT64")
    if mode == "rows":
        return replace(response, values[:-1], "FP32")
    if mode == "nan":
        return replace(
            response,
            np.where(np.arange(len(values))[:, None] == 0, np.nan, values).astype("<f4"),
            "FP32",
        )
    if mode == "logits":
        return replace(response, values * 10 - 5, "FP32")
    return response


def main(bundle: Path, mode_file: Path) -> None:
    servicer = InferenceServicer(load_model(bundle), max_rows=100, inferences=Inferences(1))

    def infer(request: Any, _: Any) -> bytes:
        mode = mode_file.read_text().strip()
        if mode == "slow":
            time.sleep(60)
        if mode == "crash":
            raise RuntimeError("asked to")
        whole = distort(mode, servicer.score(request)).SerializeToString()
        return whole[: len(whole) // 2] if mode == "half" else whole

    identity: Callable[[bytes], bytes] = bytes
    handler = grpc.unary_unary_rpc_method_handler(infer, ModelInferRequest.FromString, identity)
    server = grpc.server(futures.ThreadPoolExecutor(50))
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "inference.GRPCInferenceService", {"ModelInfer": handler}
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(
        json.dumps({"message": "listening", "addresses": [f"127.0.0.1:{port}"]}),
        file=sys.stderr,
        flush=True,
    )
    signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
