"""Our client, unmodified, against real servers: MLServer, KServe and Triton.

Each serves a model of the example's people. INTEROP_RECORD=1 writes the bytes of a small batch to
tests/recordings/, where the default tests replay them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from msgspec.structs import asdict, replace

from function.errors import ScorerError, ScorerRejected
from function.scorers.bundled import BundledScorer
from function.scorers.remote import RemoteScorer
from function.scorers.tensors import build_request
from function.settings import Dialect, RemoteSettings
from model.bundle import load_bundle
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.interop.conftest import PEERS, Example, Fitted, fit_in, require_python
from tests.interop.prepare import ROOT
from tools.image.sessions import find_free_port, stop_session

pytestmark = pytest.mark.interop
NAME = "segment-scorer"
LIMIT = 30.0
BATCH = 50
RECORDED_ROWS = 5
# A peer imports for a minute on a busy machine. gRPC waits up to two minutes between connections.
START_SECONDS = 300
SOON = [("grpc.max_reconnect_backoff_ms", 1000)]
PLAIN = [("FP32", "raw"), ("FP32", "contents"), ("FP64", "raw"), ("FP64", "contents")]
# peer -> how its server wants to be asked, the forms it takes, its answer to a health check
DIALECTS = {
    "mlserver": Dialect(model=NAME, output_name="predict_proba"),
    "kserve": Dialect(model=NAME, output_name="output-0"),
    "triton": Dialect(model=NAME, version="1"),
}
FORMS = {"mlserver": PLAIN, "kserve": PLAIN, "triton": PLAIN[:2]}
HEALTH = {"mlserver": "UNIMPLEMENTED", "kserve": "UNIMPLEMENTED", "triton": "SERVING"}
# peer, case -> what is wrong with the question, and the sentence our client ends in
WRONG = {
    ("mlserver", "no output asked"): ({"output_name": ""}, "labels or other values"),
    ("mlserver", "another model"): ({"model": "other"}, "NOT_FOUND"),
    ("kserve", "another model"): ({"model": "other"}, "NOT_FOUND"),
    ("triton", "another datatype"): ({"datatype": "FP64"}, "INVALID_ARGUMENT"),
    ("triton", "another input"): ({"input_name": "x"}, "INVALID_ARGUMENT"),
    ("triton", "another output"): ({"output_name": "predict_proba"}, "INVALID_ARGUMENT"),
    ("triton", "another model"): ({"model": "other"}, "NOT_FOUND"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A running foreign server, and the model it serves."""

    name: str
    address: str
    fitted: Fitted


def serve_mlserver(fitted: Fitted, folder: Path, port: int) -> list[str]:
    settings = {
        "parallel_workers": 0,
        "host": "127.0.0.1",
        "grpc_port": port,
        "http_port": find_free_port(),
        "metrics_port": find_free_port(),
    }
    model = {
        "name": NAME,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(fitted.file)},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    return [str(require_python("mlserver").parent / "mlserver"), "start", str(folder)]


def serve_kserve(fitted: Fitted, folder: Path, port: int) -> list[str]:
    ports = [f"--grpc_port={port}", f"--http_port={find_free_port()}"]
    return [
        str(require_python("kserve")),
        str(PEERS / "kserve_server.py"),
        NAME,
        str(fitted.file),
        *ports,
    ]


def serve_triton(fitted: Fitted, folder: Path, port: int) -> list[str]:
    python = require_python("triton")
    versions = sysconfig.get_python_version()
    packages = python.parent.parent / "lib" / f"python{versions}" / "site-packages"
    triton = packages / "pytriton" / "tritonserver"
    backends = folder / "backends"
    shutil.copytree(triton / "backends", backends)
    shutil.copy(
        triton / "python_backend_stubs" / versions / "triton_python_backend_stub",
        backends / "python",
    )
    place = folder / "repository" / NAME / "1"
    place.mkdir(parents=True)
    shutil.copy(PEERS / "triton_model.py", place / "model.py")
    shutil.copy(fitted.file, place / "model.joblib")
    width = len(load_bundle(ROOT / "model" / "artifact").spec.columns)
    (place.parent / "config.pbtxt").write_text(
        (PEERS / "triton_config.pbtxt").read_text().replace("WIDTH", str(width))
    )
    # The environment goes through env(1) so that the three peers start alike.
    command = [
        "env",
        f"LD_LIBRARY_PATH={packages / 'nvidia_pytriton.libs'}",
        f"PEER_PACKAGES={packages}",
        str(triton / "bin" / "tritonserver"),
    ]
    if subprocess.run([*command, "--help"], capture_output=True, check=False).returncode not in {
        0,
        1,
    }:
        pytest.skip("the tritonserver in nvidia-pytriton does not run on this machine")
    return [
        *command,
        f"--model-repository={place.parent.parent}",
        f"--backend-directory={backends}",
        f"--grpc-port={port}",
        "--grpc-address=127.0.0.1",
        "--allow-http=false",
        "--allow-metrics=false",
    ]


