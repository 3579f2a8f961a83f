"""Golden answers: an event, and the reply that a right function gives to it. Judges a version.

Imports the standard library only, so that a Lambda function can hold this file and golden.json, and
judge a new version before it gets traffic. Invokes; never changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ATTEMPTS = 3  # as many as Pinpoint makes
# A score is written with four decimals. Another processor may round its last one differently.
TOLERANCE = 0.00011


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """What to ask, and the right answer.

    event     a Pinpoint hook event
    expected  id of each endpoint in the right reply -> the attributes that the function adds to it
              or changes; None accepts any reply that holds only endpoints of the event
    """

    event: Mapping[str, Any]
    expected: Mapping[str, Mapping[str, list[str]]] | None

    def dump(self) -> str:
        """The text of golden.json."""
        return json.dumps({"event": self.event, "expected": self.expected}, indent=1) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialVerdict:
    """Whether a version may serve. `problem`: what is wrong with its answer, as a predicate."""

    problem: str | None

    @property
    def passed(self) -> bool:
        """Whether the version answered as it should."""
        return self.problem is None


def make_golden(event: Mapping[str, Any], reply: Mapping[str, Any]) -> Golden:
    """Golden answers from an event and the reply of a function that is known to be right."""
    before = {name: _read_attributes(each) for name, each in event["Endpoints"].items()}
    return Golden(
        event=event,
        expected={
            name: {
                key: value
                for key, value in _read_attributes(each).items()
                if before[name].get(key) != value
            }
            for name, each in reply.items()
        },
    )


def read_golden(text: str) -> Golden:
    """Read golden.json. Raises ValueError for anything else."""
    found = json.loads(text)
    if not isinstance(found, dict) or not found.keys() >= {"event", "expected"}:
        raise ValueError("expected golden.json: an object with event and expected")
    return Golden(event=found["event"], expected=found["expected"])


def try_version(client: Any, function: str, golden: Golden) -> TrialVerdict:
    """Invoke a function, alias or version, as often as a host would, until an answer is right.

    client  of Lambda. Its own exceptions pass through: they say nothing about the version.
    """
    payload = json.dumps(golden.event).encode()
    verdict = TrialVerdict(problem=None)
    for _ in range(ATTEMPTS):
        answer = client.invoke(FunctionName=function, Payload=payload)
        failed = "FunctionError" in answer
        verdict = TrialVerdict(
            problem="fails on the golden event; its log says why"
            if failed
            else judge_reply(answer["Payload"].read(), golden)
        )
        if verdict.passed:
            break
    return verdict


def judge_reply(payload: bytes, golden: Golden) -> str | None:
    """What is wrong with a reply, as a predicate with counts and no id; None if it is right."""
    try:
        reply = json.loads(payload)
    except ValueError:
        return "answers the golden event with something other than JSON"
    if not isinstance(reply, dict):
        return "answers the golden event with something other than an object of endpoints"
    if not reply.keys() <= golden.event["Endpoints"].keys():
        return "answers the golden event with endpoints that are not in it"
    return None if golden.expected is None else _compare(reply, golden.expected)


def _compare(
    reply: Mapping[str, Any], expected: Mapping[str, Mapping[str, list[str]]]
) -> str | None:
    missing, added = expected.keys() - reply.keys(), reply.keys() - expected.keys()
    if missing or added:
        return (
            f"decides differently from the golden answers: expected {len(expected)} "
            f"endpoints, {len(missing)} of them missing, found {len(added)} others"
        )
    wrong = sum(
        not _agree(_read_attributes(reply[name]), attributes)
        for name, attributes in expected.items()
    )
    if wrong:
        return (
            "writes other scores or attributes than the golden answers: "
            f"{wrong} of {len(expected)} endpoints differ"
        )
    return None


def _read_attributes(endpoint: object) -> Mapping[str, Any]:
    found = endpoint.get("Attributes") if isinstance(endpoint, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _agree(found: Mapping[str, Any], expected: Mapping[str, list[str]]) -> bool:
    return all(_is_same(found.get(key), value) for key, value in expected.items())


def _is_same(found: object, expected: list[str]) -> bool:
    if not isinstance(found, list) or len(found) != len(expected):
        return False
    return all(map(_is_close, found, expected))


def _is_close(found: object, expected: str) -> bool:
    if found == expected:
        return True
    try:
        return abs(float(str(found)) - float(expected)) <= TOLERANCE
    except ValueError:
        return False
