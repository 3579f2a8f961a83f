"""segment_scorer/cli/invoke.py: one event through the hook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from function.hosts import HOSTS
from function.records import HostName
from segment_scorer.cli.invoke import find_limit, read_event
from segment_scorer.cli.main import main

EVENTS = Path(__file__).parents[2] / "examples" / "events"
RECORDED = Path(__file__).parents[1] / "events"


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_prints_the_reply_alone_to_standard_output(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["invoke", str(path)]) == 0
    reply = json.loads(capsys.readouterr().out)
    assert reply.keys() <= json.loads(path.read_text("utf-8"))["Endpoints"].keys()


def test_shows_each_decision_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    main(["invoke", str(EVENTS / "odd-endpoints.json")])
    captured = capsys.readouterr()
    warning, *lines = captured.err.splitlines()
    assert warning.startswith("warning: 2 of 4 people are sparse: ")
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert rows.keys() == {
        "endpoint",
        *json.loads((EVENTS / "odd-endpoints.json").read_text("utf-8"))["Endpoints"],
    }
    *answers, reason, score = rows["invented-whole"].split()
    assert (answers, reason) == (["yes", "no", "yes"], "score")
    assert json.loads(captured.out)["invented-whole"]["Attributes"]["Score"] == [score]
    assert rows["invented-no-object"].split()[:4] == ["no", "no", "no", "unreadable:"]
    assert "unreadable: $.Endpoints[6]: " in rows["invented-no-object"]


def test_marks_whoever_the_rules_drop_but_the_mode_lets_stay(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text('mode = "shadow"\n')
    monkeypatch.setenv("SCORER_POLICY", str(tmp_path / "policy.toml"))
    main(["invoke", str(EVENTS / "cdnow-five-customers.json")])
    heading, *rows = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert heading == ["endpoint", "selected", "holdout", "sent", "reason", "score", "band"]
    assert ["no", "no", "yes", "score"] in [row[1:5] for row in rows]


@pytest.mark.parametrize("name", HOSTS)
def test_gives_the_function_as_long_as_the_host_of_the_event_waits(name: HostName) -> None:
    assert find_limit(read_event(RECORDED / f"{name}.json")) == HOSTS[name].limit_seconds


@pytest.mark.parametrize("event", [None, [], {"Items": {}}])
def test_an_event_of_no_host_gets_the_limit_of_pinpoint(event: object) -> None:
    assert find_limit(event) == 15.0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "expected one event, JSON in UTF-8"),
        (b"[" * 100_000, "expected one event, JSON in UTF-8"),
        (b"\xff", "expected one event, JSON in UTF-8"),
        (b"{}", "expected a campaign hook event"),
        (None, "expected a readable file"),
    ],
)
def test_says_in_one_sentence_what_is_wrong_with_the_event(
    content: bytes | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)
    assert main(["invoke", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert sentence in captured.err


def test_says_when_nothing_listens_at_the_hooks_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["invoke", str(EVENTS / "odd-endpoints.json"), "--hook", "http://127.0.0.1:1"]) == 1
    assert "no runtime interface emulator listens" in capsys.readouterr().err
