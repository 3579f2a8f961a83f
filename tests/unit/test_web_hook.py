"""segment_scorer/runner/asking/web_hook.py: a URL that speaks the host `web` as a hook."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from function.hosts.web import WEB
from model.errors import DataError
from segment_scorer.cli.main import main
from segment_scorer.runner.asking.hooks import open_hook
from segment_scorer.runner.asking.host_rules import BROKEN_OFF, TIMED_OUT, Attempt
from segment_scorer.runner.asking.web_caller import find_signer, read_event_body, read_secret
from segment_scorer.runner.asking.web_hook import SecretHook, WebHook, explain_failure
from segment_scorer.runner.errors import HookUnreachable, OptionError
from tests.certificates import Authority
from tests.fake_hooks import ScriptedHook
from tests.strategies import make_web_event

KEY = "invented-secret-0123456789"
EVENT = make_web_event({"Id": "a"}, {"scorer-budget-ms": "900", "cookie": "no"})
ANSWER = b'{"people":[{"id":"a","decision":"keep"}]}'


class Asked(list[tuple[dict[str, str], bytes]]):
    """The headers and the body of each request."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextlib.contextmanager
def serve(
    authority: Authority,
    answers: list[tuple[int, bytes]],
    *,
    port: int = 0,
    named: str = "127.0.0.1",
    cut: int = 0,
    waits: threading.Event | None = None,
) -> Iterator[tuple[str, Asked]]:
    """A server over TLS that gives these answers in turn, the last one for ever.

    named  whom its certificate names
    cut    bytes that are announced, and never sent
    waits  the answer is held back until this, or the end of the test
    """
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(({name.lower(): text for name, text in self.headers.items()}, body))
            status, answer = answers[min(len(asked), len(answers)) - 1]
            if waits is not None:
                waits.wait(30)
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Location", "https://127.0.0.1:1/")
                self.send_header("Content-Length", str(len(answer) + cut))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *arguments: Any) -> None: ...

    pair = authority.sign("server", hosts=(named,))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}/stage?x=1", asked
        finally:
            if waits is not None:
                waits.set()
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))


def test_posts_the_body_with_its_secret_and_gives_an_answer_that_the_host_reads(
    authority: Authority,
) -> None:
    with serve(authority, [(200, ANSWER)]) as (url, asked):
        hook = open_hook(url, {"SCORER_WEB_SECRETS": f"{KEY},{KEY}-next"}, 5.0)
        attempt = hook.call(EVENT)
    assert WEB.read_reply(attempt.reply, ["a"]) == {"a": {"id": "a", "decision": "keep"}}
    ((headers, body),) = asked
    assert json.loads(body) == {"Id": "a"}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["scorer-budget-ms"] == "900"
    assert "cookie" not in headers


def test_throttling_costs_no_attempt(authority: Authority) -> None:
    with serve(authority, [(429, b""), (503, b""), (200, ANSWER)]) as (url, asked):
        assert WebHook(url, limit=5.0, first_pause=0.0).call(EVENT).problem is None
    assert len(asked) == 3


@pytest.mark.parametrize("status", [302, 307, 401, 403, 404, 405])
def test_a_refused_caller_and_a_redirect_end_the_run(status: int, authority: Authority) -> None:
    with (
        serve(authority, [(status, b"{}")]) as (url, _),
        pytest.raises(HookUnreachable, match=str(status)) as caught,
    ):
        WebHook(url, secret=KEY, limit=5.0).call(EVENT)
    assert KEY not in str(caught.value)


def test_endless_throttling_ends_the_run(authority: Authority) -> None:
    with (
        serve(authority, [(429, b"")]) as (url, _),
        pytest.raises(HookUnreachable, match=r"answered 429 for .* s\. Lower"),
    ):
        WebHook(url, limit=5.0, patience=0.0, first_pause=0.0).call(EVENT)


def test_a_failed_call_is_an_attempt(authority: Authority) -> None:
    with serve(authority, [(502, b"Internal Server Error")]) as (url, _):
        assert WebHook(url, limit=5.0).call(EVENT).problem == "answered with status 502"


def test_a_server_whose_certificate_nobody_signed_gets_no_secret(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority(tmp_path, "stranger").certificate))
    with serve(authority, [(200, ANSWER)]) as (url, asked):
        with pytest.raises(HookUnreachable, match="certificate is not trusted") as caught:
            WebHook(url, secret=KEY, limit=5.0).call(EVENT)
        assert asked == []
    assert "127.0.0.1" not in str(caught.value)


def test_a_certificate_of_another_name_is_refused(authority: Authority) -> None:
    with serve(authority, [(200, ANSWER)], named="example.com") as (url, asked):
        hook = WebHook(url, secret=KEY, limit=5.0)
        with pytest.raises(HookUnreachable, match="is of another name"):
            hook.call(EVENT)
    assert asked == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "nothing listens there"),
        (TimeoutError("slow"), "no connection within"),
        (socket.gaierror(-2, "?"), "its name is unknown"),
        (ssl.SSLError(1, "wrong version"), "does not speak TLS"),
        (OSError(101, "Network is unreachable"), "network is unreachable"),
    ],
)
def test_a_connection_that_fails_has_a_sentence(error: OSError, words: str) -> None:
    assert words in explain_failure(error)


def test_where_nothing_listens_the_run_ends_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HookUnreachable, match="nothing listens there"):
        WebHook(f"https://127.0.0.1:{port}/", limit=5.0).call(EVENT)


