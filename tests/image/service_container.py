"""The scoring service's container under tight limits: healthy before use, always removed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.image.engine import Engine
from tools.image.sessions import find_free_port

PATIENCE = 180.0
# A read-only disk except /tmp, no rights beyond a plain process. The user is the image's own.
LIMITS = (
    "--read-only",
    "--tmpfs=/tmp:size=16m,mode=1777",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=256m",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContainer:
    """A running container. Its port answers at `address` on this machine."""

    engine: Engine
    name: str
    address: str

    def is_healthy(self) -> bool:
        """The result of the image's own health check."""
        # podman leaves it to systemd to run the check regularly.
        if self.engine.program == "podman":
            return self.engine.succeeds("healthcheck", "run", self.name)
        return (
            self.engine.ask("inspect", "--format", "{{.State.Health.Status}}", self.name).strip()
            == "healthy"
        )

    def wait_until(self, *, healthy: bool) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.is_healthy() != healthy:
            assert time.monotonic() < deadline, self.engine.ask("logs", self.name)
            time.sleep(0.1)


@contextlib.contextmanager
def run_service(
    engine: Engine,
    image: str,
    *options: str,
    port: int = 8081,
    mounts: Mapping[Path, str] | None = None,
) -> Iterator[ServiceContainer]:
    """Start the image with `options` of the service, and yield it once it is healthy.

    port  the port inside the container
    """
    outside = find_free_port()
    name = f"segment-scorer-service-{outside}"
    command = [
        *("run", "--detach", "--name", name, *LIMITS, "--publish", f"127.0.0.1:{outside}:{port}"),
        *(["--read-only-tmpfs=false"] if engine.program == "podman" else []),
        *(f"--volume={source}:{target}:ro" for source, target in (mounts or {}).items()),
    ]
    engine.ask(*command, image, *options)
    service = ServiceContainer(engine=engine, name=name, address=f"127.0.0.1:{outside}")
    try:
        service.wait_until(healthy=True)
        yield service
    finally:
        engine.succeeds("rm", "--force", name)
