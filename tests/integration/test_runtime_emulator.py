"""The function behind AWS's runtime client and runtime interface emulator: replies and failures."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import build_handler
from segment_scorer.runner.asking.http_hook import HttpHook
from tests.emf import check_emf
from tests.fakes import make_bundle
from tools.image.emulator import Emulator, run_emulator
from tools.image.emulator_binary import EmulatorError
from tools.image.sessions import find_session

POLICY = 'mode = "filter"\nthreshold = 0.5\n[[band]]\nname = "high"\nat_least = 0.8\n'


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("function")
    (folder / "policy.toml").write_text(POLICY)
    return {
        "SCORER_BUNDLE": str(make_bundle(folder / "bundle")),
        "SCORER_POLICY": str(folder / "policy.toml"),
    }


@pytest.fixture(scope="module")
def function(environ: dict[str, str]) -> Iterator[Emulator]:
    with run_emulator(environ=environ) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def misbehaving() -> Iterator[Emulator]:
    with run_emulator(
        "tests.handlers.misbehaving.handle", environ={"AWS_LAMBDA_FUNCTION_TIMEOUT": "60"}
    ) as emulator:
        yield emulator


def event_of(**endpoints: Any) -> dict[str, Any]:
    return {
        "ApplicationId": "app",
        "CampaignId": "c",
        "TreatmentId": "0",
        "MessageConfiguration": {},
        "Endpoints": endpoints,
    }


def do(what: str) -> dict[str, Any]:
    return {"MessageConfiguration": {"do": what}, "Endpoints": {"a": {}}}


EVENTS = {
    "nobody": event_of(),
    "kept, dropped and without a metric": event_of(
        high={"Metrics": {"score": 0.9}}, low={"Metrics": {"score": 0.1}}, none={}
    ),
    "equal to the threshold": event_of(edge={"Metrics": {"score": 0.5}}),
    "text beyond ASCII": event_of(
        **{"é/😀": {"Metrics": {"score": 0.75}, "Attributes": {"Ort": ["Zürich", "東京"]}}}
    ),
    "unusable content": event_of(bad={"Metrics": "none"}, worse=7, good={"Metrics": {"score": 1}}),
    "fifty": event_of(
        **{f"p{i}": {"Metrics": {"score": i / 49}, "User": {"UserId": f"u{i}"}} for i in range(50)}
    ),
}


@pytest.mark.parametrize("name", EVENTS)
def test_answers_as_the_handler_does_in_process(
    name: str, function: Emulator, environ: dict[str, str]
) -> None:
    expected = build_handler(environ, stream=io.StringIO())(EVENTS[name], None)
    answer = function.post(EVENTS[name])
    assert (answer.status, answer.json()) == (200, expected)
    assert list(answer.json()) == list(expected)


def test_a_reply_is_utf8_however_the_function_is_started(function: Emulator) -> None:
    answer = function.post(EVENTS["text beyond ASCII"])
    assert all(text.encode() in answer.body for text in ("é/😀", "Zürich", "東京"))
    assert b", " not in answer.body


def test_an_event_that_msgspec_refuses_costs_only_the_person_whose_value_it_is(
    function: Emulator, environ: dict[str, str]
) -> None:
    body = (
        b'{"Endpoints": {"odd": {"Metrics": {"score": 0.9, "n": 1e400}, "Address": "\\ud800"},'
        b' "even": {"Metrics": {"score": 0.75, "n": 123456789012345678901234567890}}}}'
    )
    expected = build_handler(environ, stream=io.StringIO())(json.loads(body), None)
    answer = function.post(body)
    assert (answer.status, answer.json()) == (200, expected)
    assert list(answer.json()) == ["odd", "even"]
    assert b"123456789012345678901234567890" in answer.body


@pytest.mark.parametrize("event", [b"[]", b"{}", b'"text"', b"null", b'{"Endpoints": []}'])
def test_what_is_no_event_is_a_raised_error_that_quotes_nothing(
    event: bytes, function: Emulator
) -> None:
    answer = function.post(event)
    assert (answer.status, answer.json()["errorType"]) == (200, "EventError")
    assert answer.json()["errorMessage"].startswith("expected a campaign hook event")


def test_a_raised_error_comes_with_status_200_and_the_next_event_is_answered(
    misbehaving: Emulator,
) -> None:
    answer = misbehaving.post(do("raise"))
    assert (answer.status, answer.json()["errorType"], answer.json()["errorMessage"]) == (
        200,
        "LookupError",
        "on purpose",
    )
    assert misbehaving.post(do("nothing")).json() == {"a": {}}
    assert HttpHook(misbehaving.url).call(do("nothing")).reply == {"a": {}}


@pytest.mark.parametrize(
    ("what", "problem"),
    [("exit", "crashed or could not start"), ("nan", "answered with something other than JSON")],
)
def test_a_failure_is_seen_as_the_host_would_see_it_and_the_next_event_is_answered(
    what: str, problem: str, misbehaving: Emulator
) -> None:
    hook = HttpHook(misbehaving.url)
    assert hook.call(do(what)).problem == problem
    assert hook.call(do("nothing")).reply == {"a": {}}


def test_a_timeout_is_plain_text_seen_as_the_host_would_see_it_and_the_function_starts_again() -> (
    None
):
    with run_emulator(
        "tests.handlers.misbehaving.handle", environ={"AWS_LAMBDA_FUNCTION_TIMEOUT": "2"}
    ) as emulator:
        timeout = emulator.post(do("sleep"))
        assert (timeout.status, timeout.text) == (200, "Task timed out after 2.00 seconds")
        hook = HttpHook(emulator.url)
        assert hook.call(do("sleep")).problem == "timed out by its own limit"
        # The new process has to start within the 2 s, too. If it stalls, the next one starts.
        attempts = (hook.call(do("nothing")) for _ in range(5))
        assert next(
            attempt.reply for attempt in attempts if attempt.problem != "timed out by its own limit"
        ) == {"a": {}}


def test_a_crash_is_502(misbehaving: Emulator) -> None:
    crash = misbehaving.post(do("exit"))
    assert (crash.status, crash.json()["errorType"]) == (502, "Runtime.ExitError")


def test_an_answer_that_cannot_be_serialised_is_an_error_outside_the_handler(
    misbehaving: Emulator,
) -> None:
    assert misbehaving.post(do("object")).json()["errorType"] == "Runtime.MarshalError"


def test_an_error_at_import_is_502_every_time() -> None:
    with run_emulator("tests.handlers.unimportable.handle") as emulator:
        for _ in range(2):
            answer = emulator.post(event_of())
            assert (answer.status, answer.json()["errorType"]) == (502, "RuntimeError")


@pytest.mark.parametrize(
    ("broken", "kind"),
    [({"SCORER_BUNDLE": "absent"}, "BundleError"), ({"SCORER_POLICY": "absent"}, "SettingsError")],
)
def test_a_function_that_cannot_serve_says_why_at_import(
    broken: dict[str, str], kind: str, environ: dict[str, str], tmp_path: Path
) -> None:
    changes = {name: str(tmp_path / value) for name, value in broken.items()}
    with run_emulator(environ={**environ, **changes}) as emulator:
        answer = emulator.post(event_of())
    assert (answer.status, answer.json()["errorType"]) == (502, kind)
    assert "expected" in answer.json()["errorMessage"]


def test_logs_one_record_a_batch_with_the_invocations_id_and_no_endpoint_in_it(
    environ: dict[str, str],
) -> None:
    event = event_of(**{"secret-id": {"Address": "secret@example.com", "Metrics": {"score": 0.9}}})
    with run_emulator(environ=environ) as emulator:
        emulator.post(event)
        printed = emulator.stdout + emulator.stderr
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    (record,) = [check_emf(line) for line in lines if '"batch"' in line]
    assert record["received"] == 1
    assert record["function_name"] == "test_function"  # the emulator's name for it
    assert uuid.UUID(record["function_request_id"])
    assert "secret" not in printed


def test_stops_the_emulator_and_the_function_with_it() -> None:
    with run_emulator("tests.handlers.misbehaving.handle") as emulator:
        emulator.post(do("nothing"))
        assert len(find_session(emulator.pid)) == 2
    assert find_session(emulator.pid) == []
    assert not emulator.folder.exists()


def test_says_what_was_printed_when_the_emulator_does_not_start(function: Emulator) -> None:
    with (
        pytest.raises(EmulatorError, match=r"expected the emulator to listen"),
        run_emulator(port=-1),
    ):
        pass
