"""Events through the container under Lambda's limits, compared with this process's function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from function.hosts import pinpoint
from tests.image.conftest import ROOT, AnswerInProcess, Start, check_examples

pytestmark = pytest.mark.image
LAMBDA_REQUEST_LIMIT = 6 * 1024 * 1024


def read_example(name: str = "cdnow-five-customers.json") -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "examples" / "events" / name).read_text("utf-8"))
    return event


@pytest.mark.parametrize("memory", [128, 512])
def test_answers_every_example_as_the_function_does_in_process(
    memory: int, start: Start, answer_in_process: AnswerInProcess
) -> None:
    with start(memory=memory) as container:
        check_examples(container, answer_in_process)


def test_answers_the_largest_event_within_128_megabytes(
    start: Start, answer_in_process: AnswerInProcess
) -> None:
    event = read_example()
    person = next(iter(event["Endpoints"].values()))
    room = (LAMBDA_REQUEST_LIMIT - 100_000) // pinpoint.LARGEST_BATCH - len(json.dumps(person))
    padded = {**person, "Attributes": {"Padding": ["x" * 100] * (room // 104)}}
    event["Endpoints"] = {f"invented-{row}": padded for row in range(pinpoint.LARGEST_BATCH)}
    assert 0.95 * LAMBDA_REQUEST_LIMIT < len(json.dumps(event)) < LAMBDA_REQUEST_LIMIT
    with start(memory=128) as container:
        answer = container.emulator.post(event)
        assert answer.status == 200
        assert answer.json() == answer_in_process(event)


def test_reads_a_policy_and_settings_from_outside(start: Start, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('mode = "annotate"\nscore_attribute = "Chance"\n')
    tmp_path.chmod(0o755)
    with start(
        memory=128,
        environ={"SCORER_POLICY": "/etc/scorer/policy.toml"},
        mounts={policy: "/etc/scorer/policy.toml"},
    ) as container:
        reply = container.emulator.post(read_example()).json()
    assert len(reply) == 5
    assert all(endpoint["Attributes"]["Chance"] for endpoint in reply.values())


def test_says_in_one_sentence_what_is_wrong_with_the_settings(start: Start) -> None:
    with start(memory=128, environ={"SCORER_TRESHOLD": "0.5"}) as container:
        answer = container.emulator.post(read_example())
    assert answer.status == 502
    assert answer.json()["errorType"] == "SettingsError"
    assert answer.json()["errorMessage"] == "SCORER_TRESHOLD: unknown setting"