def test_a_url_that_has_answered_is_waited_for_if_it_cannot_be_reached(
    authority: Authority,
) -> None:
    with serve(authority, [(200, ANSWER)]) as (url, _):
        hook = WebHook(url, limit=5.0, patience=0.0, first_pause=0.0)
        patient = WebHook(url, limit=5.0, first_pause=0.001)
        assert hook.call(EVENT).problem is patient.call(EVENT).problem is None
    with pytest.raises(HookUnreachable, match="cannot be reached"):
        hook.call(EVENT)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(patient.call, EVENT)
        with serve(authority, [(200, ANSWER)], port=int(url.split(":")[2].split("/")[0])):
            assert waiting.result(30).problem is None


def test_an_answer_that_breaks_off_or_is_slow_is_an_attempt(authority: Authority) -> None:
    with serve(authority, [(200, ANSWER), (200, ANSWER)], cut=1) as (url, _):
        assert WebHook(url, limit=5.0).call(EVENT).problem == BROKEN_OFF
    with serve(authority, [(200, ANSWER)], waits=threading.Event()) as (url, _):
        assert WebHook(url, limit=0.2).call(EVENT).problem == TIMED_OUT


@pytest.mark.parametrize(
    "address",
    [
        "https://",
        "https://user@host/",
        "https://h:99999/",
        "https://[x",
        "https://host/a b",
        "https://hôte/",
        "https://host/é",
    ],
)
def test_an_address_that_is_no_url_is_refused(address: str) -> None:
    with pytest.raises(OptionError, match="expected https://host/path"):
        open_hook(address, {}, 5.0)


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("abc123.lambda-url.eu-west-1.on.aws", "/eu-west-1/lambda/aws4_request"),
        ("abc123.execute-api.us-east-1.amazonaws.com", "/us-east-1/execute-api/aws4_request"),
    ],
)
def test_a_url_of_aws_is_signed_without_a_secret(
    host: str, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "invented")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "invented")
    signed = WebHook(f"https://{host}/", limit=5.0)._prove(b"{}", {"content-type": "a/b"})
    assert scope in signed["Authorization"]
    assert signed["content-type"] == "a/b"
    signer = find_signer(f"https://{host}/", host)
    assert signer is not None
    assert signer._credentials is signer._credentials  # found once, not for every call
    hook = WebHook(f"https://{host}/", secret=KEY, limit=5.0)
    assert hook._prove(b"{}", {}) == {"authorization": f"Bearer {KEY}"}


def test_another_hook_carries_the_secret_in_events_over_http_alone() -> None:
    hook = ScriptedHook(Attempt(reply={}))
    other = SecretHook(hook, KEY)
    other.call(EVENT)
    other.call({"Endpoints": {}})
    other.call({"requestContext": {}})
    other.call(7)
    first, second, third, fourth = hook.events
    assert first["headers"]["authorization"] == f"Bearer {KEY}"
    assert second == {"Endpoints": {}}
    assert third["headers"] == {"authorization": f"Bearer {KEY}"}
    assert fourth == 7
    assert "authorization" not in EVENT["headers"]


@pytest.mark.parametrize(
    ("body", "base64"), [({"a": 1}, False), (7, True), ("é", True), ("a", True), ("\ud800", False)]
)
def test_an_event_whose_body_cannot_be_posted_is_refused(body: Any, base64: bool) -> None:
    event = {"requestContext": {"http": {"method": "POST"}}, "body": body}
    with pytest.raises(DataError, match=r"\$\.body: expected text"):
        read_event_body({**event, "isBase64Encoded": base64})


def test_the_first_secret_is_sent() -> None:
    assert read_secret({"SCORER_WEB_SECRETS": f"{KEY},{KEY}-next"}) == KEY
    assert read_secret({}) == read_secret({"SCORER_WEB_SECRETS": ""}) == ""


@pytest.mark.parametrize("text", ["short", f"{KEY}\n", f"{KEY}\nx-more: y", f"{KEY}é", f"{KEY},"])
def test_a_secret_that_no_header_can_carry_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(OptionError, match="SCORER_WEB_SECRETS: expected 1 to") as caught:
        open_hook("https://host/", {"SCORER_WEB_SECRETS": text}, 5.0)
    assert text not in str(caught.value)


def test_a_run_walks_a_segment_through_a_url(
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SCORER_WEB_SECRETS", KEY)
    (tmp_path / "people.jsonl").write_text('{"Id": "a"}\n{"Id": "b"}\n')
    entry = {"reason": "score", "score": 0.5, "selected": True, "holdout": False, "band": None}
    answer = {
        "people": [
            {"id": "a", "decision": "keep", **entry, "attributes": {"Score": ["0.5"]}},
            {"id": "b", "decision": "drop", **entry, "selected": False, "attributes": {}},
        ]
    }
    out = tmp_path / "out"
    with serve(authority, [(200, json.dumps(answer).encode())]) as (url, asked):
        arguments = ["run", str(tmp_path / "people.jsonl"), "--hook", url, "--out", str(out)]
        assert main([*arguments, "--host", "web"]) == 0
    assert "model unknown, as it is to a host" in capsys.readouterr().err
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["kept"], summary["filtered"], summary["host"]) == (1, 1, "web")
    assert [person["Id"] for person in json.loads(asked[0][1])["people"]] == ["a", "b"]
    assert KEY not in "".join(
        path.read_text("utf-8", "replace") for path in out.rglob("*") if path.is_file()
    )
    assert main([*arguments, "--force"]) == 1  # Pinpoint's events are not posted to a URL


def test_invoke_posts_an_event_to_a_url(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(__file__).parents[1] / "events" / "web.json"
    with serve(authority, [(200, ANSWER)]) as (url, _):
        assert main(["invoke", str(path), "--hook", url]) == 0
        assert json.loads(capsys.readouterr().out)["statusCode"] == 200
        other = path.with_name("pinpoint.json")
        assert main(["invoke", str(other), "--hook", url]) == 1
