"""One call of a hook: in this process, and over HTTP against small servers that misbehave."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TextIO

import pytest

from function.hosts.reading import LARGEST_REPLY
from function.records import Account, Batch, Context, Decision, Endpoint, Observer, Reason
from segment_scorer.runner.asking.http_hook import HttpHook
from segment_scorer.runner.asking.local_hook import LocalHook
from segment_scorer.runner.errors import HookUnreachable, OptionError
from tests.fakes import FakeClock, make_account

EVENT = {"Endpoints": {"a": {}}}
KEEP = Decision(selected=True, sent=True, reason=Reason.SCORE, score=0.5)


Handle = Callable[[Any, Any], Any]


def local(handle: Handle) -> LocalHook[Handle]:
    return LocalHook(lambda observer, stream: handle)


def observed(event: dict[str, Any]) -> Account:
    endpoints = tuple(Endpoint(id=id_, document=value) for id_, value in event["Endpoints"].items())
    batch = Batch(host="pinpoint", context=Context(), endpoints=endpoints)
    return make_account(batch, [KEEP] * len(endpoints))


def test_a_local_hook_gives_the_reply_with_the_account_and_the_log() -> None:
    def build(observer: Observer, stream: TextIO) -> Handle:
        def handle(event: Any, context: Any) -> Any:
            observer(observed(event))
            stream.write("a line\n")
            return event["Endpoints"]

        return handle

    hook = LocalHook(build)
    attempt = hook.call(EVENT)
    assert (attempt.reply, attempt.problem) == ({"a": {}}, None)
    assert attempt.account is not None
    assert [endpoint.id for endpoint in attempt.account.batch.endpoints] == ["a"]
    assert attempt.account.decisions == [KEEP]
    assert (hook.take_log(), hook.take_log()) == ("a line\n", "")


@pytest.mark.parametrize(
    ("takes", "problem"), [(15.0, None), (15.25, "took longer than the host waits")]
)
def test_a_local_function_sees_the_time_left_and_fails_after_the_hosts_limit(
    takes: float, problem: str | None
) -> None:
    clock, left = FakeClock(), []

    def handle(event: Any, context: Any) -> Any:
        left.append(context.get_remaining_time_in_millis())
        clock.pass_by(takes)
        left.append(context.get_remaining_time_in_millis())
        return event["Endpoints"]

    assert LocalHook(lambda observer, stream: handle, clock=clock).call(EVENT).problem == problem
    assert left == [15_000, 0]


def test_the_account_of_one_call_is_not_taken_for_that_of_the_next() -> None:
    def build(observer: Observer, stream: TextIO) -> Handle:
        def handle(event: Any, context: Any) -> Any:
            if "a" in event["Endpoints"]:
                observer(observed(event))
            return {}

        return handle

    hook = LocalHook(build)
    assert hook.call(EVENT).account is not None
    assert hook.call({"Endpoints": {}}).account is None


def test_an_exception_of_a_local_function_fails_the_attempt_and_only_its_class_is_named() -> None:
    def handle(event: Any, context: Any) -> Any:
        raise LookupError("a@example.com")

    assert local(handle).call(EVENT).problem == "raised LookupError"


def test_control_c_is_not_a_failed_attempt() -> None:
    def handle(event: Any, context: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local(handle).call(EVENT)


@contextlib.contextmanager
def serve(answer: Callable[[bytes], tuple[int, bytes] | None], delay: float = 0.0) -> Iterator[str]:
    """A server that answers a request's body after `delay` seconds; None breaks the connection."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(delay)
            result = (
                answer(body)
                if self.path == "/2015-03-31/functions/function/invocations"
                else (404, b"")
            )
            if result is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            with contextlib.suppress(BrokenPipeError):
                self.send_response(result[0])
                self.send_header("Content-Length", str(len(result[1])))
                self.end_headers()
                self.wfile.write(result[1])

        def log_message(self, *arguments: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_posts_the_event_as_json_and_reads_the_answer() -> None:
    with serve(lambda body: (200, json.dumps(json.loads(body)["Endpoints"]).encode())) as url:
        assert HttpHook(url).call(EVENT).reply == {"a": {}}


def test_posts_an_event_that_utf_8_cannot_encode_as_the_escapes_it_came_as() -> None:
    with serve(lambda body: (200, b"{}" if b'"\\ud83d"' in body else b"")) as url:
        assert HttpHook(url).call({"Endpoints": {"\ud83d": {}}}).reply == {}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((502, b'{"errorType":"Runtime.ExitError"}'), "crashed or could not start"),
        ((404, b""), "answered with status 404"),
        ((200, b"Task timed out after 2.00 seconds"), "timed out by its own limit"),
        ((200, b'{"a": {"Metrics": {"m": NaN}}}'), "answered with something other than JSON"),
        ((200, b'{"a\xff": {}}'), "answered with something other than JSON"),
        ((200, b""), "answered with something other than JSON"),
        ((200, b"[" * 100_000), "answered with something other than JSON"),
        (None, "broke the connection off"),
    ],
)
def test_names_the_problem_of_a_failed_call(answer: tuple[int, bytes] | None, problem: str) -> None:
    with serve(lambda body: answer) as url:
        assert HttpHook(url).call(EVENT).problem == problem


