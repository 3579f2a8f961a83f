"""Clients that send too little, too much or nonsense: the service stays reachable for the others.

The bullets of "Hostile inputs" that concern the scoring service.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import resource
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from function.scorers.tensors import build_request, read_scores
from function.settings import Dialect
from model.features import Matrix
from model.runtime import ModelFacts
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from segment_scorer.service.log import start_log
from segment_scorer.service.probe import is_ready
from segment_scorer.service.server import Service, load_model
from segment_scorer.service.session import Model
from segment_scorer.service.settings import ServiceSettings
from tests import h2
from tests.bundles import make_bundle, make_rows
from tests.processes import PATIENCE, run_process

OURS = Dialect(model="tiny")
LIMIT = 120.0  # seconds for a call that should take milliseconds
INFER = "/inference.GRPCInferenceService/ModelInfer"
UNARY = [
    *(
        f"/inference.GRPCInferenceService/{name}"
        for name in ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata")
    ),
    INFER,
    "/grpc.health.v1.Health/Check",
]
STREAMS = [
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("service") / "bundle")


@pytest.fixture(scope="module")
def model(bundle: Path) -> Model:
    return load_model(bundle)


@contextlib.contextmanager
def run_service(model: Model, bundle: Path, **settings: Any) -> Iterator[str]:
    service = Service(model, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",), **settings))
    try:
        yield service.addresses[0]
    finally:
        service.stop()


def open_call(channel: grpc.Channel, path: str, end: threading.Event) -> Any:
    """A call that sends its headers and no message, until `end`."""

    def wait() -> Iterator[bytes]:
        end.wait(LIMIT)
        yield from ()

    return channel.stream_stream(path)(wait(), timeout=LIMIT)


def answers(channel: grpc.Channel) -> None:
    """Assert that inference, readiness and health answer."""
    stub = GRPCInferenceServiceStub(channel)
    reply = stub.ModelInfer(build_request(make_rows(3), OURS), timeout=LIMIT)
    assert len(read_scores(reply, 3, OURS)) == 3
    assert_healthy(channel)


def assert_healthy(channel: grpc.Channel) -> None:
    assert GRPCInferenceServiceStub(channel).ServerReady(pb.ServerReadyRequest(), timeout=LIMIT)
    check = health_pb2_grpc.HealthStub(channel).Check
    status = check(health_pb2.HealthCheckRequest(service="tiny"), timeout=LIMIT).status
    assert status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("calls", [24, 300])
@pytest.mark.parametrize("path", [INFER, *STREAMS, UNARY[-1]])
def test_calls_that_never_send_their_message_silence_nothing(
    model: Model, bundle: Path, path: str, calls: int
) -> None:
    end = threading.Event()
    with (
        run_service(model, bundle, max_calls=2, call_timeout=LIMIT) as address,
        grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as hostile,
        grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel,
    ):
        opened = [open_call(hostile, path, end) for _ in range(calls)]
        answers(channel)
        assert is_ready(address)
        # Reflection admits four streams; the others are refused.
        assert sum(call.is_active() for call in opened) >= min(calls, 4)
        end.set()
        for call in opened:
            call.cancel()


def test_a_stop_waits_for_what_is_still_to_be_told(model: Model, bundle: Path) -> None:
    service = Service(model, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",)))
    # As gRPC's own tasks, which end a little later than the calls that they belong to.
    late = asyncio.run_coroutine_threadsafe(asyncio.sleep(0.2, "told"), service._loop)
    service.stop()
    assert late.result(timeout=0) == "told"


@pytest.mark.parametrize("path", UNARY + STREAMS)
def test_a_call_without_its_message_ends_after_the_call_timeout(
    model: Model, bundle: Path, path: str
) -> None:
    log, end = io.StringIO(), threading.Event()
    start_log("info", log)
    with (
        run_service(model, bundle, call_timeout=0.2) as address,
        grpc.insecure_channel(address) as channel,
    ):
        call = open_call(channel, path, end)
        assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "expected the whole request within 0.2 s" in call.details()
        end.set()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    shown = [[line.get(key) for key in ("message", "status", "call", "error")] for line in lines]
    assert shown == [["refused", "DEADLINE_EXCEEDED", path.rpartition("/")[2], None]]


def test_a_call_with_half_a_message_ends_after_the_call_timeout(model: Model, bundle: Path) -> None:
    with (
        run_service(model, bundle, call_timeout=0.2) as address,
        h2.connect(address, LIMIT) as connection,
    ):
        stream = connection.begin_call(INFER)
        connection.send(stream, b"\0" + (1000).to_bytes(4, "big") + b"half")
        assert connection.wait_for_end(stream)


def test_a_connection_that_says_nothing_is_closed_after_the_call_timeout(
    model: Model, bundle: Path
) -> None:
    with run_service(model, bundle, call_timeout=0.2) as address:
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), LIMIT) as silent:
            while silent.recv(1024):
                pass  # the server's own settings come first


def test_an_idle_connection_is_closed_after_the_idle_timeout(model: Model, bundle: Path) -> None:
    with (
        run_service(model, bundle, idle_timeout=0.2) as address,
        h2.connect(address, LIMIT) as connection,
    ):
        assert h2.AWAY in [kind for kind, _, _ in connection.frames()]  # and then the end


def test_a_connection_over_the_limit_is_closed_and_the_others_go_on(
    model: Model, bundle: Path
) -> None:
    with (
        run_service(model, bundle, max_connections=2, call_timeout=LIMIT) as address,
        h2.connect(address, LIMIT) as first,
        h2.connect(address, LIMIT) as second,
    ):
        for connection in (first, second):
            assert next(connection.frames())[0] == h2.SETTINGS
        with contextlib.suppress(ConnectionError), h2.connect(address, LIMIT) as third:
            assert list(third.frames()) == []
        stream = first.begin_call(UNARY[0])
        first.send(stream, b"\0\0\0\0\0", h2.END_STREAM)
        assert first.wait_for_end(stream)


def test_1200_idle_connections_leave_the_probe_and_then_everybody_a_connection(
    bundle: Path, tmp_path: Path
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    probe = f"unix:{tmp_path}/probe.sock"
    options = f"--bundle {bundle} --listen 127.0.0.1:0 --probe {probe} --idle-timeout 3"
    command = f"ulimit -n 256; exec {sys.executable} -m segment_scorer.service {options}"
    with run_process(["sh", "-c", command]) as process, contextlib.ExitStack() as stack:
        address, _ = process.wait_for("listening")["addresses"]
        idle = []
        for _ in range(1200):
            with contextlib.suppress(ConnectionError):
                idle.append(stack.enter_context(h2.connect(address, LIMIT)))
        assert len(idle) > 256
        assert is_ready(probe)  # an address has descriptors of its own
        deadline = time.monotonic() + PATIENCE
        while not is_ready(address):
            assert time.monotonic() < deadline
    assert not [line for line in process.lines if "Traceback" in line]


@pytest.mark.parametrize(
    ("path", "messages"),
    [
        *((path, [b"\xff\xff not protobuf"]) for path in UNARY + STREAMS),
        *((path, []) for path in UNARY + STREAMS[:1]),  # a stream of requests may be empty
    ],
)
def test_what_is_no_message_is_answered_invalid_argument_and_logged(
    model: Model, bundle: Path, path: str, messages: list[bytes]
) -> None:
    log = io.StringIO()
    start_log("info", log)
    with (
        run_service(model, bundle) as address,
        grpc.insecure_channel(address) as channel,
    ):
        call = channel.stream_stream(path)(iter(messages), timeout=LIMIT)
        assert call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "expected a message of type " in call.details()
        answers(channel)
    (line,) = map(json.loads, log.getvalue().splitlines())
    assert (line["level"], line["message"]) == ("WARNING", "refused")
    assert (line["call"], line["status"]) == (path.rpartition("/")[2], "INVALID_ARGUMENT")


class Slow:
    """A model that computes in `seconds`, or once `go` is set. Counts how many compute at once."""

    def __init__(self, model: Model, wait: Callable[[], object]) -> None:
        self.facts: ModelFacts = model.facts
        self._model = model
        self._wait = wait
        self._lock = threading.Lock()
        self.now = self.most = 0

    def compute(self, matrix: Matrix, outputs: Sequence[str]) -> Mapping[str, np.ndarray]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self._wait()
        with self._lock:
            self.now -= 1
        return self._model.compute(matrix, outputs)


def count_codes(calls: list[Any]) -> Counter[str]:
    return Counter(call.code().name for call in calls)


def test_200_clients_at_once_are_refused_beyond_max_calls_before_any_queue(
    model: Model, bundle: Path
) -> None:
    go = threading.Event()
    slow = Slow(model, lambda: go.wait(LIMIT))
    with (
        run_service(slow, bundle, max_calls=16) as address,
        grpc.insecure_channel(address) as channel,
    ):
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        request = build_request(make_rows(50), OURS)
        calls = [infer.future(request, timeout=LIMIT) for _ in range(200)]
        refused = []
        for done in futures.as_completed(map(wait_for, calls)):  # 184 while nothing is computed
            refused.append(done.result())
            if len(refused) == 200 - 16:
                break
        assert count_codes(refused) == {"RESOURCE_EXHAUSTED": 184}
        go.set()
        assert count_codes(calls) == {"OK": 16, "RESOURCE_EXHAUSTED": 184}
        assert slow.most == 16


def wait_for(call: Any) -> futures.Future[Any]:
    future: futures.Future[Any] = futures.Future()
    call.add_done_callback(lambda _: future.set_result(call))
    return future


def test_health_readiness_and_probe_answer_while_every_admitted_inference_runs(
    model: Model, bundle: Path
) -> None:
    go = threading.Event()
    slow = Slow(model, lambda: go.wait(LIMIT))
    with (
        run_service(slow, bundle, max_calls=4) as address,
        grpc.insecure_channel(address) as channel,
    ):
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        calls = [infer.future(build_request(make_rows(50), OURS), timeout=LIMIT) for _ in range(4)]
        deadline = time.monotonic() + LIMIT
        while slow.now < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(20):
            assert_healthy(channel)
            assert is_ready(address)
        go.set()
        assert count_codes(calls) == {"OK": 4}


def test_a_caller_that_gives_up_frees_its_place_once_its_inference_has_ended(
    model: Model, bundle: Path
) -> None:
    go = threading.Event()
    slow = Slow(model, lambda: go.wait(LIMIT))
    with (
        run_service(slow, bundle, max_calls=1) as address,
        grpc.insecure_channel(address) as channel,
    ):
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        request = build_request(make_rows(50), OURS)
        given_up = infer.future(request, timeout=LIMIT)
        deadline = time.monotonic() + LIMIT
        while slow.now < 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        given_up.cancel()
        with pytest.raises(grpc.RpcError, match="too many inferences"):
            infer(request, timeout=LIMIT)  # the thread still computes
        go.set()
        while time.monotonic() < deadline:
            with contextlib.suppress(grpc.RpcError):
                infer(request, timeout=LIMIT)
                return
        raise AssertionError("the place was never free again")


class Faulty:
    """A model with a fault that nobody foresaw."""

    def __init__(self, model: Model) -> None:
        self.facts: ModelFacts = model.facts

    def compute(self, matrix: Matrix, outputs: Sequence[str]) -> Mapping[str, np.ndarray]:
        raise ZeroDivisionError(f"of {matrix[0, 0]}")


def test_an_unforeseen_fault_is_logged_by_its_class_and_without_a_value(
    model: Model, bundle: Path
) -> None:
    log = io.StringIO()
    start_log("info", log)
    with (
        run_service(Faulty(model), bundle) as address,
        grpc.insecure_channel(address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        GRPCInferenceServiceStub(channel).ModelInfer(
            build_request(np.full((1, 4), 1234.5, np.float32), OURS), timeout=LIMIT
        )
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    (line,) = map(json.loads, log.getvalue().splitlines())
    assert (line["level"], line["message"]) == ("ERROR", "failed")
    assert (line["call"], line["error"]) == ("ModelInfer", "ZeroDivisionError")
    assert "1234" not in log.getvalue() + str(caught.value)


def test_a_watcher_that_leaves_takes_no_other_watcher_with_it(model: Model, bundle: Path) -> None:
    service = Service(model, ServiceSettings(bundle=bundle, listen=("127.0.0.1:0",), grace=LIMIT))
    with grpc.insecure_channel(service.addresses[0]) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch
        request = health_pb2.HealthCheckRequest(service="tiny")
        leaves, stays = watch(request, timeout=LIMIT), watch(request, timeout=LIMIT)
        for stream in (leaves, stays):
            assert next(stream).status == health_pb2.HealthCheckResponse.SERVING
        leaves.cancel()
        assert leaves.code() is grpc.StatusCode.CANCELLED
        assert_healthy(channel)
        stopped = service.drain()
        # The watcher is told, and does not hold the server up for the grace.
        statuses = [answer.status for answer in stays]
        assert statuses == [health_pb2.HealthCheckResponse.NOT_SERVING]
        assert stopped.wait(LIMIT / 2)
    service.stop()
