"""AWS's runtime interface emulator: fetched once by pinned digest, started around a command, asked, and surely stopped.

Takes a handler's name or a whole command and an environment; gives an `Emulator` to post events to, one at a time (two requests at
once crash it). Reused by `make emulate`, the image tests and the benchmarks. Never installs anything.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.atomic import replace_atomically
from tools.image.engine import ImageError

ROOT = Path(__file__).parents[2]
PINNED = ROOT / "requirements" / "emulator.txt"
CACHE = ROOT / ".cache" / "emulator"
INVOKE = "/2015-03-31/functions/function/invocations"
# machine as Python names it -> (as the wheel names it, SHA-256 of the binary in aws-sam-cli 1.170.0)
BINARIES = {
    "x86_64": ("x86_64", "6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5"),
    "aarch64": ("arm64", "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21"),
    "arm64": ("arm64", "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21"),
}
# Bounds for what never comes; a machine that is busy gets there.
START_SECONDS = 180.0
STOP_SECONDS = 5.0  # to end when asked, before it is killed
KILL_SECONDS = 60.0


class EmulatorError(ImageError):
    """The emulator cannot be fetched or started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a host's HTTP client sees. `json()` fails where the body is not JSON, as a timeout's is not."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A running emulator. `url` is what `segment-scorer run --hook` takes; `folder` holds what it and the function printed."""

    port: int
    pid: int
    folder: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def post(self, event: object, timeout: float = 180.0) -> Answer:
        """Invoke with `event` (bytes go as they are) and wait for the answer."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("POST", INVOKE, body)
            response = connection.getresponse()
            return Answer(status=response.status, body=response.read())

    @property
    def stdout(self) -> str:
        """The function's log lines (its stdout and stderr) among the emulator's own."""
        return (self.folder / "stdout").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """What the emulator itself had to say."""
        return (self.folder / "stderr").read_text(errors="replace")


def fetch_emulator(cache: Path = CACHE) -> Path:
    """Path of the emulator's binary for this machine, taken from the pinned wheel when it is not in the cache yet. Raises EmulatorError."""
    try:
        name, digest = BINARIES[platform.machine()]
    except KeyError as error:
        raise EmulatorError(
            f"expected a machine the emulator is built for, one of {', '.join(BINARIES)}"
        ) from error
    binary = cache / f"aws-lambda-rie-{digest[:12]}"
    if binary.exists() and hashlib.sha256(binary.read_bytes()).hexdigest() == digest:
        return binary
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ]
        if subprocess.run(
            [*command, "--require-hashes", "-r", str(PINNED), "-d", scratch], stdout=2, check=False
        ).returncode:
            raise EmulatorError(
                "expected pip to download the wheel that carries the emulator; what it said is above"
            )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            program = archive.read(f"samcli/local/rapid/aws-lambda-rie-{name}")
        if hashlib.sha256(program).hexdigest() != digest:
            raise EmulatorError(
                "expected the emulator's binary to have the SHA-256 that tools/image/emulator.py pins"
            )
        with replace_atomically(binary) as fresh:
            fresh.write_bytes(program)
            fresh.chmod(0o755)
    return binary


@contextlib.contextmanager
def run_emulator(
    handler: str = "function.handler.handle",
    *,
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    port: int | None = None,
    inside: Sequence[str] = (),
    show: bool = False,
) -> Iterator[Emulator]:
    """Start the emulator around `python -m awslambdaric HANDLER` (or `command`), give it once it listens, stop all of it at the end.

    The function's process gets `environ` and what a process needs to start, nothing else of ours: a test is not changed by the
    settings of whoever runs it. The handler is imported at the first invocation, not before. `inside` is a command that runs the rest of
    its arguments, such as unshare: for an /opt/extensions that is the test's own. `show` lets function
    and emulator print to our own streams.
    """
    binary = fetch_emulator()
    folder = Path(tempfile.mkdtemp(prefix="emulator-"))
    own = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
    }
    try:
        listen, api = port or find_free_port(), find_free_port()
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [
                    *inside,
                    *(binary, "--runtime-interface-emulator-address", f"127.0.0.1:{listen}"),
                    *("--runtime-api-address", f"127.0.0.1:{api}"),
                    *(command or [sys.executable, "-m", "awslambdaric", handler]),
                ],
                cwd=ROOT,
                env={**own, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=None if show else stdout,
                stderr=None if show else stderr,
                start_new_session=True,
            )
        emulator = Emulator(port=listen, pid=process.pid, folder=folder)
        try:
            wait_until_it_listens(process, emulator)
            yield emulator
        finally:
            stop_session(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_it_listens(process: subprocess.Popen[bytes], emulator: Emulator) -> None:
    """Return once the port accepts a connection. Raises EmulatorError with what was printed when the process ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", emulator.port), timeout=1),
        ):
            return
        time.sleep(0.02)
    raise EmulatorError(
        f"expected the emulator to listen within {START_SECONDS:g} s; it printed:\n{emulator.stdout}{emulator.stderr}"
    )


def stop_session(process: subprocess.Popen[bytes]) -> None:
    """End the emulator and whatever it started: asked first, then killed. The runtime has a process group of its own, but our session."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    while members := find_session(process.pid):
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.poll()
        if time.monotonic() > deadline:
            raise EmulatorError(
                f"expected every process of session {process.pid} to end when killed"
            )
        time.sleep(0.02)
    process.wait()


def find_session(leader: int) -> list[int]:
    """Processes (zombies left out) whose session is `leader`'s."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid pgrp session ...; the name may hold spaces and brackets
            state, _, _, session, *_ = entry.read_text(errors="replace").rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                found.append(int(entry.parent.name))
    return found


def find_free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Serve the handler until interrupted, on a port of choice, with this shell's SCORER_* and AWS_LAMBDA_* settings."""
    parser = argparse.ArgumentParser(
        description="Serve the hook in AWS's runtime interface emulator until Ctrl-C."
    )
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--handler", default="function.handler.handle")
    parser.add_argument(
        "--fetch", action="store_true", help="only see that the emulator is here, or download it"
    )
    options = parser.parse_args()
    try:
        if options.fetch:
            fetch_emulator()
        else:
            serve_handler(options.handler, options.port)
    except EmulatorError as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 1
    return 0


def serve_handler(handler: str, port: int) -> None:
    """Serve until interrupted. Raises EmulatorError."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("SCORER_", "AWS_LAMBDA_"))
    }
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # however we are stopped, the emulator stops with us
    with run_emulator(
        handler, environ={"AWS_LAMBDA_FUNCTION_TIMEOUT": "15"} | passed, port=port, show=True
    ) as emulator:
        print(
            f"listening on {emulator.url}; try: segment-scorer run SEGMENT --out out/emulated --hook {emulator.url}",
            flush=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            while find_session(emulator.pid):
                time.sleep(0.5)


if __name__ == "__main__":
    raise SystemExit(main())
