"""`sam local invoke` on our own template, with the built image.

SAM passes every variable of the template to the function, those without a value as empty texts.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.conftest import ROOT, AnswerInProcess
from tests.templates import TEMPLATE, program
from tools.image.engine import Engine

pytestmark = pytest.mark.image
EVENT = ROOT / "examples" / "events" / "cdnow-five-customers.json"
PATIENCE = 60.0


@contextlib.contextmanager
def serve_engine(engine: Engine, folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which SAM finds the engine: podman serves docker's interface."""
    if engine.program != "podman":
        yield {}
        return
    socket = folder / "podman.sock"
    command = [engine.program, "system", "service", "--time=0", f"unix://{socket}"]
    with subprocess.Popen(command, env=engine.environ, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not socket.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            yield {"DOCKER_HOST": f"unix://{socket}"}
        finally:
            process.terminate()


def test_sam_local_invokes_the_image_by_our_own_template(
    engine: Engine, image: str, answer_in_process: AnswerInProcess, tmp_path: Path
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with serve_engine(engine, tmp_path) as found:
        done = subprocess.run(
            [
                *(program("sam"), "local", "invoke", "Scorer", "--template-file", str(TEMPLATE)),
                *("--skip-pull-image", "--event", str(EVENT)),
                *("--parameter-overrides", f"ImageUri={image} Revision=1"),
            ],
            cwd=tmp_path,
            env={
                **engine.environ,
                **keys,
                **found,
                "AWS_DEFAULT_REGION": "us-east-1",
                "SAM_CLI_TELEMETRY": "0",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    engine.succeeds("rmi", f"{image.partition(':')[0]}:rapid-{os.uname().machine}")
    assert done.returncode == 0, done.stderr
    reply = json.loads(done.stdout)
    assert reply == answer_in_process(json.loads(EVENT.read_text("utf-8")))
    assert 0 < len(reply) < 5
