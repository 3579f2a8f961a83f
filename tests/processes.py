"""Server processes for tests: started, awaited until they listen, and always ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PATIENCE = 180.0  # seconds until a process that should have started counts as broken


class Process:
    """A child process whose stderr is read line by line."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **(environ or {}),
        }
        self.child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, message: str) -> dict[str, Any]:
        """The first JSON line whose message is this."""
        while (line := self._queue.get(timeout=PATIENCE)) is not None:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("message") == message:
                return said
        raise AssertionError(f"the process ended without saying {message!r}; it said: {self.lines}")

    def signal(self, number: int) -> None:
        self.child.send_signal(number)
        if number == signal.SIGSTOP:
            # On a busy machine a process may run on for a while after the signal.
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and not self._is_stopped():
                time.sleep(0.005)

    def _is_stopped(self) -> bool:
        states = [
            path.read_text().rpartition(")")[2].split()[0]
            for path in Path(f"/proc/{self.child.pid}/task").glob("*/stat")
        ]
        return set(states) == {"T"}

    def end(self) -> int:
        """Kill it when it still runs (a stopped one too), and give its exit status."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.kill()
        status = self.child.wait(PATIENCE)
        self._reader.join(PATIENCE)
        # A child of its own that outlives it keeps the pipe open: closing it would wait for that.
        assert not self._reader.is_alive(), "a process that it started is still there"
        assert self.child.stderr
        self.child.stderr.close()
        return status

    def _read(self) -> None:
        assert self.child.stderr
        for line in self.child.stderr:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)


@contextmanager
def run_process(
    command: Sequence[str], environ: Mapping[str, str] | None = None
) -> Iterator[Process]:
    process = Process(command, environ)
    try:
        yield process
    finally:
        process.end()


class Server(Process):
    """`segment-scorer serve` over a bundle. `address` is the first it listens on, not --probe's."""

    def __init__(
        self,
        bundle: Path,
        *options: str,
        listen: str = "127.0.0.1:0",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            [
                sys.executable,
                "-m",
                "segment_scorer.cli.main",
                "serve",
                "--bundle",
                str(bundle),
                "--listen",
                listen,
                *options,
            ],
            environ,
        )
        try:
            self.address, *_ = self.wait_for("listening")["addresses"]
        except BaseException:
            self.end()
            raise


@contextmanager
def run_server(
    bundle: Path,
    *options: str,
    listen: str = "127.0.0.1:0",
    environ: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    server = Server(bundle, *options, listen=listen, environ=environ)
    try:
        yield server
    finally:
        server.end()


def start_runner(command: Sequence[str]) -> subprocess.Popen[str]:
    """A run that reports each chunk, then waits for a line on stdin or for its end."""
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def let_go_on(process: subprocess.Popen[str]) -> None:
    """Wait for the runner's next chunk and let it begin another; nothing if it has ended."""
    assert process.stdin
    assert process.stdout
    if process.stdout.readline():
        process.stdin.write("\n")
        process.stdin.flush()
