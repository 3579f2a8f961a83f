"""Contenders in processes of their own: started, asked for measurements, and always stopped.

The other end is `tools.benchmarks.probe`. A child only works when asked, so several can take turns.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from model.errors import SegmentScorerError
from tools.benchmarks.example import ROOT, clean_environ


class ChildEnded(SegmentScorerError):
    """A process ended in place of a measurement."""


class Child:
    """A running probe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, number: int) -> dict[str, float]:
        """One measurement. `number` is its index. Raises ChildEnded."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{number}\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ChildEnded("expected a measurement, but its process ended; it says above why")
        answer: dict[str, float] = json.loads(line)
        return answer


@contextlib.contextmanager
def run_child(
    python: Path, target: str, *arguments: str, environ: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Start `python -m tools.benchmarks.probe TARGET ARGUMENTS`, and stop it at the end.

    TARGET is MODULE:FUNCTION.
    """
    command = [str(python), "-m", "tools.benchmarks.probe", target, *arguments]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=clean_environ(**(environ or {})),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Child(process)
        finally:
            process.kill()
