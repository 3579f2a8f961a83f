"""tools/benchmarks/starts.py and rows/start_image.py: new processes, here and in the image."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tools.benchmarks.children import Child, ChildEnded, run_child
from tools.benchmarks.plan import Plan
from tools.benchmarks.rows import start_image
from tools.benchmarks.rows.start_image import (
    COLUMNS,
    MEMORIES,
    describe_one_thread,
    make_row,
    measure,
)
from tools.benchmarks.starts import StartError, measure_starts, start_process
from tools.image.container import list_limits
from tools.image.engine import Engine, ImageError

ROOT = Path(__file__).parents[2]
PLAN = Plan(effort=0.01, largest=10_000, say=lambda _: None)
EVENT = str(ROOT / "examples" / "events" / "cdnow-five-customers.json")


def test_a_start_is_timed_up_to_the_reply_and_says_what_it_used() -> None:
    start = start_process(sys.executable, "import json", folder=ROOT, environ=os.environ)
    assert start.processor > 0
    assert start.seconds > 0
    assert start.modules > 10
    assert start.kilobytes > 1_000


def test_a_process_without_a_reply_is_an_error() -> None:
    with pytest.raises(StartError, match="expected every new process to reply"):
        start_process(sys.executable, "raise SystemExit", folder=ROOT, environ=os.environ)


def test_function_and_bare_imports_are_started_in_turn_in_one_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tools.benchmarks.starts.PERIOD", 0.0)
    found = measure_starts(sys.executable, EVENT)(0)
    assert found["function modules"] > found["imports modules"]
    samples = [{name: value / 1000 for name, value in found.items()}] * 3
    row = make_row(1024, "seconds", samples)
    assert row.label == "1,024 MB, 0.58 vCPU: new process to first reply"
    ratio = found["function seconds"] / found["one thread seconds"]
    assert f"the function takes {ratio:.2f} times" in describe_one_thread([row])
    assert row.values == {column: found[f"{name} seconds"] for name, column in COLUMNS.items()}


def test_without_an_engine_the_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none() -> Engine:
        raise ImageError("expected a container engine")

    monkeypatch.setattr(start_image, "find_engine", find_none)
    table = measure(PLAN)
    assert not table.rows
    assert table.notes == ("Not measured: expected a container engine.",)


def test_a_container_has_the_memory_of_the_template_and_lambdas_share_of_a_processor() -> None:
    template = (ROOT / "segment_scorer" / "deploy" / "template.yaml").read_text("utf-8")
    (default,) = re.findall(
        r"^  MemorySize:\n(?:    .*\n)*?    Default: (\d+)$", template, re.MULTILINE
    )
    assert MEMORIES[0] == int(default)
    limits = list_limits(Engine(program="podman", environ={}), MEMORIES[0], share_cpu=True)
    assert {"--read-only", "--memory=1024m", "--memory-swap=1024m", "--cpus=0.579"} <= set(limits)
    assert "--read-only-tmpfs=false" in limits


def test_a_child_that_ended_is_an_error_that_says_so() -> None:
    with run_child(Path(sys.executable), "tools.benchmarks.nothing:measure") as child:
        assert isinstance(child, Child)
        with pytest.raises(ChildEnded, match="expected a measurement"):
            child.ask(0)
