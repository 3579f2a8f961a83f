"""The images of the scoring service and of the function with its sidecar, as containers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from function.scorers.bundled import BundledScorer
from function.scorers.remote import RemoteScorer
from function.settings import Dialect, RemoteSettings
from model.bundle import load_bundle
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.certificates import Authority
from tests.image.conftest import (
    EVENTS,
    FIND_UNREADABLE,
    ROOT,
    AnswerInProcess,
    check_examples,
    require_image,
)
from tests.image.service_container import PATIENCE, ServiceContainer, run_service
from tests.image.test_contents import (
    AT_A_COLD_START,
    FIND_COMPILED,
    LIST_FILES,
    MOST_BEYOND_THE_BASE,
    SBOM,
    list_serving_files,
    read_locked,
    write_bill,
)
from tools.image.container import LAMBDA_LIMITS, Container, run_container
from tools.image.engine import Engine
from tools.image.provenance import read_version

pytestmark = pytest.mark.image
SERVICE, SIDECAR = "service", "function-sidecar"
# What each process of an image imports at its start.
STARTS = {
    SERVICE: [
        (
            "segment_scorer.service.__main__",
            "segment_scorer.service.server",
            "protos.tls",
        ),
        ("segment_scorer.service.probe",),
    ],
    SIDECAR: [(*AT_A_COLD_START, "function.scorers.remote"), ("segment_scorer.service.extension",)],
}
# Ends the process of the sidecar, whose user is the function's.
KILL = """
import os, pathlib, signal
for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if b"\\0segment_scorer.service.extension\\0" in entry.read_bytes():
        os.kill(int(entry.parent.name), signal.SIGKILL)
"""


def look_inside(engine: Engine, name: str, *command: str) -> str:
    """What a command prints in a fresh container under Lambda's limits."""
    program, *arguments = command
    return engine.ask(
        "run",
        "--rm",
        *LAMBDA_LIMITS,
        "--entrypoint",
        program,
        require_image(engine, name),
        *arguments,
    )


@pytest.mark.parametrize("name", STARTS)
def test_every_file_can_be_read_and_the_image_stays_within_the_functions_limit(
    name: str, engine: Engine
) -> None:
    assert look_inside(engine, name, "python", "-c", FIND_UNREADABLE, "/opt", "/var/task") == ""
    sizes = look_inside(
        engine, name, "du", "--bytes", "--summarize", "/opt", "/var/task"
    ).splitlines()
    assert sum(int(line.split()[0]) for line in sizes) <= MOST_BEYOND_THE_BASE["function"]


@pytest.mark.parametrize(
    ("name", "modules"), [(name, modules) for name, starts in STARTS.items() for modules in starts]
)
def test_compiles_nothing_at_its_start(name: str, modules: tuple[str, ...], engine: Engine) -> None:
    printed = look_inside(engine, name, "python", "-c", FIND_COMPILED, *modules).splitlines()
    assert [line for line in printed if line.endswith(".py")] == []


@pytest.mark.parametrize("name", STARTS)
def test_leaves_behind_what_only_the_build_training_and_tests_need(
    name: str, engine: Engine
) -> None:
    for path in (
        "/build",
        "/opt/venv/bin/pip",
        "/usr/bin/cc",
        "/var/task/.git",
        "/var/task/tests",
        "/var/task/model/training",
    ):
        assert (
            look_inside(
                engine, name, "python", "-c", f"import os; print(os.path.lexists({path!r}))"
            ).strip()
            == "False"
        ), path


@pytest.mark.parametrize(
    ("name", "folders"),
    [(SERVICE, ("model", "protos")), (SIDECAR, ("function", "model", "protos"))],
)
def test_holds_the_serving_folders_and_the_service_and_no_other_code(
    name: str, folders: tuple[str, ...], engine: Engine
) -> None:
    listed = look_inside(engine, name, "python", "-c", LIST_FILES, "/var/task").splitlines()
    expected = list_serving_files(*folders, "segment_scorer/__init__.py", "segment_scorer/service")
    assert set(listed) == expected


@pytest.mark.parametrize("name", STARTS)
def test_is_labelled_and_has_exactly_the_locked_packages(
    name: str, engine: Engine, tool: Callable[[str], str], tmp_path: Path
) -> None:
    labels = json.loads(
        engine.ask(
            "image", "inspect", "--format", "{{json .Config.Labels}}", require_image(engine, name)
        )
    )
    assert labels["org.opencontainers.image.version"] == read_version()
    archive = tmp_path / "image.tar"
    engine.ask("save", "--output", str(archive), require_image(engine, name))
    bill = SBOM.with_name(f"segment-scorer-{name}.cdx.json")
    assert write_bill(tool("syft"), archive, bill) == read_locked("service")


