"""The `docker` lines of docs/deploy.md and docs/scoring-service.md, with the engine at hand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.image.test_push import registry, tags_of
from tools.image.build import name_platforms, provide_base
from tools.image.engine import Engine

__all__ = ["registry"]  # a fixture

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.image
# Arguments that podman 4 needs and docker does not; and a plain HTTP registry on loopback.
PODMAN = {"push": ["--tls-verify=false"]}


def read_lines(page: str, *verbs: str) -> list[str]:
    """The lines of a page that begin with `docker` and one of these verbs."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return re.findall(rf"^\$ (docker (?:{'|'.join(verbs)}) .*)$", text, re.MULTILINE)


def define_docker(engine: Engine) -> str:
    """A shell function `docker` that is the engine, with the arguments that it needs here."""
    base = provide_base(engine, os.environ)
    ca_bundle = os.environ.get("CA_BUNDLE")
    secret = ["--secret", f"id=ca-bundle,src={ca_bundle}"] if ca_bundle else []
    extra = {"build": ["--build-arg", f"BASE_IMAGE={base}", *secret]}
    if engine.program == "podman":
        extra = {
            "build": [
                *extra["build"],
                "--pull=never",
                *(f"--build-arg={each}" for each in name_platforms(os.environ.get("ARCH"))),
            ],
            **PODMAN,
        }
    cases = "\n".join(
        f'{verb}) shift; command {engine.program} {verb} {shlex.join(words)} "$@" ;;'
        for verb, words in extra.items()
    )
    return f'docker() {{ case $1 in\n{cases}\n*) command {engine.program} "$@" ;; esac; }}'


def run_lines(engine: Engine, lines: list[str], **environ: str) -> None:
    """Run lines in a shell where `docker` is the engine."""
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{define_docker(engine)}\n{line}"],
            cwd=ROOT,
            env={**engine.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_lines_without_make_build_and_push_the_function(engine: Engine, registry: str) -> None:
    lines = read_lines("deploy.md", "build", "push")
    assert len(lines) == 2
    repository = f"{registry}/team/plain"
    try:
        run_lines(engine, lines, REPOSITORY=repository)
        assert set(tags_of(repository)) == {"0.1.0"}
        name = f"{repository}:0.1.0"
        labels = engine.ask("image", "inspect", "--format", "{{json .Config.Labels}}", name)
        assert '"org.opencontainers.image.version":"0.1.0"' in labels
    finally:
        engine.succeeds("rmi", "--force", f"{repository}:0.1.0")


def test_the_lines_without_make_build_the_service(engine: Engine) -> None:
    (line,) = read_lines("scoring-service.md", "build")
    name = "segment-scorer-page-test:service"
    try:
        run_lines(engine, [line.replace("segment-scorer:service", name)])
        labels = engine.ask("image", "inspect", "--format", "{{json .Config.Labels}}", name)
        assert '"org.opencontainers.image.version":"0.1.0"' in labels
    finally:
        engine.succeeds("rmi", "--force", name)
