"""Contenders in processes of their own: started, asked for one measurement after another, and surely ended.

The other end is `tools.benchmarks.probe`. A child that has not been asked does nothing, so several can be asked in turn.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.benchmarks.example import ROOT, clean_environ


class Child:
    """A running probe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, number: int) -> dict[str, float]:
        """One measurement; `number` says the how-manieth."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        return answer


@contextlib.contextmanager
def run_child(
    python: Path, target: str, *arguments: str, environ: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Start `python -m tools.benchmarks.probe TARGET ARGUMENTS`, TARGET being MODULE:FUNCTION, and end it when no longer asked."""
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
