"""The scoring service's image, and the function's with the service beside it, as real containers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from function.scorers.bundled import BundledScorer
from function.scorers.remote import RemoteScorer, RemoteSettings
from function.scorers.tensors import Dialect
from image.build import read_version
from image.container import LAMBDA_LIMITS, Container, run_container
from image.engine import Engine
from model.bundle import load_bundle
from tests.emulator import find_free_port
from tests.image.conftest import ROOT
from tests.image.test_contents import AT_A_COLD_START, FIND_COMPILED, MOST_BEYOND_THE_BASE, SBOM, read_locked, write_bill

pytestmark = pytest.mark.image
SERVICE, SIDECAR = "segment-scorer:service", "segment-scorer:function-sidecar"
EVENTS = sorted((ROOT / "examples" / "events").glob("*.json"))
PATIENCE = 60.0
# What each process of an image imports at its start.
STARTS = {
    SERVICE: [("cli.main", "cli.serve", "service.server", "service.tls"), ("service.probe",)],
    SIDECAR: [(*AT_A_COLD_START, "function.scorers.remote"), ("service.extension",)],
}
# Ends the process of the sidecar, whose user is the function's.
KILL = """
import os, pathlib, signal
for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if b"\\0service.extension\\0" in entry.read_bytes():
        os.kill(int(entry.parent.name), signal.SIGKILL)
"""


def require_image(engine: Engine, name: str) -> str:
    assert engine.succeeds("image", "inspect", name), f"expected the image {name}; run `make image TARGET={name.partition(':')[2]}`"
    return name


@contextlib.contextmanager
def run_service(engine: Engine) -> Iterator[tuple[str, str]]:
    """The service's container under tight limits: its name, and the address where it answers."""
    port = find_free_port()
    name = f"segment-scorer-service-{port}"
    limits = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=256m")
    engine.ask("run", "--detach", "--name", name, *limits, "--publish", f"127.0.0.1:{port}:8081", require_image(engine, SERVICE))
    try:
        deadline = time.monotonic() + PATIENCE
        while not engine.succeeds("exec", name, "python", "-m", "service.probe"):
            assert time.monotonic() < deadline, engine.ask("logs", name)
            time.sleep(0.1)
        yield name, f"127.0.0.1:{port}"
    finally:
        engine.succeeds("rm", "--force", name)


def look_inside(engine: Engine, name: str, *command: str) -> str:
    """What a command prints in a fresh container under Lambda's limits."""
    program, *arguments = command
    return engine.ask("run", "--rm", *LAMBDA_LIMITS, "--entrypoint", program, require_image(engine, name), *arguments)


@pytest.mark.parametrize("name", STARTS)
def test_every_file_can_be_read_and_the_image_stays_within_the_functions_limit(name: str, engine: Engine) -> None:
    assert look_inside(engine, name, "find", "/opt", "/var/task", "(", "-type", "f", "-o", "-type", "d", ")", "!", "-readable") == ""
    sizes = look_inside(engine, name, "du", "--bytes", "--summarize", "/opt", "/var/task").splitlines()
    assert sum(int(line.split()[0]) for line in sizes) <= MOST_BEYOND_THE_BASE


@pytest.mark.parametrize(("name", "modules"), [(name, modules) for name, starts in STARTS.items() for modules in starts])
def test_compiles_nothing_at_its_start(name: str, modules: tuple[str, ...], engine: Engine) -> None:
    printed = look_inside(engine, name, "python", "-c", FIND_COMPILED, *modules).splitlines()
    assert [line for line in printed if line.endswith(".py")] == []


@pytest.mark.parametrize("name", STARTS)
def test_leaves_behind_what_only_the_build_training_and_tests_need(name: str, engine: Engine) -> None:
    for path in ("/build", "/opt/venv/bin/pip", "/usr/bin/cc", "/var/task/.git", "/var/task/tests", "/var/task/model/training"):
        assert look_inside(engine, name, "python", "-c", f"import os; print(os.path.lexists({path!r}))").strip() == "False", path


@pytest.mark.parametrize("name", STARTS)
def test_is_labelled_and_has_exactly_the_locked_packages(name: str, engine: Engine, tool: Callable[[str], str], tmp_path: Path) -> None:
    labels = json.loads(engine.ask("image", "inspect", "--format", "{{json .Config.Labels}}", require_image(engine, name)))
    assert labels["org.opencontainers.image.version"] == read_version()
    archive = tmp_path / "image.tar"
    engine.ask("save", "--output", str(archive), name)
    bill = SBOM.with_name(f"{name.replace(':', '-')}.cdx.json")
    assert write_bill(tool("syft"), archive, bill) == read_locked("service")


def test_the_service_scores_as_the_bundled_model_does_and_drains(engine: Engine) -> None:
    bundle = load_bundle(ROOT / "model" / "artifact")
    with run_service(engine) as (name, address):
        scorer = RemoteScorer(RemoteSettings(target=address, dialect=Dialect(model=bundle.name), call_cap=PATIENCE))
        assert np.allclose(
            scorer.score_batch(bundle.golden_rows, PATIENCE), BundledScorer(bundle).score_batch(bundle.golden_rows, 1), rtol=0, atol=1e-6
        )
        assert engine.ask("exec", name, "id", "-u").strip() == "65532"
        engine.ask("stop", "--time", "20", name)
        assert engine.ask("inspect", "--format", "{{.State.ExitCode}}", name).strip() == "0"


def test_the_service_has_a_health_check_and_a_user_that_is_not_root(engine: Engine) -> None:
    (facts,) = json.loads(engine.ask("image", "inspect", require_image(engine, SERVICE)))
    assert facts["Config"]["User"] == "65532:65532"
    assert "service.probe" in json.dumps(facts)


def test_the_service_says_in_one_sentence_what_is_wrong_with_its_options(engine: Engine) -> None:
    command = [engine.program, "run", "--rm", require_image(engine, SERVICE), "--bundle", "/nowhere"]
    done = subprocess.run(command, env=engine.environ, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("segment-scorer serve: /nowhere: expected a bundle")  # an engine may speak before
    assert "Traceback" not in done.stderr


@pytest.fixture
def beside(engine: Engine) -> Iterator[Container]:
    """The function with its sidecar, and no fallback that could hide it."""
    with run_container(engine, require_image(engine, SIDECAR), memory=512, environ={"SCORER_FALLBACK": "none"}) as container:
        yield container


def check_answers(container: Container, answer_in_process: Callable[[Any], Any]) -> None:
    for path in EVENTS:
        event = json.loads(path.read_text("utf-8"))
        answer = container.emulator.post(event)
        assert answer.status == 200
        assert list(answer.json().items()) == list(answer_in_process(event).items()), path.name


def test_the_sidecar_scores_for_the_function(beside: Container, answer_in_process: Callable[[Any], Any]) -> None:
    check_answers(beside, answer_in_process)
    assert '"listening"' in beside.emulator.stdout + beside.emulator.stderr
    assert "Scorer" not in "".join(line for line in beside.emulator.stdout.splitlines() if '"error"' in line)


def test_answers_stay_right_after_the_sidecar_was_killed(beside: Container, answer_in_process: Callable[[Any], Any]) -> None:
    check_answers(beside, answer_in_process)
    beside.ask("python", "-c", KILL)
    event = json.loads(EVENTS[0].read_text("utf-8"))
    assert beside.emulator.post(event).status == 502  # Lambda fails the invocation that finds the sidecar dead, and starts both anew
    check_answers(beside, answer_in_process)
