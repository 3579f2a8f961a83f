"""Every call of the service over a real channel."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from msgspec.structs import replace

from function.scorers.tensors import build_request, read_scores
from function.settings import Dialect
from model.features import Matrix
from model.runtime import ModelFacts, ModelFailure
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from segment_scorer.service.limits import list_options
from segment_scorer.service.log import start_log
from segment_scorer.service.server import MAX_REFLECTIONS, Service, load_model
from segment_scorer.service.session import Model
from segment_scorer.service.settings import ServiceSettings
from segment_scorer.service.worker import SHARED_AGE
from tests.bundles import expected_scores, make_bundle, make_rows

OURS = Dialect(model="tiny")
LIMIT = 120.0  # seconds for a call that should take milliseconds


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("service") / "bundle")


@pytest.fixture(scope="module")
def model(bundle: Path) -> Model:
    return load_model(bundle)


@pytest.fixture(scope="module")
def channel(model: Model, bundle: Path) -> Iterator[grpc.Channel]:
    service = Service(model, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",), max_rows=100))
    with grpc.insecure_channel(service.addresses[0]) as channel:
        yield channel
    service.stop()


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> GRPCInferenceServiceStub:
    return GRPCInferenceServiceStub(channel)


def test_is_live_and_ready(stub: GRPCInferenceServiceStub) -> None:
    assert stub.ServerLive(pb.ServerLiveRequest(), timeout=LIMIT).live
    assert stub.ServerReady(pb.ServerReadyRequest(), timeout=LIMIT).ready
    assert stub.ModelReady(pb.ModelReadyRequest(name="tiny"), timeout=LIMIT).ready
    assert stub.ModelReady(pb.ModelReadyRequest(name="tiny", version="3"), timeout=LIMIT).ready


def test_says_what_it_is_and_what_the_model_takes_and_gives(stub: GRPCInferenceServiceStub) -> None:
    server = stub.ServerMetadata(pb.ServerMetadataRequest(), timeout=LIMIT)
    assert server.name == "segment-scorer"
    assert server.version
    model = stub.ModelMetadata(pb.ModelMetadataRequest(name="tiny"), timeout=LIMIT)
    assert (model.name, list(model.versions), model.platform) == ("tiny", ["3"], "onnxruntime_onnx")
    assert [(t.name, t.datatype, list(t.shape)) for t in model.inputs] == [
        ("input", "FP32", [-1, 4])
    ]
    assert [(t.name, t.datatype, list(t.shape)) for t in model.outputs] == [
        ("label", "INT64", [-1]),
        ("probabilities", "FP32", [-1, 2]),
    ]


def test_metadata_describes_what_inference_really_takes_and_gives(
    stub: GRPCInferenceServiceStub,
) -> None:
    facts = stub.ModelMetadata(pb.ModelMetadataRequest(name="tiny"), timeout=LIMIT)
    request = pb.ModelInferRequest(model_name=facts.name, model_version=facts.versions[0])
    request.inputs.add(
        name=facts.inputs[0].name,
        datatype=facts.inputs[0].datatype,
        shape=[2, facts.inputs[0].shape[1]],
    )
    request.raw_input_contents.append(make_rows(2).tobytes())
    answer = stub.ModelInfer(request, timeout=LIMIT)
    for told, given in zip(facts.outputs, answer.outputs, strict=True):
        assert (told.name, told.datatype) == (given.name, given.datatype)
        assert [2 if length == -1 else length for length in told.shape] == list(given.shape)


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
@pytest.mark.parametrize("encoding", ["raw", "contents"])
def test_scores_in_every_form(stub: GRPCInferenceServiceStub, datatype: Any, encoding: Any) -> None:
    rows, dialect = (
        make_rows(50),
        replace(OURS, datatype=datatype, encoding=encoding),
    )
    answer = stub.ModelInfer(build_request(rows, dialect), timeout=LIMIT)
    assert bool(answer.raw_output_contents) == (encoding == "raw")
    assert np.allclose(read_scores(answer, 50, dialect), expected_scores(rows), rtol=0, atol=1e-6)


def test_repeats_are_scored_counted_and_refused_as_first_requests_are(
    model: Model, bundle: Path
) -> None:
    log = io.StringIO()
    start_log("info", log)
    ids = [f"7f4c8a52-3c0e-4b6e-9d57-00000000000{number}" for number in range(4)]
    service = Service(model, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",)))
    with grpc.insecure_channel(service.addresses[0]) as channel:
        stub = GRPCInferenceServiceStub(channel)
        rows = make_rows(24)
        for id_, part in zip(ids, (rows[:8], rows[8:16], rows[16:]), strict=False):
            answer = stub.ModelInfer(build_request(part, OURS, id_), timeout=LIMIT)
            assert (answer.model_name, answer.model_version, answer.id) == ("tiny", "3", id_)
            scores = read_scores(answer, 8, OURS)
            assert np.allclose(scores, expected_scores(part), rtol=0, atol=1e-6)
        infinite = build_request(np.full_like(part, np.inf), OURS, ids[3])
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(infinite, timeout=LIMIT)
    counts = service.meter.read()
    service.stop()
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (line,) = map(json.loads, log.getvalue().splitlines())
    assert (line["message"], line["function_request_id"]) == ("refused", ids[3])
    assert (counts.rows, sum(counts.durations)) == (24, 3)
    assert counts.calls == {("ModelInfer", "OK"): 3, ("ModelInfer", "INVALID_ARGUMENT"): 1}


@pytest.mark.parametrize(
    ("call", "request_", "code"),
    [
        ("ModelReady", pb.ModelReadyRequest(name="other"), "NOT_FOUND"),
        ("ModelMetadata", pb.ModelMetadataRequest(name="tiny", version="1"), "NOT_FOUND"),
        ("ModelInfer", pb.ModelInferRequest(model_name="other"), "NOT_FOUND"),
        ("ModelInfer", build_request(make_rows(3)[:, :2], OURS), "INVALID_ARGUMENT"),
        ("ModelInfer", build_request(make_rows(101), OURS), "RESOURCE_EXHAUSTED"),
        ("ModelInfer", build_request(make_rows(300_000), OURS), "RESOURCE_EXHAUSTED"),
    ],
)
def test_refuses_over_the_wire_with_the_right_status(
    stub: GRPCInferenceServiceStub, call: str, request_: Any, code: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub, call)(request_, timeout=LIMIT)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code().name == code


def test_answers_health_checks_for_the_server_the_service_and_the_model(
    channel: grpc.Channel,
) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", "inference.GRPCInferenceService", "tiny"):
        assert (
            health.Check(health_pb2.HealthCheckRequest(service=name), timeout=LIMIT).status
            == health_pb2.HealthCheckResponse.SERVING
        )
    with pytest.raises(grpc.RpcError):
        health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=LIMIT)


def ask_reflection(channel: grpc.Channel) -> list[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=LIMIT
    )
    return [service.name for service in answer.list_services_response.service]


def test_reflects_what_it_serves(channel: grpc.Channel) -> None:
    assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= set(
        ask_reflection(channel)
    )


def test_reflects_nothing_when_told_not_to(model: Model, bundle: Path) -> None:
    service = Service(
        model, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",), reflection=False)
    )
    with (
        grpc.insecure_channel(service.addresses[0]) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        ask_reflection(channel)
    service.stop()
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


# More than gRPC's own limit for the server (192), and far more than reflection's threads.
IDLE = 200


def test_streams_held_open_by_watchers_cost_no_inference(
    stub: GRPCInferenceServiceStub, channel: grpc.Channel
) -> None:
    watches = []
    for _ in range(IDLE):
        watches.append(
            health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(service="tiny"), timeout=LIMIT
            )
        )
        assert next(watches[-1]).status == health_pb2.HealthCheckResponse.SERVING
    assert (
        len(read_scores(stub.ModelInfer(build_request(make_rows(3), OURS), timeout=LIMIT), 3, OURS))
        == 3
    )
    assert all(watch.is_active() for watch in watches)
    for watch in watches:
        watch.cancel()


def test_streams_held_open_by_reflection_cost_no_inference_and_no_health_and_are_bounded(
    stub: GRPCInferenceServiceStub, channel: grpc.Channel
) -> None:
    reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    ask, end = reflection_pb2.ServerReflectionRequest(list_services=""), threading.Event()

    def ask_and_stay() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        yield ask
        end.wait(LIMIT)

    streams = [reflect(ask_and_stay(), timeout=LIMIT) for _ in range(MAX_REFLECTIONS)]
    for stream in streams:
        next(stream)
    for _ in range(IDLE):
        with pytest.raises(grpc.RpcError, match="at most 4 streams of ServerReflectionInfo"):
            next(reflect(iter([ask]), timeout=LIMIT))
    assert (
        len(read_scores(stub.ModelInfer(build_request(make_rows(3), OURS), timeout=LIMIT), 3, OURS))
        == 3
    )
    watch = health_pb2_grpc.HealthStub(channel).Watch(
        health_pb2.HealthCheckRequest(service="tiny"), timeout=LIMIT
    )
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    end.set()
    for stream in streams:
        assert list(stream) == []
    assert "inference.GRPCInferenceService" in ask_reflection(channel)


class Held:
    """A model that computes only once it is let go."""

    def __init__(self, model: Model) -> None:
        self.facts: ModelFacts = model.facts
        self._model = model
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    def compute(self, matrix: Matrix, outputs: Sequence[str]) -> Mapping[str, np.ndarray]:
        self.begun.release()
        assert self.go.wait(LIMIT)
        return self._model.compute(matrix, outputs)


def test_tells_whoever_watches_its_health_that_it_drains(model: Model, bundle: Path) -> None:
    service = Service(model, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",), grace=LIMIT))
    with grpc.insecure_channel(service.addresses[0]) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service="tiny"), timeout=LIMIT
        )
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        service.drain()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    service.stop()


class Broken:
    """A model whose runtime fails."""

    def __init__(self, model: Model) -> None:
        self.facts: ModelFacts = model.facts

    def compute(self, matrix: Matrix, outputs: Sequence[str]) -> Mapping[str, np.ndarray]:
        raise ModelFailure(f"expected nothing like {matrix[0, 0]}")


def test_refuses_what_is_too_much_at_once_and_still_says_that_it_is_ready(
    model: Model, bundle: Path
) -> None:
    held = Held(model)
    service = Service(held, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",), max_calls=2))
    with (
        grpc.insecure_channel(service.addresses[0]) as channel,
        futures.ThreadPoolExecutor() as pool,
    ):
        stub = GRPCInferenceServiceStub(channel)
        request = build_request(make_rows(3), OURS)
        admitted = [pool.submit(stub.ModelInfer, request, timeout=LIMIT) for _ in range(2)]
        for _ in admitted:
            assert held.begun.acquire(timeout=LIMIT)
        for _ in range(20):
            with pytest.raises(grpc.RpcError) as caught:
                stub.ModelInfer(request, timeout=LIMIT)
            assert isinstance(caught.value, grpc.Call)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert stub.ServerReady(pb.ServerReadyRequest(), timeout=LIMIT).ready
        held.go.set()
        for future in admitted:
            assert len(read_scores(future.result(LIMIT), 3, OURS)) == 3
        assert len(read_scores(stub.ModelInfer(request, timeout=LIMIT), 3, OURS)) == 3
    service.stop()


def test_answers_what_is_under_way_while_it_drains_and_takes_nothing_new(
    model: Model, bundle: Path
) -> None:
    held = Held(model)
    service = Service(held, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",), grace=LIMIT))
    with (
        grpc.insecure_channel(service.addresses[0]) as channel,
        futures.ThreadPoolExecutor() as pool,
    ):
        stub = GRPCInferenceServiceStub(channel)
        request = build_request(make_rows(3), OURS)
        under_way = pool.submit(stub.ModelInfer, request, timeout=LIMIT)
        assert held.begun.acquire(timeout=LIMIT)
        stopped = service.drain()
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(request, timeout=LIMIT)
        assert isinstance(caught.value, grpc.Call)
        # Refused, or cancelled while the server stopped.
        ended = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert caught.value.code() in ended
        assert not stopped.is_set()
        held.go.set()
        assert len(read_scores(under_way.result(LIMIT), 3, OURS)) == 3
        assert stopped.wait(LIMIT)
    service.stop()


def test_answers_a_failing_model_as_internal_and_logs_no_payload(
    model: Model, bundle: Path
) -> None:
    log = io.StringIO()
    start_log("debug", log)
    service = Service(Broken(model), ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",)))
    with (
        grpc.insecure_channel(service.addresses[0]) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        GRPCInferenceServiceStub(channel).ModelInfer(
            build_request(np.full((1, 4), 1234.5, np.float32), OURS), timeout=LIMIT
        )
    service.stop()
    assert isinstance(caught.value, grpc.Call)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.INTERNAL,
        "the model could not compute this batch",
    )
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("ERROR", "model failed"),
        ("WARNING", "refused"),
    ]
    assert lines[0]["error"] == "ModelFailure"
    assert "1234" not in log.getvalue()


def test_a_connection_that_grows_old_loses_no_call(model: Model, bundle: Path) -> None:
    settings = ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",), max_age=0.1)
    service = Service(model, settings, shared=True)

    def call_on(_: int) -> set[str]:
        own = [("grpc.use_local_subchannel_pool", 1)]
        ends = time.monotonic() + 1.5  # some ten connections; a slow machine has fewer
        with grpc.insecure_channel(service.addresses[0], own) as channel:
            stub = GRPCInferenceServiceStub(channel)
            while time.monotonic() < ends:
                assert stub.ServerLive(pb.ServerLiveRequest(), timeout=LIMIT).live
        return set()

    with futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call_on, range(4))) == [set()] * 4
    service.stop()


def test_connections_to_several_workers_are_shared_out_again_and_again(
    model: Model, bundle: Path
) -> None:
    settings = ServiceSettings(bundle=bundle, idle_timeout=0, max_age=SHARED_AGE)
    age = "grpc.max_connection_age_ms"
    assert dict(list_options(model, settings, shared=True))[age] == SHARED_AGE * 1000
    assert age not in dict(list_options(model, settings))
