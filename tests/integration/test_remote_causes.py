"""Why a scoring service cannot be asked: each cause with a real server, as its sentence says it."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from function.errors import ScorerError
from function.scorers.causes import DETAILS, NO_VERSION, PLAIN, SECURE
from function.scorers.remote import RemoteScorer
from function.settings import Dialect, RemoteSettings
from tests.bundles import COLUMNS, make_bundle
from tests.certificates import Authority, Pair
from tests.processes import run_server

MATRIX = np.zeros((1, len(COLUMNS)), np.float32)
CAUSES = dict(DETAILS)
HTTP_1 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
SECONDS = 30.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("causes")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    return make_bundle(folder / "bundle")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.sign("server")


@pytest.fixture(scope="module")
def plain(bundle: Path) -> Iterator[str]:
    with run_server(bundle) as server:
        yield server.address


@pytest.fixture(scope="module")
def secure(bundle: Path, pair: Pair) -> Iterator[str]:
    with run_server(bundle, *tls_options(pair)) as server:
        yield server.address


def tls_options(pair: Pair) -> tuple[str, ...]:
    return ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))


def fail(target: str, tls_ca: Path | None = None, **dialect: str) -> str:
    """The sentence of a call that fails. It names no address."""
    settings = RemoteSettings(
        target=target, dialect=Dialect(**{"model": "tiny", **dialect}), tls_ca=tls_ca, call_cap=60.0
    )
    scorer = RemoteScorer(settings)
    with pytest.raises(ScorerError) as caught:
        scorer.score_batch(MATRIX, SECONDS)
    scorer.close()
    sentence = str(caught.value)
    assert not [word for word in ("127.0.0.1", "invalid", ".sock", "ipv4") if word in sentence]
    return sentence


def says(sentence: str, cause: str, status: str = "UNAVAILABLE") -> bool:
    return cause in sentence and sentence.endswith(f"(gRPC {status})")


@contextmanager
def serve_by(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that gives each connection to `answer` and then closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with ExitStack() as stack:
                stack.callback(connection.close)
                with suppress(OSError):
                    answer(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(SECONDS)


def say(text: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(1_000)
        connection.sendall(text)
        connection.recv(1_000)

    return answer


def speak_tls(pair: Pair, newest: ssl.TLSVersion | None = None) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if newest:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old on purpose
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
    return lambda connection: context.wrap_socket(connection, server_side=True).close()


def test_a_refused_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{free.getsockname()[1]}"
        assert says(fail(target), CAUSES["connection refused"])


@pytest.mark.parametrize("prefix", ["", "dns:///"])
def test_an_unknown_host(prefix: str) -> None:
    assert says(fail(f"{prefix}nowhere.invalid:8081"), CAUSES["lookup error"])


def test_a_socket_that_is_missing_or_dead(tmp_path: Path) -> None:
    # The scorer waits for a socket that may still be starting, so it asks for a limited time.
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    for name, words in (
        ("none.sock", "no such file or directory"),
        ("dead.sock", "connection refused"),
    ):
        scorer = RemoteScorer(
            RemoteSettings(target=f"unix:{tmp_path}/{name}", dialect=Dialect(model="tiny"))
        )
        scorer._wait = False  # as after its first answer
        with pytest.raises(ScorerError) as caught:
            scorer.score_batch(MATRIX, SECONDS)
        assert says(str(caught.value), CAUSES[words])


def test_an_unknown_authority(secure: str, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    assert says(fail(secure, other.certificate), CAUSES["certificate_verify_failed"])


def test_an_expired_certificate(bundle: Path, authority: Authority) -> None:
    expired = authority.sign("expired", days=-2)
    with run_server(bundle, *tls_options(expired)) as server:
        sentence = fail(server.address, authority.certificate)
    assert says(sentence, CAUSES["certificate has expired"])


def test_a_certificate_for_another_name(bundle: Path, authority: Authority) -> None:
    other = authority.sign("elsewhere", hosts=("scorer.example.com",))
    with run_server(bundle, *tls_options(other)) as server:
        sentence = fail(server.address, authority.certificate)
    assert says(sentence, CAUSES["hostname verification check failed"])


def test_plaintext_to_tls(secure: str) -> None:
    assert says(fail(secure), PLAIN)


def test_tls_to_plaintext(plain: str, authority: Authority) -> None:
    assert says(fail(plain, authority.certificate), CAUSES["wrong_version_number"])


def test_a_missing_client_certificate(bundle: Path, authority: Authority, pair: Pair) -> None:
    mutual = (*tls_options(pair), "--tls-client-ca", str(authority.certificate))
    with run_server(bundle, *mutual) as server:
        assert says(fail(server.address, authority.certificate), SECURE)


def test_no_version_of_tls_in_common(authority: Authority, pair: Pair) -> None:
    with serve_by(speak_tls(pair, ssl.TLSVersion.TLSv1_1)) as target:
        assert says(fail(target, authority.certificate), CAUSES["protocol_version"])


def test_tls_without_http_2(authority: Authority, pair: Pair) -> None:
    with serve_by(speak_tls(pair)) as target:
        assert says(fail(target, authority.certificate), CAUSES["alpn"])


@pytest.mark.parametrize(
    ("text", "words"),
    [(HTTP_1, "http1.x server"), (b"SSH-2.0-OpenSSH_9.6\r\n", "failed parsing http/2")],
)
def test_another_protocol(text: bytes, words: str) -> None:
    with serve_by(say(text)) as target:
        assert says(fail(target), CAUSES[words])


def test_another_version_of_the_model(plain: str) -> None:
    sentence = fail(plain, version="no-such-version")
    assert says(sentence, NO_VERSION, "NOT_FOUND")


def test_another_model(plain: str) -> None:
    sentence = fail(plain, model="no-such-model")
    assert says(sentence, "does not serve the model or version asked for", "NOT_FOUND")
    assert NO_VERSION not in sentence
