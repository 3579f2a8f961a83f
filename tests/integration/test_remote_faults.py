"""Faults of a scoring service, each with a real server process.

The function answers as the policy says, loses nobody, and recovers without a restart.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from function.scorers.tensors import build_request
from function.settings import Dialect
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.bundles import make_bundle, make_rows
from tests.certificates import Authority, Pair
from tests.functions import ANSWERED, SILENT, Function
from tests.processes import PATIENCE, Process, Server, run_process, run_server
from tests.proxy import Proxy

# The remote scorer has the same label, since it has the same model. `error` tells them apart.
BUNDLED = "tiny@3"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("faults") / "bundle")


@pytest.fixture
def server(bundle: Path) -> Iterator[Server]:
    with run_server(bundle) as server:
        yield server


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.address)
    yield proxy
    proxy.close()


def assert_none_is_wrong(act: Callable[[], str | None]) -> None:
    """Call `act` until it succeeds: at once, unless the machine stalls during a connection.

    gRPC then drops the connection after a second, and the call ends as ScorerUnavailable. No other
    error is accepted, and this one at most twice.
    """
    for _ in range(3):
        if (error := act()) is None:
            return
        assert error == "ScorerUnavailable"
    raise AssertionError("expected no error in three times")


def test_scores_remotely_when_nothing_is_wrong(server: Server, bundle: Path) -> None:
    function = Function(server.address, bundle, fallback="none")
    assert_none_is_wrong(lambda: function.ask()["error"])
    line = function.recover()
    assert (line["scored_by"], line["error"], line["fallback_used"]) == (BUNDLED, None, 0)


def test_resorts_to_the_bundled_scorer_when_the_service_is_killed_and_returns_when_it_is_back(
    server: Server, bundle: Path
) -> None:
    function = Function(server.address, bundle)
    function.recover()
    server.signal(signal.SIGKILL)
    server.child.wait()
    for _ in range(20):
        line = function.ask()
        assert (line["scored_by"], line["error"], line["fallback_used"]) == (
            BUNDLED,
            "ScorerUnavailable",
            1,
        )
    with run_server(bundle, listen=server.address):
        assert function.recover()["fallback_used"] == 0


def test_keeps_everybody_without_a_fallback_while_the_service_is_away(
    server: Server, bundle: Path
) -> None:
    function = Function(server.address, bundle, fallback="none")
    function.recover()
    server.signal(signal.SIGKILL)
    server.child.wait()
    line = function.ask()
    assert (line["scored_by"], line["error"], line["kept"]) == (None, "ScorerUnavailable", 10)
    with run_server(bundle, listen=server.address):
        assert function.recover()["scored_by"] == BUNDLED


def test_does_not_need_the_service_to_be_there_first(bundle: Path, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/scorer.sock"
    function = Function(address, bundle)
    assert function.ask(SILENT)["fallback_used"] == 1
    with run_server(bundle, listen=address):
        function.recover()


def test_stops_asking_a_hung_service(server: Server, proxy: Proxy, bundle: Path) -> None:
    function = Function(proxy.address, bundle, breaker_ms="3600000")
    function.recover()
    server.signal(signal.SIGSTOP)
    assert function.ask(SILENT)["error"] == "ScorerTimeout"
    before = proxy.connections
    for _ in range(
        5
    ):  # the breaker: refused at once, where asking would have made a new connection
        assert function.ask()["error"] == "ScorerUnavailable"
    assert proxy.connections == before


def test_returns_to_a_hung_service_once_it_wakes(server: Server, bundle: Path) -> None:
    function = Function(server.address, bundle)
    server.signal(signal.SIGSTOP)
    for _ in range(2):  # asked again after the breaker's pause, and still hung
        function.ask_until(lambda line: line["error"] == "ScorerTimeout", SILENT)
    server.signal(signal.SIGCONT)
    function.recover()


def test_gives_up_a_connection_that_carries_nothing_any_more(proxy: Proxy, bundle: Path) -> None:
    function = Function(proxy.address, bundle, breaker_ms="0")

    def lose_the_connection() -> str | None:
        function.recover()
        proxy.swallow(new_too=False)
        assert function.ask(SILENT)["error"] == "ScorerTimeout"
        before = proxy.connections
        error = function.ask()["error"]
        assert proxy.connections > before
        return error

    assert_none_is_wrong(lose_the_connection)


def test_survives_a_network_that_swallows_every_connection(proxy: Proxy, bundle: Path) -> None:
    function = Function(proxy.address, bundle)
    function.recover()
    proxy.swallow(new_too=True)
    assert function.ask(SILENT)["error"] == "ScorerTimeout"
    function.ask_until(lambda line: line["error"] == "ScorerTimeout", SILENT)
    proxy.forward()
    function.recover()


def test_does_not_even_notice_a_connection_that_died_while_it_was_idle(
    proxy: Proxy, bundle: Path
) -> None:
    function = Function(proxy.address, bundle, idle_ms="1000", fallback="none")

    def lose_the_connection() -> str | None:
        function.recover()
        proxy.swallow(new_too=False)
        time.sleep(1.1)  # or longer
        return function.ask()["error"]

    assert_none_is_wrong(lose_the_connection)


@pytest.mark.parametrize("count", [60, 150])
def test_survives_an_answer_cut_in_the_middle(proxy: Proxy, bundle: Path, count: int) -> None:
    proxy.cut_answers_after(count)
    function = Function(proxy.address, bundle)
    assert function.ask()["error"] == "ScorerUnavailable"
    proxy.forward()
    function.recover()


ODD = {
    "slow": "ScorerTimeout",
    "labels": "ScorerRejected",
    "rows": "ScorerRejected",
    "nan": "ScorerRejected",
    "logits": "ScorerRejected",
    "half": "ScorerRejected",
    "crash": "ScorerRejected",
}


@pytest.fixture
def mode(tmp_path: Path) -> Path:
    path = tmp_path / "mode"
    path.write_text("right")
    return path


@pytest.fixture
def odd(bundle: Path, mode: Path) -> Iterator[Process]:
    with run_process([sys.executable, "-m", "tests.odd_server", str(bundle), str(mode)]) as process:
        yield process


@pytest.mark.parametrize("fault", ODD)
def test_takes_no_wrong_answer_for_scores(
    odd: Process, bundle: Path, mode: Path, fault: str
) -> None:
    (address,) = odd.wait_for("listening")["addresses"]
    function, alone = Function(address, bundle), Function(address, bundle, fallback="none")
    function.recover()
    alone.recover()
    mode.write_text(fault)
    seconds = SILENT if fault == "slow" else ANSWERED
    line = function.ask(seconds)
    assert (line["scored_by"], line["error"]) == (BUNDLED, ODD[fault])
    line = alone.ask(seconds)
    assert (line["scored_by"], line["error"], line["kept"]) == (None, ODD[fault], 10)
    mode.write_text("right")
    function.recover()
    alone.recover()


def test_resorts_while_the_service_is_overloaded(bundle: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    command = [sys.executable, "-m", "tests.held_server", str(bundle), str(gate)]
    with run_process(command) as process:
        (address,) = process.wait_for("listening")["addresses"]
        function = Function(address, bundle)
        with grpc.insecure_channel(address) as channel:
            held = GRPCInferenceServiceStub(channel).ModelInfer.future(
                build_request(make_rows(1), Dialect(model="tiny")), timeout=PATIENCE
            )
            process.wait_for("computing")
            line = function.ask()
            assert (line["scored_by"], line["error"], line["fallback_used"]) == (
                BUNDLED,
                "ScorerUnavailable",
                1,
            )
            gate.touch()
            assert held.result().outputs
        function.recover()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def tls_options(pair: Pair) -> list[str]:
    return ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)]


def check_tls(bundle: Path, authority: Authority, wrong: list[str], **settings: str) -> None:
    """A server with a wrong certificate, and then the right one on the same address."""
    with run_server(bundle, *wrong) as server:
        function = Function(server.address, bundle, tls_ca=str(authority.certificate), **settings)
        line = function.ask()
        assert (line["scored_by"], line["error"]) == (BUNDLED, "ScorerUnavailable")
    with run_server(bundle, *tls_options(authority.sign("right")), listen=server.address):
        function.recover()


def test_does_not_trust_a_certificate_of_another_authority(
    bundle: Path, authority: Authority, tmp_path: Path
) -> None:
    check_tls(bundle, authority, tls_options(Authority(tmp_path, "stranger").sign("server")))


def test_does_not_trust_an_expired_certificate(bundle: Path, authority: Authority) -> None:
    check_tls(bundle, authority, tls_options(authority.sign("expired", days=-1)))


def test_does_not_trust_a_certificate_for_another_host(bundle: Path, authority: Authority) -> None:
    check_tls(
        bundle, authority, tls_options(authority.sign("elsewhere", hosts=("elsewhere.example",)))
    )


def test_does_not_speak_plainly_to_a_server_where_tls_is_expected(
    bundle: Path, authority: Authority
) -> None:
    check_tls(bundle, authority, [])


def test_trusts_a_certificate_for_the_authority_it_was_told(
    bundle: Path, authority: Authority
) -> None:
    with run_server(
        bundle, *tls_options(authority.sign("named", hosts=("scorer.example",)))
    ) as server:
        settings = {"tls_ca": str(authority.certificate), "authority": "scorer.example"}
        assert (
            Function(server.address, bundle, fallback="none", **settings).recover()["scored_by"]
            == BUNDLED
        )


def test_shows_its_own_certificate_in_mutual_tls(bundle: Path, authority: Authority) -> None:
    client = authority.sign("client")
    files = {
        "tls_ca": str(authority.certificate),
        "tls_cert": str(client.certificate),
        "tls_key": str(client.key),
    }
    options = [
        *tls_options(authority.sign("server")),
        "--tls-client-ca",
        str(authority.certificate),
    ]
    with run_server(bundle, *options) as server:
        assert (
            Function(server.address, bundle, fallback="none", **files).recover()["scored_by"]
            == BUNDLED
        )
        without = Function(server.address, bundle, tls_ca=files["tls_ca"])
        assert without.ask()["error"] == "ScorerUnavailable"
