"""The three ways in: Lambda, AWS's emulator, neither."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.image.conftest import ROOT, Start, require_image
from tools.image.container import EMULATOR_PATH
from tools.image.emulator_binary import fetch_emulator
from tools.image.engine import Engine
from tools.image.sessions import find_free_port

pytestmark = pytest.mark.image


def run(engine: Engine, image: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [engine.program, "run", "--rm", "--read-only", *options, image],
        env=engine.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_says_what_it_expected_outside_lambda_without_an_emulator(
    engine: Engine, image: str
) -> None:
    done = run(engine, image)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "segment-scorer: expected AWS_LAMBDA_RUNTIME_API, which Lambda sets, "
        "or AWS's runtime interface emulator at /"
    )


def test_runs_the_runtime_client_in_lambda_even_where_an_emulator_is_mounted(
    engine: Engine, image: str
) -> None:
    nobody_listens = "--env=AWS_LAMBDA_RUNTIME_API=127.0.0.1:1"
    done = run(engine, image, nobody_listens, f"--volume={fetch_emulator()}:{EMULATOR_PATH}:ro")
    assert done.returncode != 0
    # The runtime client's words. The emulator would have listened and waited.
    assert "Failed to get next" in done.stderr


@pytest.mark.parametrize(("target", "scorer"), [("function", "bundle"), ("service", "service")])
def test_a_person_sees_every_examples_reply_and_who_scored(
    target: str, scorer: str, engine: Engine, image: str
) -> None:
    require_image(engine, target)
    port = str(find_free_port())
    # -S: without any installed package.
    command = [sys.executable, "-S", "-m", "tools.image.emulate", "--image", image]
    done = subprocess.run(
        [*command, "--port", port],
        cwd=ROOT,
        env={**os.environ, "TARGET": target},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for path in (ROOT / "examples" / "events").glob("*.json"):
        assert f"--- {path.name}: HTTP 200" in done.stdout
    records = [
        json.loads(line.removeprefix("log: "))
        for line in done.stdout.splitlines()
        if line.startswith("log: ")
    ]
    assert len(records) == len(list((ROOT / "examples" / "events").glob("*.json")))
    assert {record["scorer"] for record in records if "scorer" in record} == {scorer}


def test_invoke_shows_the_containers_reply(start: Start) -> None:
    event = ROOT / "examples" / "events" / "cdnow-five-customers.json"
    with start(memory=512) as container:
        command = [sys.executable, "-m", "segment_scorer.cli.main", "invoke", str(event), "--hook"]
        there = subprocess.run(
            [*command, container.emulator.url], cwd=ROOT, capture_output=True, text=True, check=True
        )
        here = subprocess.run(
            [*command, "local"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    assert json.loads(there.stdout) == json.loads(here.stdout)
    assert there.stderr == ""
