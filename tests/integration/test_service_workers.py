"""Several processes on one port: shared, supervised, counted together and drained together."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from function.correlation import Correlation
from function.scorers.remote import RemoteScorer
from function.scorers.tensors import build_request
from function.settings import Dialect, RemoteSettings
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.bundles import make_bundle, make_rows
from tests.integration.test_service_process import probe, start_and_fail
from tests.processes import PATIENCE, Server, run_server

OURS = Dialect(model="tiny")
CONNECTIONS = 16
LONG_ENOUGH = 30.0  # seconds; an idle worker drains at once
LOCAL = {"SERVE_PROBE": ""}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("service") / "bundle")


@pytest.fixture(scope="module")
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"unix:{tmp_path_factory.mktemp('probe')}/p.sock"


@pytest.fixture(scope="module")
def pair(bundle: Path, socket_path: str) -> Iterator[Server]:
    """Two workers with metrics and a socket for the probe."""
    options = ("--workers", "2", "--metrics", "127.0.0.1:0", "--log-level", "debug")
    with run_server(bundle, *options, "--probe", socket_path) as server:
        yield server


def listening(server: Server) -> dict[str, Any]:
    lines = [json.loads(line) for line in server.lines]
    return next(line for line in lines if line["message"] == "listening")


def scrape(server: Server) -> dict[tuple[str, ...], float]:
    """The metrics: (name, values of labels ...) -> value."""
    with urllib.request.urlopen(f"http://{listening(server)['metrics']}/metrics") as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def ask(server: Server, connections: int = CONNECTIONS, calls: int = 2) -> None:
    """Score `calls` batches over each of several connections."""
    settings = RemoteSettings(target=server.address, dialect=OURS, call_cap=PATIENCE)
    for _ in range(connections):
        scorer = RemoteScorer(settings)
        for _ in range(calls):
            scorer.score_batch(make_rows(5), PATIENCE)
        scorer.close()


def children(server: Server) -> list[int]:
    path = Path(f"/proc/{server.child.pid}/task/{server.child.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def wait_for_line(server: Server, message: str, **fields: Any) -> dict[str, Any]:
    while True:
        line = server.wait_for(message)
        if all(line.get(name) == value for name, value in fields.items()):
            return line


def test_both_workers_answer_and_their_counts_are_added_up(pair: Server) -> None:
    before = scrape(pair).get(("segment_scorer_calls_total", "ModelInfer", "OK"), 0.0)
    asked = 0
    for _ in range(20):  # connections go to a worker by their hash
        ask(pair)
        asked += CONNECTIONS * 2
        answered = [json.loads(line) for line in list(pair.lines) if '"answered"' in line]
        if {line["worker"] for line in answered} == {0, 1}:
            break
    else:
        raise AssertionError("expected both workers to answer")
    found = scrape(pair)
    assert found["segment_scorer_calls_total", "ModelInfer", "OK"] == before + asked
    assert found["segment_scorer_rows_total",] == 5 * (before + asked)
    assert found["segment_scorer_infer_seconds_count",] == before + asked
    assert found["segment_scorer_infer_seconds_bucket", "+Inf"] == before + asked
    assert found["segment_scorer_queue",] == 0
    assert found["segment_scorer_model", "tiny", "3"] == 1
    assert found["segment_scorer_workers",] == 2
    assert found["process_resident_memory_bytes",] > 0


def test_refusals_are_counted_by_reason_and_calls_by_status(pair: Server) -> None:
    before = scrape(pair)
    with grpc.insecure_channel(pair.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        for request in (
            pb.ModelInferRequest(model_name="other"),
            build_request(make_rows(5), OURS),
        ):
            request.model_version = "no such version"
            with pytest.raises(grpc.RpcError):
                stub.ModelInfer(request, timeout=PATIENCE)
    after = scrape(pair)
    for key in (
        ("segment_scorer_refusals_total", "unknown"),
        ("segment_scorer_calls_total", "ModelInfer", "NOT_FOUND"),
    ):
        assert after[key] == before.get(key, 0) + 2


def test_a_batch_is_followed_into_the_services_lines(pair: Server) -> None:
    ids = Correlation(
        function_request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        xray_trace_id="1-5759e988-bd862e3fe1be46a994272793",
    )
    scorer = RemoteScorer(RemoteSettings(target=pair.address, dialect=OURS, call_cap=PATIENCE))
    scorer.score_batch(make_rows(5), PATIENCE, ids)
    scorer.close()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = [line for line in list(pair.lines) if ids.function_request_id in line]
        if lines:
            break
        time.sleep(0.02)
    (line,) = map(json.loads, lines)
    assert (line["message"], line["xray_trace_id"]) == ("answered", ids.xray_trace_id)


def test_a_second_server_is_refused_with_workers_and_without(pair: Server, bundle: Path) -> None:
    for workers in ("1", "2"):
        said = start_and_fail(
            "--bundle", str(bundle), "--listen", pair.address, "--workers", workers
        )
        (line,) = map(json.loads, said.splitlines())
        assert "cannot listen on" in line["message"]


def test_the_first_worker_answers_the_probe(pair: Server, socket_path: str) -> None:
    assert probe(socket_path) == 0


def test_a_dead_worker_is_started_again_and_what_it_counted_stays(pair: Server) -> None:
    ask(pair, 1)
    before = scrape(pair)["segment_scorer_calls_total", "ModelInfer", "OK"]
    os.kill(children(pair)[-1], signal.SIGKILL)
    ended = pair.wait_for("worker ended")
    assert (ended["level"], ended["ended"]) == ("WARNING", "SIGKILL")
    wait_for_line(pair, "worker listens", worker=ended["worker"])
    ask(pair)
    found = scrape(pair)
    assert found["segment_scorer_worker_restarts_total",] == 1
    assert found["segment_scorer_workers",] == 2
    assert found["segment_scorer_calls_total", "ModelInfer", "OK"] >= before + CONNECTIONS * 2


def test_every_line_of_the_log_is_json(pair: Server) -> None:
    ask(pair, 1)
    assert all(isinstance(json.loads(line), dict) for line in list(pair.lines))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_all_workers_drain_together(bundle: Path, number: int) -> None:
    with run_server(bundle, "--workers", "2", environ=LOCAL) as server:
        ask(server, 4)
        server.signal(number)
        server.wait_for("minute")
        server.wait_for("draining")
        server.wait_for("stopped")
        assert server.child.wait(PATIENCE) == 0
        lines = [json.loads(line) for line in server.lines]
    draining = [line.get("worker") for line in lines if line["message"] == "draining"]
    assert sorted(map(str, draining)) == ["0", "1", "None"]


def test_workers_end_when_their_supervisor_is_killed(bundle: Path) -> None:
    with run_server(bundle, "--workers", "2", environ=LOCAL) as server:
        pids = children(server)
        assert len(pids) == 2
        server.signal(signal.SIGKILL)
        server.child.wait(PATIENCE)
        deadline = time.monotonic() + LONG_ENOUGH
        while (alive := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in alive:  # or they would keep the pipe open that the test reads to its end
            os.kill(pid, signal.SIGKILL)
        assert not alive
        drained = [server.wait_for("draining")["worker"] for _ in pids]
        assert sorted(drained) == [0, 1]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_health_watcher_does_not_hold_the_drain(bundle: Path, workers: str) -> None:
    options = ("--workers", workers, "--grace", "3600")
    with (
        run_server(bundle, *options, environ=LOCAL) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        watches = [
            stub.Watch(health_pb2.HealthCheckRequest(service=name)) for name in ("", "other")
        ]
        for watch in watches:
            next(watch)
        server.signal(signal.SIGTERM)
        assert server.child.wait(PATIENCE) == 0


def test_an_idle_reflection_stream_does_not_hold_the_drain(bundle: Path) -> None:
    options = ("--grace", "3600", "--call-timeout", "3600")
    with (
        run_server(bundle, *options, environ=LOCAL) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        asked, done = threading.Event(), threading.Event()

        def requests() -> Iterator[Any]:
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            asked.set()
            done.wait(PATIENCE)

        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = stub.ServerReflectionInfo(requests())
        assert next(answers).list_services_response.service
        assert asked.wait(PATIENCE)
        server.signal(signal.SIGTERM)
        try:
            assert server.child.wait(PATIENCE) == 0
        finally:
            done.set()


def test_workers_and_a_unix_socket_do_not_go_together(bundle: Path, tmp_path: Path) -> None:
    said = start_and_fail(
        "--bundle", str(bundle), "--workers", "2", "--listen", f"unix:{tmp_path}/s.sock"
    )
    (line,) = map(json.loads, said.splitlines())
    assert "a Unix socket belongs to one process" in line["message"]


def test_a_worker_that_cannot_start_is_told_and_ends_the_service(tmp_path: Path) -> None:
    said = start_and_fail("--bundle", str(tmp_path), "--workers", "2", "--listen", "127.0.0.1:0")
    lines = [json.loads(line) for line in said.splitlines()]
    assert "expected a bundle" in lines[0]["message"]
    assert lines[-1]["message"] == "a worker could not start; the log says why"


def test_one_process_serves_metrics_too(bundle: Path) -> None:
    with run_server(bundle, "--metrics", "127.0.0.1:0") as server:
        ask(server, 1)
        found = scrape(server)
        assert found["segment_scorer_calls_total", "ModelInfer", "OK"] == 2
        assert found["segment_scorer_workers",] == 1
        address = listening(server)["metrics"]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{address}/other")
        said = start_and_fail(
            "--bundle", str(bundle), "--listen", "127.0.0.1:0", "--metrics", address
        )
        assert "--metrics: cannot listen on" in said


def test_wrong_usage_is_a_line_of_json_too() -> None:
    said = start_and_fail("--max-rows", "many", status={2})
    (line,) = map(json.loads, said.splitlines())
    assert line["level"] == "ERROR"
    assert "--max-rows: expected a whole number" in line["message"]
