"""AWS's runtime interface emulator: started, asked, always stopped.

Input: a handler's name or a whole command, and an environment. Output: an `Emulator` that takes one
event at a time; two requests at once crash it. `make emulate`, the image tests and the benchmarks
use it. Installs nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.image.emulator_binary import EmulatorError, fetch_emulator
from tools.image.engine import ImageError
from tools.image.sessions import find_free_port, find_session, stop_session

ROOT = Path(__file__).parents[2]
INVOKE = "/2015-03-31/functions/function/invocations"
# Only ends a wait that would never end; a busy machine stays below it.
START_SECONDS = 180.0


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


def main() -> int:
    """Serve the handler until Ctrl-C, with the settings that `choose_settings` takes."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.image.emulator",
        description="Serve the hook in AWS's runtime interface emulator until Ctrl-C. The function "
        "gets this shell's SCORER_* and AWS_LAMBDA_* settings, and AWS_* if SCORER_EXTERNAL is a "
        "table.",
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
    except ImageError as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 1
    return 0


def choose_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of a shell that the function gets; AWS's own only if it reads DynamoDB."""
    beginnings = ["SCORER_", "AWS_LAMBDA_"]
    if environ.get("SCORER_EXTERNAL", "").startswith("dynamodb:"):
        beginnings.append("AWS_")  # region, credentials, the address of another server
    return {name: value for name, value in environ.items() if name.startswith(tuple(beginnings))}


def serve_handler(handler: str, port: int) -> None:
    """Serve until interrupted. Raises EmulatorError."""
    passed = choose_settings(os.environ)
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