SERVE = {"mlserver": serve_mlserver, "kserve": serve_kserve, "triton": serve_triton}


@contextmanager
def run_peer(name: str, fitted: Fitted, folder: Path) -> Iterator[Peer]:
    """Start a peer and wait until it says that its model is ready."""
    port = find_free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            SERVE[name](fitted, folder, port),
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"127.0.0.1:{port}"
    try:
        with grpc.insecure_channel(address, SOON) as channel:
            stub = GRPCInferenceServiceStub(channel)
            deadline = time.monotonic() + START_SECONDS
            while True:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                try:
                    if stub.ModelReady(pb.ModelReadyRequest(name=NAME), timeout=2).ready:
                        break
                except grpc.RpcError:
                    time.sleep(0.2)
        yield Peer(name=name, address=address, fitted=fitted)
    finally:
        stop_session(process)


@pytest.fixture(scope="module", params=list(SERVE))
def peer(
    request: pytest.FixtureRequest, example: Example, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    fitted = fit_in(request.param, example)
    with run_peer(request.param, fitted, tmp_path_factory.mktemp(request.param)) as peer:
        yield peer


def ask(peer: Peer, dialect: Dialect, rows: np.ndarray) -> np.ndarray:
    return RemoteScorer(
        RemoteSettings(target=peer.address, dialect=dialect, call_cap=LIMIT)
    ).score_batch(rows, LIMIT)


def record(peer: Peer, case: str, dialect: Dialect, example: Example, refused: str | None) -> None:
    """Write the bytes of a small batch, as sent and as answered, when asked to."""
    if os.environ.get("INTEROP_RECORD") != "1":
        return
    folder = ROOT / "tests" / "recordings" / peer.name
    folder.mkdir(parents=True, exist_ok=True)
    request = build_request(example.asked[:RECORDED_ROWS], dialect).SerializeToString()
    with grpc.insecure_channel(peer.address) as channel:
        answer: bytes = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(
            request, timeout=LIMIT
        )
    stem = case.replace(" ", "-")
    (folder / f"{stem}.request.bin").write_bytes(request)
    (folder / f"{stem}.answer.bin").write_bytes(answer)
    facts = {
        "dialect": asdict(dialect),
        "scores": peer.fitted.scores[:RECORDED_ROWS].tolist(),
        "refused": refused,
    }
    (folder / f"{stem}.json").write_text(json.dumps(facts, indent=1) + "\n")


def test_scores_as_the_model_itself_does_in_every_form_the_peer_takes(
    peer: Peer, example: Example
) -> None:
    for datatype, encoding in FORMS[peer.name]:
        dialect = replace(DIALECTS[peer.name], datatype=datatype, encoding=encoding)
        batches = [
            ask(peer, dialect, example.asked[start : start + BATCH])
            for start in range(0, len(example.asked), BATCH)
        ]
        difference = np.abs(np.concatenate(batches) - peer.fitted.scores).max()
        print(f"{peer.name} {datatype} {encoding}: largest difference {difference:.1e}")
        assert difference <= 1e-6
        record(peer, f"{datatype} {encoding}", dialect, example, None)


def test_scores_as_the_shipped_bundle_does(peer: Peer, example: Example) -> None:
    """The same people and settings give the same model, even with another scikit-learn."""
    bundled = BundledScorer(load_bundle(ROOT / "model" / "artifact")).score_batch(
        example.asked, LIMIT
    )
    rows = example.asked[:BATCH]
    difference = np.abs(ask(peer, DIALECTS[peer.name], rows) - bundled[:BATCH]).max()
    print(f"{peer.name} against the shipped bundle: largest difference {difference:.1e}")
    assert difference <= 1e-6


def test_refuses_with_its_own_sentence_what_the_peer_cannot_answer(
    peer: Peer, example: Example
) -> None:
    for (name, case), (change, sentence) in WRONG.items():
        if name != peer.name:
            continue
        dialect = replace(DIALECTS[name], **change)
        with pytest.raises(ScorerError) as caught:
            ask(peer, dialect, example.asked[:RECORDED_ROWS])
        print(f"{name}, {case}: {type(caught.value).__name__}: {caught.value}")
        assert sentence in str(caught.value)
        if "gRPC" not in str(caught.value):
            assert isinstance(caught.value, ScorerRejected)
            record(peer, case, dialect, example, sentence)


def test_says_that_it_is_ready_by_the_protocols_own_calls(peer: Peer) -> None:
    with grpc.insecure_channel(peer.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerReady(pb.ServerReadyRequest(), timeout=LIMIT).ready
        assert stub.ModelReady(pb.ModelReadyRequest(name=NAME), timeout=LIMIT).ready
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=LIMIT
            )
            health = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except grpc.RpcError as error:
            health = error.code().name
    assert health == HEALTH[peer.name]
