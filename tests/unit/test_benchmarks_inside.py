"""tools/benchmarks/inside.py, probe.py and children.py: contenders in processes of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from function.hosts import decode_event
from function.hosts.pinpoint_event import DecodedEvent
from function.marshaller import CLIENT_MODULE, use_marshaller
from tools.benchmarks.children import run_child
from tools.benchmarks.inside import Measure, measure_handler, measure_ours, measure_runtime
from tools.benchmarks.rows.image import find_targets
from tools.benchmarks.rows.rooms import ROOMS

EVENTS = Path(__file__).parents[2] / "examples" / "events"


@pytest.fixture
def events(tmp_path: Path) -> str:
    # People whom the shipped model knows: others are sparse, and no scorer is asked.
    event = json.loads((EVENTS / "cdnow-five-customers.json").read_text("utf-8"))
    file = tmp_path / "events.jsonl"
    file.write_text((json.dumps(event) + "\n") * 2)
    return str(file)


def test_every_room_of_the_table_is_measured_and_they_add_up_to_the_whole(events: str) -> None:
    with run_child(Path(sys.executable), "tools.benchmarks.inside:measure_rooms", events) as child:
        taken = child.ask(0)
    assert set(taken) == {*ROOMS, "all rooms"}
    assert min(taken.values()) > 0


def test_a_child_is_asked_again_and_again_and_what_its_handler_prints_goes_nowhere(
    events: str,
) -> None:
    with run_child(
        Path(sys.executable),
        "tools.benchmarks.inside:measure_handler",
        "function.handler:handle",
        events,
    ) as child:
        assert [set(child.ask(number)) for number in range(3)] == [{"handler"}] * 3


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The events that the handler `fake_function.handle` was given, as function.handler is."""
    given: list[object] = []

    class Client:
        marshaller = LambdaMarshaller()

    client, function = ModuleType(CLIENT_MODULE), ModuleType("fake_function")
    vars(client).update(BaseLambdaRuntimeClient=Client)
    vars(function).update(handle=lambda event, _: given.append(event))
    for module in (client, function):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    use_marshaller(sys.modules, decode_event)
    return given


def test_a_handler_is_given_what_the_marshaller_of_the_runtime_client_decodes(
    events: str, given: list[object]
) -> None:
    measure_handler("fake_function:handle", events)(0)
    assert {type(event) for event in given} == {DecodedEvent}


def test_a_handler_can_be_given_plain_dicts_instead(events: str, given: list[object]) -> None:
    measure_handler("fake_function:handle", events, "json")(0)
    assert {type(event) for event in given} == {dict}


@pytest.mark.parametrize("measure", [measure_runtime, measure_ours])
def test_a_marshaller_is_measured_by_decoding_and_encoding(
    measure: Callable[[str], Measure], events: str
) -> None:
    taken = measure(events)(0)
    assert set(taken) == {"decode", "encode", "both"}
    assert min(taken.values()) > 0


def test_the_function_is_among_the_images_that_are_measured() -> None:
    assert "function" in find_targets()
