"""The service as a process: its addresses, how it ends, its message when it cannot start."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import grpc
import pytest

from function.scorers.tensors import build_request, read_scores
from function.settings import Dialect
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.bundles import make_bundle, make_rows
from tests.certificates import Authority, Pair
from tests.processes import PATIENCE, ROOT, run_process, run_server

OURS = Dialect(model="tiny")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("service") / "bundle")


def score(channel: grpc.Channel) -> int:
    return len(
        read_scores(
            GRPCInferenceServiceStub(channel).ModelInfer(
                build_request(make_rows(5), OURS), timeout=PATIENCE
            ),
            5,
            OURS,
        )
    )


def start_and_fail(*options: str, status: Collection[int] = (1,)) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "segment_scorer.cli.main", "serve", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode in status
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_drains_and_ends_with_status_0_on_a_stop_signal(bundle: Path, number: int) -> None:
    with run_server(bundle) as server:
        with grpc.insecure_channel(server.address) as channel:
            assert score(channel) == 5
        server.signal(number)
        server.wait_for("draining")
        server.wait_for("stopped")
        assert server.child.wait(PATIENCE) == 0


def test_listens_on_a_unix_socket_and_on_the_same_again_after_it_was_killed(
    bundle: Path, tmp_path: Path
) -> None:
    address = f"unix:{tmp_path}/scorer.sock"
    for _ in range(2):
        with run_server(bundle, listen=address) as server:
            assert server.address == address
            with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
                assert score(channel) == 5
            server.signal(signal.SIGKILL)
            server.child.wait(PATIENCE)
        assert (tmp_path / "scorer.sock").is_socket()  # a killed process takes nothing away


@pytest.mark.parametrize("state", ["serving", "hung"])
def test_never_takes_a_living_servers_socket(bundle: Path, tmp_path: Path, state: str) -> None:
    address = f"unix:{tmp_path}/scorer.sock"
    with run_server(bundle, listen=address) as server:
        if state == "hung":
            server.signal(signal.SIGSTOP)
        (said,) = start_and_fail("--bundle", str(bundle), "--listen", address).splitlines()
        assert json.loads(said)["message"].startswith(f"cannot listen on {address}: ")
        assert "a server is already listening there" in said
        server.signal(signal.SIGCONT)
        with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
            assert score(channel) == 5


def test_says_in_one_sentence_that_an_address_is_taken(bundle: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        said = start_and_fail(
            "--bundle", str(bundle), "--listen", f"127.0.0.1:{other.getsockname()[1]}"
        )
    assert "cannot listen on" in said


def test_never_shares_an_address_with_another_server(bundle: Path) -> None:
    with run_server(bundle) as server:
        assert "cannot listen on" in start_and_fail(
            "--bundle", str(bundle), "--listen", server.address
        )


@pytest.mark.parametrize(
    "address",
    ["8081", "localhost", "http://localhost:8081", "unix:relative", "vsock:1:2", "127.0.0.1:65536"],
)
def test_says_in_one_sentence_what_an_address_looks_like(bundle: Path, address: str) -> None:
    assert "host:port, [host]:port or unix:/path" in start_and_fail(
        "--bundle", str(bundle), "--listen", address
    )


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_takes_no_path_away_where_something_else_is_than_a_socket(
    bundle: Path, tmp_path: Path, kind: str
) -> None:
    path, elsewhere = tmp_path / "thing", tmp_path / "elsewhere"
    make = {
        "file": lambda: path.write_text("kept"),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(elsewhere),
    }
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(elsewhere))
    make[kind]()
    before = path.lstat().st_ino
    said = start_and_fail("--bundle", str(bundle), "--listen", f"unix:{path}")
    found = {"file": "a file", "folder": "a directory", "link": "a symbolic link"}[kind]
    assert f"cannot listen on unix:{path}: expected a socket or nothing, found {found}" in said
    assert path.lstat().st_ino == before


def test_never_shares_an_address_with_itself(bundle: Path, tmp_path: Path) -> None:
    twice = ("--listen", f"unix:{tmp_path}/scorer.sock") * 2
    assert "a server is already listening there" in start_and_fail("--bundle", str(bundle), *twice)


def test_says_in_one_sentence_that_a_socket_cannot_be_made(bundle: Path, tmp_path: Path) -> None:
    assert "cannot listen on" in start_and_fail(
        "--bundle", str(bundle), "--listen", f"unix:{tmp_path}/nowhere/s.sock"
    )


def test_ends_at_once_on_a_second_signal(bundle: Path, tmp_path: Path) -> None:
    with run_process(
        [sys.executable, "-m", "tests.held_server", str(bundle), str(tmp_path / "gate")]
    ) as process:
        (address,) = process.wait_for("listening")["addresses"]
        with grpc.insecure_channel(address) as channel:
            held = GRPCInferenceServiceStub(channel).ModelInfer.future(
                build_request(make_rows(1), OURS), timeout=PATIENCE
            )
            process.wait_for("computing")
            process.signal(signal.SIGTERM)
            process.wait_for("draining")
            process.signal(signal.SIGTERM)
            process.wait_for("cut short")
            assert process.child.wait(PATIENCE) == 1
            assert held.code() is not grpc.StatusCode.OK


def test_says_in_one_sentence_that_there_is_no_bundle(tmp_path: Path) -> None:
    assert "expected a bundle: a directory with" in start_and_fail("--bundle", str(tmp_path))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.sign("server")


def trust(authority: Authority, client: Pair | None = None) -> grpc.ChannelCredentials:
    root = authority.certificate.read_bytes()
    if client is None:
        return grpc.ssl_channel_credentials(root)
    return grpc.ssl_channel_credentials(
        root, client.key.read_bytes(), client.certificate.read_bytes()
    )


def tls_options(pair: Pair) -> Sequence[str]:
    return ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)]


def test_speaks_tls(bundle: Path, authority: Authority, pair: Pair) -> None:
    with run_server(bundle, *tls_options(pair)) as server:
        with grpc.secure_channel(server.address, trust(authority)) as channel:
            assert score(channel) == 5
        with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError):
            score(channel)


def test_asks_callers_for_a_certificate_in_mutual_tls(
    bundle: Path, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger").sign("intruder")
    with run_server(
        bundle, *tls_options(pair), "--tls-client-ca", str(authority.certificate)
    ) as server:
        with grpc.secure_channel(
            server.address, trust(authority, authority.sign("client"))
        ) as channel:
            assert score(channel) == 5
        for credentials in (trust(authority), trust(authority, stranger)):
            with (
                grpc.secure_channel(server.address, credentials) as channel,
                pytest.raises(grpc.RpcError),
            ):
                score(channel)


def test_says_in_one_sentence_that_a_key_is_not_the_certificates(
    bundle: Path, authority: Authority, pair: Pair
) -> None:
    wrong = Pair(pair.certificate, authority.sign("other").key)
    assert "--tls-key: expected the certificate's private key" in start_and_fail(
        "--bundle", str(bundle), *tls_options(wrong)
    )


def test_asks_for_certificate_and_key_together(bundle: Path, pair: Pair) -> None:
    assert "together" in start_and_fail(
        "--bundle", str(bundle), "--tls-cert", str(pair.certificate)
    )


def probe(*address: str, environ: Mapping[str, str] | None = None) -> int:
    command = [sys.executable, "-m", "segment_scorer.service.probe", *address]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environ or {})}, timeout=PATIENCE, check=False
    ).returncode


def wait_until_ready(*address: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether a probe succeeds in the end; a busy machine may need more than one."""
    deadline = time.monotonic() + PATIENCE
    while probe(*address, environ=environ) != 0:
        if time.monotonic() > deadline:
            return False
    return True


