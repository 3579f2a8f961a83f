"""The host's rules: three attempts, and what is a valid reply."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from function.hosts.pinpoint import PINPOINT
from segment_scorer.runner.asking.host_rules import Attempt, Hook, HookAnswer, ask_hook
from segment_scorer.runner.errors import HookUnreachable
from tests.fake_hooks import ScriptedHook

SENT = {"a": {}, "b": {}}


def ask(hook: Hook, sent: Collection[str] = SENT) -> HookAnswer:
    return ask_hook(hook, {}, sent, PINPOINT.read_reply)


def test_accepts_a_valid_reply_at_the_first_attempt() -> None:
    answer = ask(ScriptedHook(Attempt(reply={"a": {"Metrics": {}}})))
    assert (answer.reply, answer.attempts, list(answer.problems)) == (
        {"a": {"Metrics": {}}},
        1,
        [],
    )


def test_an_empty_map_is_a_valid_reply() -> None:
    assert ask(ScriptedHook(Attempt(reply={}))).reply == {}


def test_asks_again_after_a_failure_and_counts_both() -> None:
    answer = ask(ScriptedHook(Attempt(problem="raised X"), Attempt(reply={"b": {}})))
    assert (answer.reply, answer.attempts, list(answer.problems)) == ({"b": {}}, 2, ["raised X"])


def test_gives_up_after_three_attempts() -> None:
    hook = ScriptedHook(Attempt(problem="raised X"))
    answer = ask(hook)
    assert (answer.reply, answer.attempts, len(hook.events)) == (None, 3, 3)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (None, "answered, but $: expected an object, endpoint ids to definitions; found null"),
        ([], "answered, but $: expected an object, endpoint ids to definitions; found a list"),
        (
            "text",
            "answered, but $: expected an object, endpoint ids to definitions; found text",
        ),
        (
            {"a": {}, "stranger": {}},
            "answered, but $[1]: expected an id of the event, found another id",
        ),
        ({"a": None}, "answered, but $[0]: expected an endpoint definition, an object; found null"),
        (
            {"errorMessage": "of a@example.com", "errorType": "EventError", "requestId": ""},
            "raised EventError",
        ),
        (
            {"errorMessage": "secret", "errorType": "a sentence with a@example.com"},
            "raised an error",
        ),
        ({"errorMessage": "secret"}, "raised an error"),
    ],
)
def test_refuses_any_other_reply_with_a_reason_that_quotes_nothing(
    reply: object, problem: str
) -> None:
    answer = ask(ScriptedHook(Attempt(reply=reply)))
    assert answer.reply is None
    assert len(answer.problems) == 3
    for found in answer.problems:
        assert found.startswith(problem)
        for word in ("secret", "example.com", "stranger"):
            assert word not in found


def test_an_endpoint_may_be_called_error_message() -> None:
    assert ask(ScriptedHook(Attempt(reply={"errorMessage": {}})), {"errorMessage": {}}).reply == {
        "errorMessage": {}
    }


def test_an_unreachable_hook_is_not_a_failed_attempt() -> None:
    hook = ScriptedHook(HookUnreachable("gone"))
    with pytest.raises(HookUnreachable):
        ask(hook)
    assert len(hook.events) == 1
