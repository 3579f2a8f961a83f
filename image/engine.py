"""The container engine: docker or podman, whichever works here. Gives an Engine; never installs one."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import SegmentScorerError

CACHE = Path(__file__).parent.parent / ".cache" / "image"
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
        done = subprocess.run([self.program, *arguments], env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no message"]
            raise ImageError(f"{self.program} {arguments[0]}: {said[-1]}")
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Whether the command ends with status 0; what it prints is dropped."""
        return subprocess.run([self.program, *arguments], env=self.environ, capture_output=True, check=False).returncode == 0


def find_engine() -> Engine:
    """The first engine that answers `info`; ENGINE names one. Raises ImageError when there is none."""
    chosen = os.environ.get("ENGINE")
    for program in (chosen,) if chosen else ENGINES:
        if shutil.which(program) is None:
            continue
        engine = Engine(program=program, environ={**os.environ, **(adapt_podman() if program == "podman" else {})})
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
    if "CONTAINERS_CONF" in os.environ or Path("/sys/fs/cgroup/cgroup.controllers").exists() or shutil.which("runc") is None:
        return {}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # a container cannot have more than whoever starts it
    CACHE.mkdir(parents=True, exist_ok=True)
    settings = CACHE / "containers.conf"
    fresh = settings.with_suffix(f".{os.getpid()}")
    fresh.write_text(
        f'[containers]\ndefault_ulimits = ["nofile={hard}:{hard}", "nproc=32768:32768"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    fresh.replace(settings)
    return {"CONTAINERS_CONF": str(settings)}
