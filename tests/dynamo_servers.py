"""DynamoDB for tests, on loopback: dynalite (npm), moto, and a server that fails as it is told."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).parent.parent
LOCK = Path(__file__).parent / "dynalite"
PATIENCE = 60.0
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def install_dynalite() -> Path:
    """Install dynalite once, from its lock file and without package scripts; give its command.

    Its folder below .cache is named after the lock file's digest.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(
            "dynalite needs node and npm, which are not installed; only moto stands in for DynamoDB"
        )
    lock = (LOCK / "package-lock.json").read_bytes()
    folder = ROOT / ".cache" / f"dynalite-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            staging = Path(fresh) / "dynalite"
            shutil.copytree(LOCK, staging)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                command, cwd=staging, capture_output=True, text=True, check=False, timeout=300
            )
            if done.returncode:
                pytest.skip(
                    "dynalite could not be installed by npm ci; moto stands in for DynamoDB alone"
                )
            with contextlib.suppress(OSError):  # another worker of the tests was first
                staging.rename(folder)
    return folder / "node_modules" / "dynalite" / "cli.js"


class Server:
    """A server process on a free port; `url` is where it listens."""

    def __init__(self, command: Callable[[int], list[str]]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command(self.port)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **CREDENTIALS},
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.kill()
        raise AssertionError(f"expected {self._command[0]} to listen")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None


SERVERS: dict[str, Callable[[int], list[str]]] = {
    "dynalite": lambda port: [
        "node",
        str(install_dynalite()),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--createTableMs",
        "0",
    ],
    "moto": lambda port: [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
}


@contextmanager
def run_server(name: str) -> Iterator[Server]:
    server = Server(SERVERS[name])
    try:
        yield server
    finally:
        server.kill()


def open_admin(url: str) -> Any:
    """A client that makes tables."""
    return boto3.session.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  # no secret: the servers take any
        region_name="eu-west-1",
    ).client("dynamodb", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))


def create_table(url: str, table: str, key: str = "id", sort_key: str = "") -> None:
    names = [key, *([sort_key] if sort_key else [])]
    client = open_admin(url)
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
        ],
    )
    client.get_waiter("table_exists").wait(
        TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    client.close()


# What the faulty server does with one call: it gets the handler and the call, and may send.
Act = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    """Hands a call to the next act of the server."""

    protocol_version = "HTTP/1.1"
    server: Faulty

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append(call)
        acts = self.server.acts
        (acts.pop(0) if len(acts) > 1 else acts[0])(self, call)

    def send(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        pass


class Faulty(ThreadingHTTPServer):
    """Performs one act per call, the last one for all further calls.

    `calls` are the requests so far. An act that takes long ends when `over` is set.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, *acts: Act) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.acts = list(acts)
        self.calls: list[dict[str, Any]] = []
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: these tests are about clients that leave."""


@contextmanager
def run_faulty(*acts: Act) -> Iterator[Faulty]:
    server = Faulty(*acts)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
