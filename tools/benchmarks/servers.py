"""The scoring services that are compared: real processes with the same model, always stopped.

docs/interop.md lists the settings for each.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from function.settings import Dialect, read_settings
from model.errors import SegmentScorerError
from protos.open_inference_pb2 import ModelReadyRequest
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tools.benchmarks.example import PLACE, ROOT, clean_environ, find_python
from tools.benchmarks.fits import fit_peer
from tools.image.sessions import find_free_port, stop_session

NAME = "segment-scorer"
START_SECONDS = 300.0
# Otherwise gRPC waits up to two minutes between two attempts to connect.
SOON = [("grpc.max_reconnect_backoff_ms", 1000)]


class ServerError(SegmentScorerError):
    """A server did not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server, and the dialect of its requests."""

    address: str
    pid: int
    dialect: Dialect


def command_ours(port: int) -> list[str]:
    """Our service over the shipped bundle."""
    bundle = str(read_settings({}).bundle)
    program = [sys.executable, "-m", "segment_scorer.cli.main", "serve"]
    return [*program, "--bundle", bundle, "--listen", f"127.0.0.1:{port}"]


def command_echo(port: int) -> list[str]:
    """A bare gRPC server that answers with as many bytes."""
    return [sys.executable, "-m", "tools.benchmarks.echo_server", f"127.0.0.1:{port}"]


def command_mlserver(port: int) -> list[str]:
    """MLServer with its scikit-learn runtime.

    One process: its default of parallel workers is slower on small batches.
    """
    folder = PLACE / f"mlserver-{port}"
    folder.mkdir()
    ports = {"grpc_port": port, "http_port": find_free_port(), "metrics_port": find_free_port()}
    (folder / "settings.json").write_text(
        json.dumps({"parallel_workers": 0, "host": "127.0.0.1", **ports}), encoding="utf-8"
    )
    model = {
        "name": NAME,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(fit_peer("mlserver"))},
    }
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    return [str(find_python("interop/mlserver").parent / "mlserver"), "start", str(folder)]


def command_kserve(port: int) -> list[str]:
    """KServe's model server. Its scikit-learn runtime is no package, so it is written again."""
    script = ROOT / "tests" / "interop" / "peers" / "kserve_server.py"
    ports = [f"--grpc_port={port}", f"--http_port={find_free_port()}"]
    return [str(find_python("interop/kserve")), str(script), NAME, str(fit_peer("kserve")), *ports]


MLSERVER, KSERVE = (
    Dialect(model=NAME, output_name="predict_proba"),
    Dialect(model=NAME, output_name="output-0"),
)
# By default, scikit-learn's predictor uses one thread for each core.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
OURS, ECHO = "our service", "a bare echo"
SERVERS: dict[str, tuple[Callable[[int], list[str]], Dialect, dict[str, str]]] = {
    OURS: (command_ours, Dialect(model=NAME), {}),
    "MLServer": (command_mlserver, MLSERVER, {}),
    "KServe": (command_kserve, KSERVE, {}),
    "MLServer, one thread": (command_mlserver, MLSERVER, ONE_THREAD),
    "KServe, one thread": (command_kserve, KSERVE, ONE_THREAD),
}


@contextlib.contextmanager
def run_server(name: str) -> Iterator[Server]:
    """Start a server, yield it once its model is ready, and stop it. Raises ServerError."""
    if name == ECHO:
        with run_command(ECHO, command_echo, SERVERS[OURS][1], {}) as server:
            yield server
        return
    make_command, dialect, environ = SERVERS[name]
    with run_command(name, make_command, dialect, environ) as server:
        yield server


@contextlib.contextmanager
def run_workers(count: int) -> Iterator[Server]:
    """Our service with several workers, or with one."""

    def command(port: int) -> list[str]:
        # Each worker admits all clients: for some seconds one may have nearly all.
        return [*command_ours(port), "--workers", str(count), "--max-calls", "64"]

    with run_command(f"{OURS}, {count} workers", command, SERVERS[OURS][1], {}) as server:
        yield server


@contextlib.contextmanager
def run_command(
    name: str,
    make_command: Callable[[int], list[str]],
    dialect: Dialect,
    environ: Mapping[str, str],
) -> Iterator[Server]:
    """Start a server's command, yield it once its model is ready, and stop it."""
    port = find_free_port()
    log = PLACE / f"{name.replace(', ', '-').replace(' ', '-')}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            make_command(port),
            cwd=PLACE,
            env=clean_environ(**environ),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    address = f"127.0.0.1:{port}"
    try:
        wait_until_ready(process, address, log)
        yield Server(address=address, pid=process.pid, dialect=dialect)
    finally:
        stop_session(process)
        shutil.rmtree(PLACE / f"mlserver-{port}", ignore_errors=True)


def wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Return once the server reports that its model is ready. Raises ServerError."""
    deadline = time.monotonic() + START_SECONDS
    with grpc.insecure_channel(address, SOON) as channel:
        stub = GRPCInferenceServiceStub(channel)
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(grpc.RpcError):
                if stub.ModelReady(ModelReadyRequest(name=NAME), timeout=2).ready:
                    return
            time.sleep(0.2)
    raise ServerError(
        f"expected the server to be ready within {START_SECONDS:g} s; "
        f"its output is in {os.path.relpath(log, ROOT)}"
    )
