"""`python -m segment_scorer.service.probe [ADDRESS]`: a health check without TLS.

Exit status 0 if the server at ADDRESS reports that it is ready, else 1. ADDRESS defaults to
SERVE_PROBE, the probe address of `segment-scorer serve`, else to 127.0.0.1:8081.
"""

from __future__ import annotations

import os
import sys

import grpc

from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub

SECONDS = 5.0


def is_ready(address: str) -> bool:
    """Ask ServerReady, which every Open Inference server has (grpc.health.v1 is optional)."""
    request = pb.ServerReadyRequest()
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            return GRPCInferenceServiceStub(channel).ServerReady(request, timeout=SECONDS).ready
        except grpc.RpcError:
            return False


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SERVE_PROBE")
    raise SystemExit(not is_ready(address or "127.0.0.1:8081"))
