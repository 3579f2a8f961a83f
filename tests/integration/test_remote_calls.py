"""What the remote scorer really sends, seen by a server that remembers it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from msgspec.structs import replace

from function.errors import ScorerRejected, ScorerTimeout, ScorerUnavailable
from function.scorers.remote import RemoteScorer
from function.settings import Dialect, RemoteSettings
from protos.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.open_inference_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

MATRIX = np.array([[1, 2], [3, np.nan]], dtype=np.float32)
SCORES = np.array([0.25, 0.75], dtype=np.float32)


class Witness(GRPCInferenceServiceServicer):
    """Remembers each call; fails with the statuses it is given, then answers."""

    ServerLive = ServerReady = ModelReady = ServerMetadata = ModelMetadata = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.requests: list[ModelInferRequest] = []
        self.metadata: list[dict[str, Any]] = []
        self.remaining: list[float] = []
        self.failures: list[grpc.StatusCode] = []
        self.version = "7"
        self.awake = threading.Event()
        self.awake.set()

    def ModelInfer(self, request: ModelInferRequest, context: Any) -> ModelInferResponse:  # noqa: N802  # the protocol's
        self.requests.append(request)
        self.metadata.append({str(name): value for name, value in context.invocation_metadata()})
        self.remaining.append(context.time_remaining())
        self.awake.wait(60)
        if self.failures:
            context.abort(self.failures.pop(0), "1234 secret")
        response = ModelInferResponse(model_name="m", model_version=self.version)
        response.outputs.add(name="probabilities", datatype="FP32", shape=[2])
        response.raw_output_contents.append(SCORES.tobytes())
        return response


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def settings(witness: Witness) -> Iterator[RemoteSettings]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    add_GRPCInferenceServiceServicer_to_server(witness, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield RemoteSettings(target=f"127.0.0.1:{port}", dialect=Dialect(model="m"), call_cap=60.0)
    server.stop(0).wait()


def test_sends_the_matrix_and_reads_the_scores(settings: RemoteSettings, witness: Witness) -> None:
    scorer = RemoteScorer(settings)
    assert scorer.score_batch(MATRIX, 20.0).tolist() == [0.25, 0.75]
    (request,) = witness.requests
    assert (request.model_name, list(request.inputs[0].shape)) == ("m", [2, 2])
    assert scorer.label == "m@7"


def test_never_gives_a_call_more_than_the_time_handed_down_nor_than_its_cap(
    settings: RemoteSettings, witness: Witness
) -> None:
    scorer = RemoteScorer(settings)
    for timeout in (20.0, 500.0, float("inf")):
        scorer.score_batch(MATRIX, timeout)
    assert witness.remaining[0] <= 21.0  # the wire rounds deadlines up
    assert all(21.0 < remaining <= 61.0 for remaining in witness.remaining[1:])


def test_waits_for_a_sidecar_that_is_still_starting_and_never_again_once_it_has_answered(
    witness: Witness, tmp_path: Path
) -> None:
    target = f"unix:{tmp_path}/s.sock"
    server = grpc.server(futures.ThreadPoolExecutor(4))
    add_GRPCInferenceServiceServicer_to_server(witness, server)
    starting = threading.Timer(0.5, lambda: (server.add_insecure_port(target), server.start()))
    starting.start()
    scorer = RemoteScorer(RemoteSettings(target=target, dialect=Dialect(model="m"), call_cap=60.0))
    assert scorer.score_batch(MATRIX, 20.0).tolist() == [0.25, 0.75]
    starting.join()
    server.stop(0).wait()
    with pytest.raises(ScorerUnavailable):
        scorer.score_batch(MATRIX, 20.0)


def test_sends_metadata_and_authority(settings: RemoteSettings, witness: Witness) -> None:
    RemoteScorer(
        replace(settings, metadata=(("x-api-key", "k"),), authority="scorer.example")
    ).score_batch(MATRIX, 20.0)
    assert witness.metadata[0]["x-api-key"] == "k"


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
)
def test_retries_passing_trouble_within_the_call(
    settings: RemoteSettings, witness: Witness, status: grpc.StatusCode
) -> None:
    witness.failures = [status, status]
    assert RemoteScorer(settings).score_batch(MATRIX, 20.0).tolist() == [0.25, 0.75]
    assert len(witness.requests) == 3


def test_gives_up_after_three_attempts(settings: RemoteSettings, witness: Witness) -> None:
    witness.failures = [grpc.StatusCode.UNAVAILABLE] * 5
    with pytest.raises(ScorerUnavailable):
        RemoteScorer(settings).score_batch(MATRIX, 20.0)
    assert len(witness.requests) == 3


def test_stops_retrying_a_service_that_keeps_failing(
    settings: RemoteSettings, witness: Witness
) -> None:
    witness.failures = [grpc.StatusCode.UNAVAILABLE] * 1000
    scorer = RemoteScorer(settings)
    for _ in range(20):
        with pytest.raises(ScorerUnavailable):
            scorer.score_batch(MATRIX, 20.0)
    assert len(witness.requests) < 30  # 60 without throttling


def test_asks_once_where_the_same_call_would_fail_again_and_repeats_nothing_the_server_said(
    settings: RemoteSettings, witness: Witness
) -> None:
    witness.failures = [grpc.StatusCode.INVALID_ARGUMENT]
    with pytest.raises(ScorerRejected) as caught:
        RemoteScorer(settings).score_batch(MATRIX, 20.0)
    assert "1234" not in str(caught.value)
    assert len(witness.requests) == 1


def test_makes_a_new_connection_after_idleness_and_keeps_it_otherwise(
    settings: RemoteSettings,
) -> None:
    now = 1000.0
    scorer = RemoteScorer(settings, clock=lambda: now)
    scorer.score_batch(MATRIX, 20.0)
    first = scorer._channel
    now += 240.0
    scorer.score_batch(MATRIX, 20.0)
    assert scorer._channel is first
    now += 240.5
    scorer.score_batch(MATRIX, 20.0)
    assert scorer._channel is not first


def test_gives_the_connection_up_over_which_a_deadline_was_missed(
    settings: RemoteSettings, witness: Witness
) -> None:
    scorer = RemoteScorer(settings)
    scorer.score_batch(MATRIX, 20.0)
    witness.awake.clear()
    with pytest.raises(ScorerTimeout):
        scorer.score_batch(MATRIX, 0.5)
    witness.awake.set()
    assert scorer._channel is None


def test_works_again_after_it_was_closed(settings: RemoteSettings) -> None:
    scorer = RemoteScorer(settings)
    scorer.score_batch(MATRIX, 20.0)
    scorer.close()
    assert scorer.score_batch(MATRIX, 20.0).tolist() == [0.25, 0.75]
