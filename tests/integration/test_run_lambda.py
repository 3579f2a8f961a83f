"""A deployed function as the hook: boto3 against a small server that acts as Lambda's Invoke."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from function.bootstrap import build_handler
from segment_scorer.runner.asking.lambda_hook import LambdaHook, connect_lambda
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import HookUnreachable, OptionError
from segment_scorer.runner.run import run_segment
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle
from tests.processes import PATIENCE

Answer = tuple[int, dict[str, str], bytes]
EVENT = {"Endpoints": {"a": {}}}


class Cloud:
    """Lambda's Invoke over HTTP. Counts parallel calls.

    answer  receives the number of the call and its event
    """

    def __init__(self, answer: Callable[[int, Any], Answer]) -> None:
        self.answer = answer
        self.calls: list[str] = []
        self.most = self.now = 0
        self.lock = threading.Lock()

    def handle(self, path: str, body: bytes) -> Answer:
        with self.lock:
            self.calls.append(path)
            number = len(self.calls)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            return self.answer(number, json.loads(body))
        finally:
            with self.lock:
                self.now -= 1


@contextlib.contextmanager
def serve(answer: Callable[[int, Any], Answer]) -> Iterator[tuple[Cloud, str]]:
    cloud = Cloud(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, headers, body = cloud.handle(
                self.path, self.rfile.read(int(self.headers["Content-Length"]))
            )
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {
                    **headers,
                    "Content-Length": str(len(body)),
                    "Content-Type": "application/json",
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield cloud, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def keep_all(number: int, event: Any) -> Answer:
    return 200, {}, json.dumps(event["Endpoints"]).encode()


def fail(message: bytes, kind: str = "Unhandled") -> Answer:
    return 200, {"X-Amz-Function-Error": kind}, message


def refuse(status: int, code: str) -> Answer:
    return (
        status,
        {"x-amzn-ErrorType": code},
        json.dumps({"message": "no", "Type": "User"}).encode(),
    )


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)


def hook_at(url: str, *, patience: float = 60.0, read_timeout: float = 30.0) -> LambdaHook:
    config = Config(
        read_timeout=read_timeout, retries={"mode": "standard", "total_max_attempts": 1}
    )
    client = boto3.client("lambda", endpoint_url=url, config=config)
    return LambdaHook(client, "scorer:live", patience=patience, first_pause=0.001)


def test_invokes_the_function_and_reads_its_answer() -> None:
    with serve(keep_all) as (cloud, url):
        assert hook_at(url).call(EVENT).reply == {"a": {}}
    assert cloud.calls == ["/2015-03-31/functions/scorer%3Alive/invocations"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (fail(b'{"errorType":"EventError","errorMessage":"secret"}'), "raised EventError"),
        (fail(b'{"errorMessage":"2026 Task timed out after 15.00 seconds"}'),
         "timed out by its own limit"),
        (fail(b'{"errorMessage":"RequestId: x Error: Runtime exited with error: signal: killed",'
              b'"errorType":"Runtime.ExitError"}'),
         "raised Runtime.ExitError"),
        (fail(b"gibberish"), "crashed or could not start"),
        ((200, {}, b"gibberish"), "answered with something other than JSON"),
        ((200, {}, b" " * 7_000_000), "answered with more than Lambda's 6 MB"),
        (refuse(413, "RequestTooLargeException"), "refused the event: larger than Lambda's 6 MB"),
    ],
)  # fmt: skip
def test_names_how_the_function_failed(answer: Answer, problem: str) -> None:
    with serve(lambda number, event: answer) as (cloud, url):
        assert hook_at(url).call(EVENT).problem == problem
    assert len(cloud.calls) == 1, "the host's three attempts are not ours to multiply"


def test_throttling_is_not_a_failure_of_the_function() -> None:
    def answer(number: int, event: Any) -> Answer:
        return refuse(429, "TooManyRequestsException") if number <= 2 else keep_all(number, event)

    with serve(answer) as (cloud, url):
        attempt = hook_at(url).call(EVENT)
    assert (attempt.reply, attempt.problem, len(cloud.calls)) == ({"a": {}}, None, 3)


def test_throttling_without_end_stops_the_run() -> None:
    with (
        serve(lambda *_: refuse(429, "TooManyRequestsException")) as (_, url),
        pytest.raises(HookUnreachable, match="Lower --concurrency"),
    ):
        hook_at(url, patience=0.1).call(EVENT)


def test_a_missing_function_stops_the_run_and_names_awss_error() -> None:
    with (
        serve(lambda *_: refuse(404, "ResourceNotFoundException")) as (_, url),
        pytest.raises(HookUnreachable, match="ResourceNotFound"),
    ):
        hook_at(url).call(EVENT)


def test_a_reply_after_the_limit_is_a_failed_attempt_and_not_repeated() -> None:
    begun, over = threading.Event(), threading.Event()

    def answer(number: int, event: Any) -> Answer:
        begun.set()
        assert over.wait(PATIENCE)
        return keep_all(number, event)

    with serve(answer) as (cloud, url):
        assert (
            hook_at(url, read_timeout=0.1).call(EVENT).problem == "took longer than the host waits"
        )
        assert begun.wait(PATIENCE)
        over.set()
    assert len(cloud.calls) == 1


def test_makes_as_many_calls_at_once_as_allowed_and_keeps_the_same_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    segment = write_segment(tmp_path / "people.jsonl", [person(n, n / 999) for n in range(1000)])
    handle = build_handler({"SCORER_BUNDLE": str(bundle)}, stream=io.StringIO())
    calling, together, crowded = threading.Lock(), threading.Event(), threading.Event()

    def answer(number: int, event: Any) -> Answer:
        if number == 19:  # near the end, because the client then slows down
            return refuse(429, "TooManyRequestsException")
        if cloud.now >= 3:
            together.set()
        if cloud.now > 3:
            crowded.set()
        assert together.wait(PATIENCE), "expected three calls at once"
        if number <= 3:  # time for one too many to come
            crowded.wait(0.5)
        with calling:
            return 200, {}, json.dumps(handle(event, None)).encode()

    with serve(answer) as (cloud, url):
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        options = RunOptions(
            segment=[segment],
            out=tmp_path / "aws",
            hook="lambda:scorer",
            concurrency=3,
            scheduled_time="2026-01-01",
        )
        result = run_segment(options, lambda *_: None)
    run_segment(
        RunOptions(
            segment=[segment], out=tmp_path / "here", bundle=bundle, scheduled_time="2026-01-01"
        ),
        lambda *_: None,
    )
    assert cloud.most == 3
    kept = [
        gzip.decompress((tmp_path / name / "segment.jsonl.gz").read_bytes())
        for name in ("aws", "here")
    ]
    assert kept[0] == kept[1]
    summaries = [
        json.loads((tmp_path / name / "summary.json").read_text()) for name in ("aws", "here")
    ]
    assert {s["kept"] for s in summaries} == {500}
    assert (result.summary.attempts, result.summary.held_out) == (20, None), (
        "a throttled call is not an attempt"
    )
    assert Counter(result.problems) == {}


def test_the_region_may_be_named_as_for_awss_own_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert connect_lambda("scorer", 15.0)._client.meta.region_name == "eu-central-1"


def test_says_that_an_address_is_not_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(
        OptionError,
        match=r"^--hook lambda:NAME: AWS's settings, .* unusable \(ValueError\)$",
    ):
        connect_lambda("scorer", 15.0)


@pytest.mark.parametrize("name", ["", "x"])
def test_without_a_name_or_a_region_says_what_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for region in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(region, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(
        OptionError,
        match=r"^--hook lambda:NAME: (expected the function's name|AWS's .* \(NoRegionError\))",
    ):
        connect_lambda(name, 15.0)
