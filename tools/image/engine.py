"""The container engine: docker or podman, whichever works here. Gives an Engine; never installs one.

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
    """The image cannot be built or started; the sentence says what to install or set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine that answered. `environ` is what its commands run with."""

    program: str
    environ: Mapping[str, str] = field(repr=False)

    def ask(self, *arguments: str) -> str:
        """What the command prints. Raises ImageError with the engine's last line when it fails."""
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
        """Whether the command ends with status 0; what it prints is dropped."""
        return (
            subprocess.run(
                [self.program, *arguments], env=self.environ, capture_output=True, check=False
            ).returncode
            == 0
        )


def find_engine() -> Engine:
    """The first engine that answers `info`; ENGINE names one. Raises ImageError when there is none."""
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
        "expected a container engine: install podman (Debian: apt-get install podman runc) or docker, "
        f"and see that `{chosen or 'podman'} info` succeeds"
    )


def adapt_podman() -> dict[str, str]:
    """Settings for podman on a host with cgroups v1 (some CI sandboxes), where crun and its default limits cannot start a container.

    Nothing on other hosts, and nothing where CONTAINERS_CONF says what to use.
    """
    if (
        "CONTAINERS_CONF" in os.environ
        or Path("/sys/fs/cgroup/cgroup.controllers").exists()
        or shutil.which("runc") is None
    ):
        return {}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[
        1
    ]  # a container cannot have more than whoever starts it
    CACHE.mkdir(parents=True, exist_ok=True)
    settings = CACHE / "containers.conf"
    text = (
        f'[containers]\ndefault_ulimits = ["nofile={hard}:{hard}", "nproc=32768:32768"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    write_atomically(settings, text.encode())
    return {"CONTAINERS_CONF": str(settings)}


def starts_containers(engine: Engine) -> bool:
    """Whether podman's runtime works here: it runs one of this machine's own programs, since no image may be here yet.

    Docker brings its runtime along, and has answered.
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
    """Say whether an engine is here that starts containers; the exit status is 1 when there is none."""
    try:
        engine = find_engine()
        if not starts_containers(engine):
            raise ImageError(
                f"expected {engine.program} to start a container: install a runtime that works here, such as runc"
            )
    except ImageError as error:
        print(f"engine: {error}", file=sys.stderr)
        return 1
    print(f"engine: {engine.program} starts containers")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
