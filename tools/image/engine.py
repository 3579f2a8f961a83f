"""Finds the container engine: docker or podman, whichever works. Installs nothing.

`python3 -m tools.image.engine` says whether it starts a container.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model.atomic import write_atomically
from model.errors import SegmentScorerError

CACHE = Path(__file__).parents[2] / ".cache" / "image"
ENGINES = ("docker", "podman")


class ImageError(SegmentScorerError):
    """The image cannot be built or started. The message says what to install or set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine that answers. Its commands run with `environ`."""

    program: str
    environ: Mapping[str, str] = field(repr=False)

    def ask(self, *arguments: str) -> str:
        """Output of a command. Raises ImageError with the engine's last line if it fails."""
        done = subprocess.run(
            [self.program, *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no message"]
            raise ImageError(f"{self.program} {arguments[0]}: {said[-1]}")
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Whether the command ends with status 0. Its output is discarded."""
        return (
            subprocess.run(
                [self.program, *arguments], env=self.environ, capture_output=True, check=False
            ).returncode
            == 0
        )


def find_engine() -> Engine:
    """The first engine that answers `info`, or the one that ENGINE names. Raises ImageError."""
    chosen = os.environ.get("ENGINE")
    for program in (chosen,) if chosen else ENGINES:
        if shutil.which(program) is None:
            continue
        engine = Engine(
            program=program,
            environ={**os.environ, **(adapt_podman() if program == "podman" else {})},
        )
        if engine.succeeds("info"):
            return engine
    raise ImageError(
        "expected a container engine: install podman (Debian: apt-get install podman runc) "
        f"or docker, and check that `{chosen or 'podman'} info` succeeds"
    )


def adapt_podman() -> dict[str, str]:
    """Settings for podman on a host with cgroups v1, as in some CI sandboxes.

    There, crun and podman's default limits cannot start a container. Empty on other hosts, and
    where CONTAINERS_CONF names settings of the user's own.
    """
    if (
        "CONTAINERS_CONF" in os.environ
        or Path("/sys/fs/cgroup/cgroup.controllers").exists()
        or shutil.which("runc") is None
    ):
        return {}
    # A container cannot have more than the process that starts it.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    CACHE.mkdir(parents=True, exist_ok=True)
    settings = CACHE / "containers.conf"
    text = (
        f'[containers]\ndefault_ulimits = ["nofile={hard}:{hard}", "nproc=32768:32768"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    write_atomically(settings, text.encode())
    return {"CONTAINERS_CONF": str(settings)}


def starts_containers(engine: Engine) -> bool:
    """Whether the engine's runtime works.

    podman runs one of this machine's own programs, since there may be no image yet. Docker has a
    runtime of its own, and has answered already.
    """
    if engine.program != "podman":
        return True
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name in ("bin", "lib", "lib64"):
            (Path(folder) / name).symlink_to(f"usr/{name}")
        command = (
            "run",
            "--rm",
            "--network=none",
            "--read-only",
            "--volume=/usr:/usr:ro",
            "--rootfs",
            folder,
            "/usr/bin/true",
        )
        return engine.succeeds(*command)


def main() -> int:
    """Print whether there is an engine that starts containers. Exit status 1: there is none."""
    try:
        engine = find_engine()
        if not starts_containers(engine):
            raise ImageError(
                f"expected {engine.program} to start a container;"
                " install another runtime, such as runc"
            )
    except ImageError as error:
        print(f"engine: {error}", file=sys.stderr)
        return 1
    print(f"engine: {engine.program} starts containers")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
