"""tools/image/engine.py: finding an engine that starts containers, with fake engines.

tests/image uses a real one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ("exit 0", 0, "engine: podman starts containers\n"),
        (
            '[ "$1" != run ]',
            1,
            "engine: expected podman to start a container; install another runtime, such as runc\n",
        ),
        ('[ "$1" != info ]', 1, "engine: expected a container engine: install podman"),
    ],
    ids=["works", "answers but starts nothing", "does not answer"],
)
def test_a_runtime_is_judged_by_what_it_starts_and_not_by_its_name(
    answers: str, status: int, said: str, tmp_path: Path
) -> None:
    podman = tmp_path / "podman"
    podman.write_text(f"#!/bin/sh\n{answers}\n")
    podman.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.defpath}", "ENGINE": "podman"}
    done = subprocess.run(
        [sys.executable, "-m", "tools.image.engine"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert (done.stdout + done.stderr).startswith(said)


def test_docker_that_answers_brings_its_runtime_along(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text('#!/bin/sh\n[ "$1" = info ]\n')
    (tmp_path / "docker").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.defpath}"}
    done = subprocess.run(
        [sys.executable, "-m", "tools.image.engine"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "engine: docker starts containers\n")
