"""The sidecar against a server that plays Lambda's Extensions API."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.bundles import make_bundle
from tests.processes import PATIENCE, ROOT, run_process

SCRIPT = ROOT / "segment_scorer" / "service" / "extensions" / "segment-scorer"


class ExtensionsApi(ThreadingHTTPServer):
    """Remembers each request; answers `next` with the events it is given, when it is given them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.seen: queue.Queue[tuple[str, dict[str, str], Any]] = queue.Queue()
        self.events: queue.Queue[str] = queue.Queue()
        self.register_status = 200
        self.takes_reports = True

    def take(self) -> tuple[str, dict[str, str], Any]:
        return self.seen.get(timeout=PATIENCE)


class Answer(BaseHTTPRequestHandler):
    server: ExtensionsApi

    def do_POST(self) -> None:  # http.server's
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.remember(body)
        if self.path.endswith("/register"):
            self.answer(
                self.server.register_status,
                {"functionName": "f"},
                {"Lambda-Extension-Identifier": "id-1"},
            )
        elif self.server.takes_reports:
            self.answer(202, {"status": "OK"})

    def do_GET(self) -> None:
        self.remember(None)
        self.answer(200, {"eventType": self.server.events.get(timeout=PATIENCE), "deadlineMs": 0})

    def remember(self, body: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.put(
            (f"{self.command} {self.path.removeprefix('/2020-01-01/extension')}", headers, body)
        )

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def api() -> Iterator[ExtensionsApi]:
    server = ExtensionsApi()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def environ(api: ExtensionsApi, bundle: Path, target: str) -> dict[str, str]:
    return {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        "SCORER_TARGET": target,
        "SCORER_BUNDLE": str(bundle),
        "SEGMENT_SCORER_HOME": str(ROOT),
        "PYTHON": sys.executable,
    }


def test_registers_under_its_file_name_for_shutdown_only_listens_and_then_asks_for_events(
    api: ExtensionsApi, tmp_path: Path
) -> None:
    target = f"unix:{tmp_path}/s.sock"
    with run_process(
        [str(SCRIPT)], environ(api, make_bundle(tmp_path / "bundle"), target)
    ) as process:
        call, headers, body = api.take()
        assert (call, headers["lambda-extension-name"], body) == (
            "POST /register",
            "segment-scorer",
            {"events": ["SHUTDOWN"]},
        )
        call, headers, _ = api.take()
        assert (call, headers["lambda-extension-identifier"]) == ("GET /event/next", "id-1")
        with grpc.insecure_channel(
            target
        ) as channel:  # it asked for an event, so it must be listening already
            assert (
                GRPCInferenceServiceStub(channel)
                .ModelReady(pb.ModelReadyRequest(name="tiny"), timeout=PATIENCE)
                .ready
            )
        api.events.put("SHUTDOWN")
        process.wait_for("stopped")
        assert process.child.wait(PATIENCE) == 0
    assert api.seen.empty()


def test_reports_an_init_error_with_its_reason(api: ExtensionsApi, tmp_path: Path) -> None:
    with run_process([str(SCRIPT)], environ(api, tmp_path, f"unix:{tmp_path}/s.sock")) as process:
        assert api.take()[0] == "POST /register"
        call, headers, body = api.take()
        assert (call, headers["lambda-extension-identifier"]) == ("POST /init/error", "id-1")
        assert (
            headers["lambda-extension-function-error-type"]
            == body["errorType"]
            == "Extension.BundleError"
        )
        assert "expected a bundle" in body["errorMessage"]
        assert process.child.wait(PATIENCE) == 1


def test_says_why_it_cannot_start_even_where_lambda_takes_no_report(
    api: ExtensionsApi, tmp_path: Path
) -> None:
    api.takes_reports = False
    with run_process([str(SCRIPT)], environ(api, tmp_path, f"unix:{tmp_path}/s.sock")) as process:
        process.wait_for(
            f"{tmp_path}: expected a bundle: a directory with manifest.json and model.onnx, "
            "found no manifest.json"
        )
        assert process.child.wait(PATIENCE) == 1


def test_ends_when_lambda_refuses_to_register_it(api: ExtensionsApi, tmp_path: Path) -> None:
    api.register_status = 403
    with run_process([str(SCRIPT)], environ(api, tmp_path, f"unix:{tmp_path}/s.sock")) as process:
        process.wait_for("expected Lambda to register the extension, found HTTP status 403")
        assert process.child.wait(PATIENCE) == 1


def test_says_that_it_runs_only_inside_lambda() -> None:
    assert "AWS_LAMBDA_RUNTIME_API" not in os.environ
    with run_process(
        [str(SCRIPT)], {"SEGMENT_SCORER_HOME": str(ROOT), "PYTHON": sys.executable}
    ) as process:
        process.wait_for("AWS_LAMBDA_RUNTIME_API is not set: the extension runs only inside Lambda")
        assert process.child.wait(PATIENCE) == 1
