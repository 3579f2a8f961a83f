"""`python -m segment_scorer.service.probe [ADDRESS]`: status 0 when the server there says that it is ready, else 1. For health checks.

Without ADDRESS: the one in SERVE_PROBE, where `segment-scorer serve` listens for it; else port 8081 of this machine.
"""

from __future__ import annotations

import os
import sys

import grpc

from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub

SECONDS = 5.0


def is_ready(address: str) -> bool:
    """Ask ServerReady, which every Open Inference server answers (grpc.health.v1 only some do). Plain connections only."""
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            return (
                GRPCInferenceServiceStub(channel)
                .ServerReady(pb.ServerReadyRequest(), timeout=SECONDS)
                .ready
            )
        except grpc.RpcError:
            return False


if __name__ == "__main__":
    raise SystemExit(
        not is_ready(
            sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SERVE_PROBE") or "127.0.0.1:8081"
        )
    )
