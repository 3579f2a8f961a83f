"""The host's rules: three attempts, and what counts as an answer."""

from __future__ import annotations

import pytest

from segment_scorer.runner.asking.host_rules import Attempt, ask_hook
from segment_scorer.runner.errors import HookUnreachable
from tests.fake_hooks import ScriptedHook

SENT = {"a": {}, "b": {}}


def test_takes_a_valid_answer_at_the_first_attempt() -> None:
    outcome = ask_hook(ScriptedHook(Attempt(reply={"a": {"Metrics": {}}})), {}, SENT)
    assert (outcome.reply, outcome.attempts, list(outcome.problems)) == (
        {"a": {"Metrics": {}}},
        1,
        [],
    )


def test_an_empty_map_is_an_answer_that_keeps_nobody() -> None:
    assert ask_hook(ScriptedHook(Attempt(reply={})), {}, SENT).reply == {}


def test_asks_again_after_a_failure_and_counts_both() -> None:
    outcome = ask_hook(
        ScriptedHook(Attempt(problem="raised X"), Attempt(reply={"b": {}})), {}, SENT
    )
    assert (outcome.reply, outcome.attempts, list(outcome.problems)) == ({"b": {}}, 2, ["raised X"])


def test_gives_up_after_three_attempts() -> None:
    hook = ScriptedHook(Attempt(problem="raised X"))
    outcome = ask_hook(hook, {}, SENT)
    assert (outcome.reply, outcome.attempts, len(hook.events)) == (None, 3, 3)


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
def test_no_other_answer_is_valid_and_the_reason_quotes_nothing(
    reply: object, problem: str
) -> None:
    outcome = ask_hook(ScriptedHook(Attempt(reply=reply)), {}, SENT)
    assert outcome.reply is None
    assert list(outcome.problems) == [problem] * 3


def test_an_endpoint_may_be_called_error_message() -> None:
    assert ask_hook(
        ScriptedHook(Attempt(reply={"errorMessage": {}})), {}, {"errorMessage": {}}
    ).reply == {"errorMessage": {}}


def test_an_unreachable_hook_is_no_failed_attempt() -> None:
    hook = ScriptedHook(HookUnreachable("gone"))
    with pytest.raises(HookUnreachable):
        ask_hook(hook, {}, SENT)
    assert len(hook.events) == 1
