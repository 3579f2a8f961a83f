"""What a host sees when the process in the container fails, and that the next event is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.image.conftest import Start
from tests.image.test_events import read_example
from tools.image.container import Container

pytestmark = pytest.mark.image


@pytest.fixture
def container(start: Start, request: pytest.FixtureRequest) -> Iterator[Container]:
    """A container of 128 MB whose handler does harm on request. Parameter: seconds per call."""
    with start(
        memory=128,
        environ={"AWS_LAMBDA_FUNCTION_TIMEOUT": str(getattr(request, "param", 300))},
        mounts={Path(__file__).with_name("sabotage.py"): "/var/task/sabotage.py"},
        handler="sabotage.handle",
    ) as running:
        yield running


def assert_serves(container: Container, answer_in_process: Callable[[Any], Any]) -> None:
    answer = container.emulator.post(read_example())
    assert answer.status == 200
    assert answer.json() == answer_in_process(read_example())


# Long enough for a busy machine to start the function anew, which counts against it.
@pytest.mark.parametrize("container", [20], indirect=True)
def test_serves_the_next_event_after_a_timeout(
    container: Container, answer_in_process: Callable[[Any], Any]
) -> None:
    answer = container.emulator.post({**read_example(), "CampaignId": "sleep"})
    assert answer.text == "Task timed out after 20.00 seconds"
    assert_serves(container, answer_in_process)


@pytest.mark.parametrize(
    ("harm", "status"), [("exit", "exit status 3"), ("abort", "signal: aborted")]
)
def test_serves_the_next_event_after_a_crash(
    harm: str, status: str, container: Container, answer_in_process: Callable[[Any], Any]
) -> None:
    assert_serves(container, answer_in_process)
    answer = container.emulator.post({**read_example(), "CampaignId": harm})
    assert answer.status == 502
    assert answer.json()["errorType"] == "Runtime.ExitError"
    assert status in answer.json()["errorMessage"]
    assert_serves(container, answer_in_process)


def test_is_killed_at_128_megabytes_and_serves_the_next_event(
    container: Container, answer_in_process: Callable[[Any], Any]
) -> None:
    answer = container.emulator.post({**read_example(), "CampaignId": "memory"})
    assert answer.status == 502
    assert "signal: killed" in answer.json()["errorMessage"]
    assert container.read_peak_memory() <= 128 << 20
    assert_serves(container, answer_in_process)


def test_ends_by_itself_on_sigterm(
    container: Container, answer_in_process: Callable[[Any], Any]
) -> None:
    assert_serves(container, answer_in_process)
    assert container.stop() == 0
    assert "Received signal signal=terminated" in container.emulator.stderr
