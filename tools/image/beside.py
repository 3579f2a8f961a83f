"""Starts the scoring service's image for a function beside it, and always removes it.

Input: an image's name and a port. Output: the name of a healthy container that has published the
port of the function's emulator. Builds nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from tools.image.container import EMULATOR_PORT, START_SECONDS
from tools.image.engine import Engine, ImageError

# Both share one network, so loopback reaches the service and nothing else can.
ADDRESS = "127.0.0.1:8081"
LIMITS = (
    "--read-only",
    "--tmpfs=/tmp:size=16m,mode=1777",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=256m",
)


@contextlib.contextmanager
def run_service(engine: Engine, image: str, port: int) -> Iterator[str]:
    """Start the service, yield the container's name once it is ready, and remove it at the end."""
    name = f"segment-scorer-service-{os.getpid()}-{port}"
    engine.ask(
        *("run", "--detach", "--name", name, *LIMITS),
        *(["--read-only-tmpfs=false"] if engine.program == "podman" else []),
        *("--publish", f"127.0.0.1:{port}:{EMULATOR_PORT}", image, "--listen", ADDRESS),
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not engine.succeeds("exec", name, "python", "-m", "segment_scorer.service.probe"):
            if time.monotonic() > deadline:
                raise ImageError(
                    "expected the service to be ready; it printed:\n" + engine.ask("logs", name)
                )
            time.sleep(0.1)
        yield name
    finally:
        engine.succeeds("rm", "--force", "--volumes", name)
