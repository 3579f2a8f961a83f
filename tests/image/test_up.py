"""`make up`: one command starts all three, one event says who scored, Prometheus sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from tests.image.conftest import ROOT, AnswerInProcess
from tests.templates import program
from tools.image.sessions import find_free_port
from tools.image.up import EVENT

pytestmark = pytest.mark.image
PATIENCE = 120.0


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    program("podman-compose", "compose")
    ports = {"FUNCTION_PORT": str(find_free_port()), "PROMETHEUS_PORT": str(find_free_port())}
    # A project of its own, beside one that a person may have started.
    environ = {**os.environ, **ports, "COMPOSE_PROJECT_NAME": "segment-scorer-test"}
    yield environ
    subprocess.run(
        [sys.executable, "-m", "tools.image.up", "--down"], cwd=ROOT, env=environ, check=True
    )


@pytest.fixture(scope="module")
def said(environ: dict[str, str]) -> str:
    """What the command prints; everything runs behind it."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tools.image.up"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def test_one_command_and_one_event_say_who_scored(
    said: str, answer_in_process: AnswerInProcess
) -> None:
    reply, found, rest = said.partition("\nlog: ")
    assert found
    assert json.loads(reply) == answer_in_process(json.loads(EVENT.read_text("utf-8")))
    record = json.loads(rest.splitlines()[0])
    assert (record["scorer"], record["fallback_used"]) == ("service", 0)
    assert "make down" in rest


def test_prometheus_asks_the_service(said: str, environ: dict[str, str]) -> None:
    assert said
    query = urllib.parse.urlencode({"query": 'up{job="scoring"}'})
    url = f"http://127.0.0.1:{environ['PROMETHEUS_PORT']}/api/v1/query?{query}"
    deadline = time.monotonic() + PATIENCE
    values: list[str] = []
    while time.monotonic() < deadline and values != ["1"]:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # loopback
                values = [each["value"][1] for each in json.load(answer)["data"]["result"]]
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    assert values == ["1"]
