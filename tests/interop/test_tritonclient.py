"""Triton's gRPC client against our service. INTEROP_RECORD=1 records its requests."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from function.scorers.bundled import BundledScorer
from model.bundle import load_bundle
from tests.bundles import make_bundle, make_rows
from tests.interop.conftest import PEERS, Example, require_python
from tests.interop.prepare import ROOT
from tests.processes import run_server

pytestmark = pytest.mark.interop
ARTIFACT = ROOT / "model" / "artifact"


def ask(address: str, name: str, rows: np.ndarray, folder: Path) -> dict[str, Any]:
    np.save(folder / "rows.npy", rows)
    command = [
        str(require_python("tritonclient")),
        str(PEERS / "tritonclient_ask.py"),
        address,
        name,
        str(folder / "rows.npy"),
    ]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return found


def test_tritonclient_finds_scores_and_refusals_in_our_service(
    example: Example, tmp_path: Path
) -> None:
    bundle = load_bundle(ARTIFACT)
    with run_server(ARTIFACT) as server:
        found = ask(server.address, bundle.name, example.asked, tmp_path)
    assert found["live"] is found["ready"] is found["model_ready"] is True
    assert found["server"] == "segment-scorer"
    assert found["inputs"] == [["input", "FP32", [-1, len(bundle.spec.columns)]]]
    assert found["outputs"] == [["label", "INT64", [-1]], ["probabilities", "FP32", [-1, 2]]]
    assert found["refused"] == {
        "model": "StatusCode.NOT_FOUND",
        "output": "StatusCode.INVALID_ARGUMENT",
    }
    right = BundledScorer(bundle).score_batch(example.asked, 30.0)
    for form, scores in found["scores"].items():
        difference = np.abs(np.array(scores) - right).max()
        print(f"tritonclient {form}: largest difference {difference:.1e}")
        assert difference <= 1e-6


def test_tritonclient_through_a_relay_that_sees_every_byte(tmp_path: Path) -> None:
    """The bytes of a small bundle that does not change when the shipped one is trained anew."""
    seen: list[tuple[bytes, bytes]] = []
    with (
        run_server(make_bundle(tmp_path / "bundle")) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        relay, address = start_relay(channel, seen)
        ask(address, "tiny", make_rows(5), tmp_path)
        relay.stop(0).wait()
    assert len(seen) == 4
    if os.environ.get("INTEROP_RECORD") == "1":
        folder = ROOT / "tests" / "recordings" / "tritonclient"
        folder.mkdir(parents=True, exist_ok=True)
        for index, (request, answer) in enumerate(seen):
            (folder / f"{index}.request.bin").write_bytes(request)
            (folder / f"{index}.answer.bin").write_bytes(answer)


def start_relay(channel: grpc.Channel, seen: list[tuple[bytes, bytes]]) -> tuple[grpc.Server, str]:
    """A server that forwards every call, status included, and keeps the answered inferences."""

    def relay(method: str) -> grpc.RpcMethodHandler:
        call = channel.unary_unary(method)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                response: bytes = call(request, timeout=30)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            if method.endswith("/ModelInfer"):
                seen.append((request, response))
            return response

        return grpc.unary_unary_rpc_method_handler(answer)

    class EveryMethod(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return relay(handler_call_details.method)

    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(EveryMethod(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"
