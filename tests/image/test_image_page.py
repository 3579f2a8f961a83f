"""The lines without make in docs/image.md, run as they stand with the engine at hand."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.image.test_deploy_page import define_docker
from tools.image.engine import Engine
from tools.image.sessions import find_free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0  # seconds for what should take one
pytestmark = pytest.mark.image


def read_block() -> list[str]:
    """The commands of the page's block."""
    text = (ROOT / "docs" / "image.md").read_text("utf-8")
    (block,) = re.findall(r"^```console engine\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for line in block.splitlines()]


def test_the_lines_without_make_build_the_image_and_get_a_reply(engine: Engine) -> None:
    port, name = str(find_free_port()), f"segment-scorer-page-{os.getpid()}"
    image = f"{name}:function"
    lines = [
        line.replace("9000", port)
        .replace("segment-scorer:function", image)
        .replace("--name scorer", f"--name {name}")
        .replace("stop scorer", f"stop {name}")
        for line in read_block()
    ]
    build, fetch, start, post, stop = lines
    script = f"set -euo pipefail\n{define_docker(engine)}\n{build} >&2\n{fetch}\n{start} >&2\n"
    try:
        subprocess.run(["bash", "-c", script], cwd=ROOT, env=engine.environ, check=True)
        deadline = time.monotonic() + PATIENCE
        while (done := run(post)).returncode:  # the emulator does not listen at once
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.05)
        assert '"Score"' in done.stdout
        stopped = f"set -euo pipefail\n{define_docker(engine)}\n{stop} >&2"
        subprocess.run(["bash", "-c", stopped], cwd=ROOT, env=engine.environ, check=True)
    finally:
        engine.succeeds("rm", "--force", name)
        engine.succeeds("rmi", "--force", image)


def run(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False
    )