def test_is_probed_as_ready_until_it_is_stopped(bundle: Path) -> None:
    with run_server(bundle) as server:
        assert wait_until_ready(server.address)
        server.signal(signal.SIGTERM)
        server.child.wait(PATIENCE)
        assert probe(server.address) == 1


def test_is_probed_at_a_socket_of_its_own_whatever_its_other_addresses_need(
    bundle: Path, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    at = {"SERVE_PROBE": f"unix:{tmp_path}/probe.sock"}
    mutual = (*tls_options(pair), "--tls-client-ca", str(authority.certificate))
    with run_server(bundle, *mutual, environ=at) as server:
        assert probe(server.address) == 1  # it speaks TLS only
        assert wait_until_ready(environ=at)
        server.signal(signal.SIGTERM)
        server.child.wait(PATIENCE)
        assert probe(environ=at) == 1


def test_listens_where_the_environment_says_unless_told_otherwise(
    bundle: Path, tmp_path: Path
) -> None:
    listen = f"unix:{tmp_path}/a.sock unix:{tmp_path}/b.sock"
    there = {"SERVE_LISTEN": listen, "SERVE_PROBE": ""}  # empty: no socket for the probe
    with run_process(
        [sys.executable, "-m", "segment_scorer.cli.main", "serve", "--bundle", str(bundle)], there
    ) as process:
        assert process.wait_for("listening")["addresses"] == there["SERVE_LISTEN"].split()
    with run_server(bundle, environ=there) as server:
        assert server.address.startswith("127.0.0.1:")


def test_takes_no_probe_address_that_tls_would_close(bundle: Path) -> None:
    assert "--probe: expected unix:/path" in start_and_fail(
        "--bundle", str(bundle), "--probe", "127.0.0.1:8082"
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--grace", value) for value in ("inf", "nan", "-1", "3601", "1e400", "soon")),
        *(("--max-rows", value) for value in ("0", "-1", "1000001", "inf", "1.5")),
        *(("--max-calls", value) for value in ("0", "-1", "1001", "nan")),
    ],
)
def test_takes_no_number_that_it_cannot_keep(option: str, value: str, bundle: Path) -> None:
    said = start_and_fail("--bundle", str(bundle), option, value, status={1, 2})
    assert option in said


def test_serves_and_drains_with_the_largest_numbers_it_takes(bundle: Path) -> None:
    with run_server(
        bundle, "--grace", "3600", "--max-rows", "1000000", "--max-calls", "1000"
    ) as server:
        with grpc.insecure_channel(server.address) as channel:
            assert score(channel) == 5
        server.signal(signal.SIGTERM)
        assert server.child.wait(PATIENCE) == 0