def test_the_service_scores_as_the_bundled_model_does_and_drains(engine: Engine) -> None:
    with run_service(engine, require_image(engine, SERVICE)) as service:
        check_scores(service)
        assert engine.ask("exec", service.name, "id", "-u").strip() == "65532"
        engine.ask("stop", "--time", "60", service.name)
        assert engine.ask("inspect", "--format", "{{.State.ExitCode}}", service.name).strip() == "0"


def check_scores(service: ServiceContainer, **tls: Path) -> None:
    bundle = load_bundle(ROOT / "model" / "artifact")
    scorer = RemoteScorer(
        RemoteSettings(
            target=service.address, dialect=Dialect(model=bundle.name), call_cap=PATIENCE, **tls
        )
    )
    here = BundledScorer(bundle).score_batch(bundle.golden_rows, PATIENCE)
    assert np.allclose(scorer.score_batch(bundle.golden_rows, PATIENCE), here, rtol=0, atol=1e-6)


def test_the_service_is_healthy_with_mutual_tls_at_another_address_and_unhealthy_when_it_hangs(
    engine: Engine, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server, client = authority.sign("server"), authority.sign("client")
    mounts = {
        server.certificate: "/tls/server.pem",
        server.key: "/tls/server.key",
        authority.certificate: "/tls/authority.pem",
    }
    for path in mounts:
        path.chmod(0o644)  # the image's user owns none of these files
    tmp_path.chmod(0o755)
    options = (
        "--listen",
        "0.0.0.0:9443",
        "--tls-cert",
        "/tls/server.pem",
        "--tls-key",
        "/tls/server.key",
    )
    mutual = ("--tls-client-ca", "/tls/authority.pem")
    with run_service(
        engine, require_image(engine, SERVICE), *options, *mutual, port=9443, mounts=mounts
    ) as service:
        check_scores(
            service, tls_ca=authority.certificate, tls_cert=client.certificate, tls_key=client.key
        )
        engine.ask("kill", "--signal", "STOP", service.name)
        service.wait_until(healthy=False)
        engine.ask("kill", "--signal", "CONT", service.name)


def test_the_service_listens_for_others_when_only_another_option_is_given_and_tells_the_version(
    engine: Engine,
) -> None:
    with (
        run_service(engine, require_image(engine, SERVICE), "--max-rows", "10") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        told = GRPCInferenceServiceStub(channel).ServerMetadata(
            pb.ServerMetadataRequest(), timeout=PATIENCE, wait_for_ready=True
        )
    assert (told.name, told.version) == ("segment-scorer", read_version())


def test_the_service_has_a_user_that_is_not_root(engine: Engine) -> None:
    (facts,) = json.loads(engine.ask("image", "inspect", require_image(engine, SERVICE)))
    assert facts["Config"]["User"] == "65532:65532"


@pytest.mark.parametrize("name", STARTS)
def test_knows_its_version_where_the_project_is_not_installed(name: str, engine: Engine) -> None:
    program = "from segment_scorer.service.servicer import read_version; print(read_version())"
    assert look_inside(engine, name, "python", "-c", program).strip() == read_version()


def test_the_service_says_in_one_sentence_what_is_wrong_with_its_options(engine: Engine) -> None:
    command = [
        engine.program,
        "run",
        "--rm",
        require_image(engine, SERVICE),
        "--bundle",
        "/nowhere",
    ]
    done = subprocess.run(
        command, env=engine.environ, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 1
    # The engine may write lines of its own before it.
    line = json.loads(done.stderr.splitlines()[-1])
    assert line["level"] == "ERROR"
    assert line["message"].startswith("/nowhere: expected a bundle")
    assert "Traceback" not in done.stderr


@pytest.fixture
def beside(engine: Engine) -> Iterator[Container]:
    """The function with its sidecar, and no fallback that could hide it."""
    with run_container(
        engine, require_image(engine, SIDECAR), memory=512, environ={"SCORER_FALLBACK": "none"}
    ) as container:
        yield container


def test_the_sidecar_scores_for_the_function(
    beside: Container, answer_in_process: AnswerInProcess
) -> None:
    check_examples(beside, answer_in_process)
    assert '"listening"' in beside.emulator.stdout + beside.emulator.stderr
    assert "Scorer" not in "".join(
        line for line in beside.emulator.stdout.splitlines() if '"error"' in line
    )


def test_answers_stay_right_after_the_sidecar_was_killed(
    beside: Container, answer_in_process: AnswerInProcess
) -> None:
    check_examples(beside, answer_in_process)
    beside.ask("python", "-c", KILL)
    event = json.loads(EVENTS[0].read_text("utf-8"))
    assert (
        beside.emulator.post(event).status == 502
    )  # Lambda fails the invocation that finds the sidecar dead, and starts both anew
    check_examples(beside, answer_in_process)