def test_a_reply_after_the_limit_is_waited_for_and_discarded() -> None:
    with serve(lambda body: (200, b"{}"), delay=0.2) as url:
        assert HttpHook(url, limit=0.05).call(EVENT).problem == "took longer than the host waits"


def test_a_hook_that_never_ends_stops_the_run() -> None:
    with (
        serve(lambda body: (200, b"{}"), delay=0.5) as url,
        pytest.raises(HookUnreachable, match="AWS_LAMBDA_FUNCTION_TIMEOUT"),
    ):
        HttpHook(url, limit=0.05, patience=0.05).call(EVENT)


def test_a_reply_that_drips_is_cut_off() -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                connection.sendall(b" ")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        with pytest.raises(HookUnreachable):
            HttpHook(f"http://127.0.0.1:{server.getsockname()[1]}", limit=0.1, patience=0.1).call(
                EVENT
            )
        thread.join()


def send_raw(server: socket.socket, head: bytes, piece: bytes, sent: list[int]) -> None:
    """Answer one call with `head`, then with `piece` for as long as the client reads."""
    connection, _ = server.accept()
    with connection, contextlib.suppress(OSError):
        request = b""
        while b"Endpoints" not in request:  # unread bytes would reset the connection
            request += connection.recv(65536)
        connection.sendall(head)
        while piece:
            connection.sendall(piece)
            sent[0] += len(piece)


CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
        (HEAD + b"Content-Length: 6442450944\r\n\r\n", b""),
        (HEAD + b"Content-Length: 6442450944\r\n\r\n", b" " * 0x10000),
        (b"HTTP/1.0 200 OK\r\n\r\n", b" " * 0x10000),
        (b"HTTP/1.0 500 Error\r\n\r\n", b" " * 0x10000),
    ],
    ids=["endless chunks", "huge length", "huge body", "no length", "endless error"],
)
def test_reads_at_most_what_lambda_can_answer(head: bytes, piece: bytes) -> None:
    sent = [0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=send_raw, args=(server, head, piece, sent))
        thread.start()
        attempt = HttpHook(f"http://127.0.0.1:{server.getsockname()[1]}").call(EVENT)
        thread.join()
    assert attempt.problem == "answered with more than Lambda's 6 MB"
    assert sent[0] < 32_000_000  # the rest fits into the sockets' buffers


@pytest.mark.parametrize(
    "answer",
    [
        b"Content-Length: 100\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\nsoon\r\n{}",
    ],
)
def test_a_body_that_ends_early_is_a_failed_attempt(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=send_raw, args=(server, HEAD + answer, b"", [0]))
        thread.start()
        attempt = HttpHook(f"http://127.0.0.1:{server.getsockname()[1]}").call(EVENT)
        thread.join()
    assert attempt.problem == "broke the connection off"


def test_reads_the_largest_reply_of_lambda() -> None:
    body = b'"' + b"x" * (LARGEST_REPLY - 2) + b'"'
    with serve(lambda _: (200, body)) as url:
        assert HttpHook(url).call(EVENT).reply == body[1:-1].decode()


def test_says_that_nothing_listens_at_an_address() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(
        HookUnreachable,
        match=r"^--hook: no .* emulator listens at that address \(Connection refused\)$",
    ):
        HttpHook(f"http://127.0.0.1:{port}").call(EVENT)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "lokal",
        "https://host:1",
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://h/x",
        "http://[x",
    ],
)
def test_refuses_an_address_of_another_form(address: str) -> None:
    with pytest.raises(
        OptionError, match=r"^--hook: expected local, lambda:NAME, or http://host:port"
    ):
        HttpHook(address)
