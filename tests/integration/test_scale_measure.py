"""tools/scale: a small measurement of the runner, from a segment to the figures that are kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.scale import measure as module
from tools.scale.measure import KINDS, measure
from tools.scale.watch import watch

# Burns half a second in a child, for which it waits.
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-S", "-c", "import time\\nwhile time.process_time() < 0.5: pass"])
"""


def test_the_work_of_a_child_is_counted_and_is_not_the_first_process(tmp_path: Path) -> None:
    found = watch([sys.executable, "-S", "-c", PARENT], tmp_path)
    assert found.processor_seconds > found.first_seconds + 0.1
    assert found.first_memory > 1_000_000


def test_a_measurement_has_every_kind_at_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KINDS", [kind for kind in KINDS if kind.budget])
    said: list[str] = []
    found = measure(said.append, (200, 400), "2.0")
    assert [(run.people, run.processes, run.budget) for run in found.runs] == [
        (200, 2, True),
        (400, 2, True),
    ]
    assert found.revision
    assert found.ray == "2.0"
    for run in found.runs:
        assert run.disk_bytes >= run.output_bytes > 0
        assert run.processor_seconds > 0
    assert [segment.people for segment in found.segments] == [200, 400]
    assert all(each.plain_bytes > each.packed_bytes > 0 for each in found.segments)
    assert any("with a budget" in text for text in said)
