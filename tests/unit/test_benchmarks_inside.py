"""tools/benchmarks/inside.py, probe.py and children.py: contenders in processes of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tools.benchmarks.children import run_child
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


def test_the_runtimes_json_is_decoding_and_encoding(events: str) -> None:
    with run_child(
        Path(sys.executable), "tools.benchmarks.inside:measure_runtime", events
    ) as child:
        assert set(child.ask(0)) == {"decode", "encode", "both"}


def test_the_function_is_among_the_images_that_are_measured() -> None:
    assert "function" in find_targets()
