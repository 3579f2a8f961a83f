"""segment_scorer/runner/asking/web_hook.py: a URL that speaks the host `web` as a hook."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from function.hosts.web import WEB
from segment_scorer.cli.main import main
from segment_scorer.runner.asking.hooks import open_hook
from segment_scorer.runner.asking.host_rules import Attempt
from segment_scorer.runner.asking.web_hook import SecretHook, WebHook, read_secret
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
def serve(authority: Authority, answers: list[tuple[int, bytes]]) -> Iterator[tuple[str, Asked]]:
    """A server over TLS that gives these answers in turn, the last one for ever."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(({name.lower(): text for name, text in self.headers.items()}, body))
            status, answer = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: Any) -> None: ...

    pair = authority.sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}/stage?x=1", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))


def test_posts_the_body_with_its_secret_and_gives_an_answer_that_the_host_reads(
    authority: Authority,
) -> None:
    with serve(authority, [(200, ANSWER)]) as (url, asked):
        hook = open_hook(url, {"SCORER_WEB_SECRETS": f"{KEY},other"}, 5.0)
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


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_caller_ends_the_run(status: int, authority: Authority) -> None:
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
        with pytest.raises(HookUnreachable, match="cannot be reached"):
            WebHook(url, secret=KEY, limit=5.0).call(EVENT)
        assert asked == []


@pytest.mark.parametrize(
    "address", ["https://", "https://user@host/", "https://h:99999/", "https://[x"]
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
    signed = WebHook(f"https://{host}/", limit=5.0)._sign(b"{}", {"content-type": "a/b"})
    assert scope in signed["Authorization"]
    assert signed["content-type"] == "a/b"
    hook = WebHook(f"https://{host}/", secret=KEY, limit=5.0)
    assert hook._sign(b"{}", {}) == {"authorization": f"Bearer {KEY}"}


def test_another_hook_carries_the_secret_in_events_over_http_alone() -> None:
    hook = ScriptedHook(Attempt(reply={}))
    other = SecretHook(hook, KEY)
    other.call(EVENT)
    other.call({"Endpoints": {}})
    first, second = hook.events
    assert first["headers"]["authorization"] == f"Bearer {KEY}"
    assert second == {"Endpoints": {}}
    assert "authorization" not in EVENT["headers"]


def test_the_first_secret_is_sent() -> None:
    assert read_secret({"SCORER_WEB_SECRETS": "a,b"}) == "a"
    assert read_secret({}) == ""


def test_a_run_walks_a_segment_through_a_url(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
