"""Starts the built image under Lambda's limits and AWS's emulator, and always stops it.

Input: an image's name, a memory size and a handler. Output: a Container that takes one event at a
time. Builds nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.image.emulator import Emulator
from tools.image.emulator_binary import fetch_emulator
from tools.image.engine import Engine, ImageError
from tools.image.sessions import find_free_port

# tools/image/steps/entrypoint.sh looks for the emulator here.
EMULATOR_PATH = "/usr/local/bin/aws-lambda-rie"
EMULATOR_PORT = 8080
# A read-only disk except /tmp, a user that owns no file, and no rights beyond a plain process.
LAMBDA_LIMITS = (
    "--read-only",
    "--tmpfs=/tmp:size=512m,mode=1777",
    "--user=993:990",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
# Lambda gives one vCPU at this memory size, and proportionally less below.
MEGABYTES_A_CPU = 1769
# These limits only end a test that would hang; they are no measure of speed.
START_SECONDS = 180.0
STOP_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A running container.

    emulator  takes events and holds what was printed
    process   the engine's client, which runs in the foreground
    """

    name: str
    engine: Engine
    emulator: Emulator
    process: subprocess.Popen[bytes]

    def ask(self, *command: str) -> str:
        """Output of a command run inside the container. It uses the container's memory."""
        return self.engine.ask("exec", self.name, *command)

    def read_peak_memory(self) -> int:
        """Most bytes so far by the kernel's count for the container: processes and file pages."""
        paths = "/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes"
        return int(self.ask("sh", "-c", " || ".join(f"cat {path} 2>/dev/null" for path in paths)))

    def stop(self) -> int:
        """Send SIGTERM, wait, and give the exit status. 137: it had to be killed."""
        self.engine.ask("stop", "--time", str(STOP_SECONDS), self.name)
        return self.process.wait(2 * STOP_SECONDS)


@contextlib.contextmanager
def run_container(
    engine: Engine,
    image: str,
    *,
    memory: int | None = None,
    share_cpu: bool = False,
    environ: Mapping[str, str] | None = None,
    mounts: Mapping[Path, str] | None = None,
    handler: str | None = None,
    port: int | None = None,
    beside: str | None = None,
) -> Iterator[Container]:
    """Start the image, yield it once the emulator answers, and remove it at the end.

    memory     megabytes, without swap; None: no limit
    share_cpu  also limit the processor to the share that Lambda gives at that size
    mounts     file or folder on this machine -> its read-only path inside
    handler    instead of the image's own
    beside     a container whose network it shares, and which has published `port`
    """
    binary = fetch_emulator()
    port = port or find_free_port()
    name = f"segment-scorer-{os.getpid()}-{port}"
    folder = Path(tempfile.mkdtemp(prefix="container-"))
    command = [
        *(engine.program, "run", "--rm", "--name", name),
        *list_limits(engine, memory, share_cpu=share_cpu),
        *(
            [f"--network=container:{beside}"]
            if beside
            else ["--publish", f"127.0.0.1:{port}:{EMULATOR_PORT}"]
        ),
        *(f"--env={key}={value}" for key, value in (environ or {}).items()),
        *(
            f"--volume={source}:{target}:ro"
            for source, target in {binary: EMULATOR_PATH, **(mounts or {})}.items()
        ),
        *(image, *([handler] if handler else [])),
    ]
    try:
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            # podman's monitor writes a file `oom` there when the kernel kills a process.
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=engine.environ,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        container = Container(
            name=name,
            engine=engine,
            emulator=Emulator(port=port, pid=process.pid, folder=folder),
            process=process,
        )
        try:
            wait_until_it_answers(container)
            yield container
        finally:
            engine.succeeds("rm", "--force", "--volumes", name)
            process.wait(2 * STOP_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def list_limits(engine: Engine, memory: int | None, *, share_cpu: bool) -> list[str]:
    """Options of `run` for Lambda's limits; `memory` and `share_cpu` as of `run_container`."""
    return [
        *LAMBDA_LIMITS,
        # Without this, podman leaves /run and /var/tmp writable.
        *(["--read-only-tmpfs=false"] if engine.program == "podman" else []),
        *([f"--memory={memory}m", f"--memory-swap={memory}m"] if memory else []),
        *([f"--cpus={memory / MEGABYTES_A_CPU:.3f}"] if memory and share_cpu else []),
    ]


def wait_until_it_answers(container: Container) -> None:
    """Return once the emulator answers HTTP. Raises ImageError.

    A connection alone proves nothing: the engine's own proxy may have accepted it.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and container.process.poll() is None:
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", container.emulator.port, timeout=10)
            ) as connection,
        ):
            connection.request("GET", "/")  # no invocation, so the function is not started
            connection.getresponse()
            return
        time.sleep(0.05)
    raise ImageError(
        "expected the container to answer; it printed:\n"
        + f"{container.emulator.stdout}{container.emulator.stderr}".rstrip()
    )
