"""The image's contents, by hadolint, container-structure-test, syft and a look inside."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.test_cold_start import SHOW, check_reasons, read_modules, write_programs
from tests.image.conftest import FIND_UNREADABLE, ROOT
from tools.image.container import Container
from tools.image.engine import Engine
from tools.image.provenance import (
    format_time,
    read_revision,
    read_source,
    read_time,
    read_version,
)
from tools.image.steps.prune import UNUSED

pytestmark = pytest.mark.image
# Bytes beyond the base, by the set of packages. boto3 and botocore's descriptions of AWS are 29 MB.
MOST_BEYOND_THE_BASE = {"function": 132_000_000, "function-dynamodb": 165_000_000}
# The bill of materials is kept here after the tests: a build output, not a committed file.
SBOM = ROOT / "build" / "sbom" / "segment-scorer-function.cdx.json"
# Prints the sources that were compiled while it imported the modules in its arguments.
FIND_COMPILED = """
import importlib, sys
compiled = []
def note(name, given):
    if name == "compile" and str(given[1]).endswith(".py"):
        compiled.append(given[1])
sys.addaudithook(note)
for module in sys.argv[1:]:
    importlib.import_module(module)
print(*compiled, sep="\\n")
"""
# Prints the files below its argument. Not `find`: a base may lack it.
LIST_FILES = """
import pathlib, sys
top = pathlib.Path(sys.argv[1])
print(*(path.relative_to(top) for path in top.rglob("*") if path.is_file()), sep="\\n")
"""
LABELS = ("version", "revision", "created", "source")
# Marker of a locked package -> whether it is true in the image.
MARKERS = {
    None: True,
    "python_full_version >= '3.12'": True,
    "python_full_version < '3.12'": False,
    "sys_platform == 'win32'": False,
}
AT_A_COLD_START = ("awslambdaric.__main__", "awslambdaric.bootstrap", "function.handler")


@pytest.fixture(scope="session")
def archive(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The saved image."""
    path = tmp_path_factory.mktemp("image") / "image.tar"
    engine.ask("save", "--output", str(path), image)
    return path


def run_tool(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing_in_the_dockerfile(tool: Callable[[str], str]) -> None:
    done = run_tool(tool("hadolint"), ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_is_able_to_fail(tool: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && sudo true\n")
    assert run_tool(tool("hadolint"), tmp_path / "Dockerfile").returncode == 1


def test_has_the_structure_that_is_written_down(tool: Callable[[str], str], archive: Path) -> None:
    config = Path(__file__).with_name("structure.yaml")
    done = run_tool(
        tool("container-structure-test"),
        "test",
        "--driver",
        "tar",
        "--image",
        archive,
        "--config",
        config,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_keeps_a_bill_of_materials_with_exactly_the_locked_packages(
    tool: Callable[[str], str], archive: Path
) -> None:
    assert write_bill(tool("syft"), archive, SBOM) == read_locked(
        os.environ.get("FUNCTION_SET") or "function"
    )


def write_bill(syft: str, archive: Path, bill: Path) -> set[tuple[str, str]]:
    """Write an image's bill of materials; give name and version of each package in it."""
    bill.parent.mkdir(parents=True, exist_ok=True)
    done = run_tool(
        *(syft, "scan", f"docker-archive:{archive}", "--quiet", "--source-name", "segment-scorer"),
        *("--output", f"cyclonedx-json={bill}"),
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(bill.read_text("utf-8"))
    assert content["bomFormat"] == "CycloneDX"
    return {
        (part["name"], part["version"])
        for part in content["components"]
        if part.get("purl", "").startswith("pkg:pypi/")
        and "/opt/venv/" in json.dumps(part["properties"])
    }


def read_locked(name: str) -> set[tuple[str, str]]:
    """Name and version of each package that a set in requirements/ gives Python 3.13."""
    locked = set()
    for line in (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").splitlines():
        found = re.match(r"(\S+)==(\S+)(?: ; (.+?))? \\$", line)
        if found:
            assert found[3] in MARKERS, f"a marker this test does not know: {found[3]}"
            if MARKERS[found[3]]:
                locked.add((found[1], found[2]))
    return locked


def test_adds_no_more_to_the_base_than_it_needs(engine: Engine, image: str) -> None:
    added = engine.ask(
        "run", "--rm", "--entrypoint", "du", image, "--bytes", "--summarize", "/opt", "/var/task"
    )
    most = MOST_BEYOND_THE_BASE[os.environ.get("FUNCTION_SET") or "function"]
    assert sum(int(line.split()[0]) for line in added.splitlines()) <= most


@pytest.mark.parametrize("pattern", [*UNUSED, "**/*.pyi", "**/tests", "**/swagger_ui"])
def test_holds_no_part_of_a_package_that_serves_no_event(pattern: str, idle: Container) -> None:
    program = "import glob, sys; print(*glob.glob(sys.argv[1], recursive=True), sep='\\n')"
    packages = "/opt/venv/lib/python3.*/site-packages"
    assert idle.ask("python", "-c", program, f"{packages}/numpy/__init__.py").strip()
    assert not idle.ask("python", "-c", program, f"{packages}/{pattern}").strip()


# Folders below those that an image copies which no image holds. The same rule as .dockerignore.
NEVER_SERVED = ("model/people/", "model/training/")


def list_serving_files(*copied: str) -> set[str]:
    """Paths below `copied` that an image holds, chosen by folder and kind of file."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", *copied],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return {
        path
        for path in listed
        if not path.startswith(NEVER_SERVED)
        and not path.endswith((".proto", ".pyi", "py.typed", ".md", ".png"))
    }


def test_holds_exactly_the_serving_folders_of_our_code(idle: Container) -> None:
    found = set(idle.ask("python", "-c", LIST_FILES, "/var/task").splitlines())
    assert found == list_serving_files("function", "model", "protos")


@pytest.mark.parametrize(
    "path",
    [
        "/build",  # uv and the lists it installed from
        "/opt/venv/bin/pip",
        "/root/.cache",
        "/run/secrets/ca-bundle",
        "/usr/bin/cc",
        "/usr/bin/gcc",
        "/var/task/.git",
        "/var/task/model/training",
    ],
)
def test_leaves_behind_what_only_the_build_needed(
    path: str, idle: Container, engine: Engine
) -> None:
    as_root = "exec", "--user=0", idle.name, "test", "-e"
    assert engine.succeeds(*as_root, "/opt/venv/bin/python")
    assert not engine.succeeds(*as_root, path)


def test_every_file_can_be_read_by_whatever_user_lambda_takes(idle: Container) -> None:
    assert idle.ask("id", "-u").strip() == "993"
    assert idle.ask("python", "-c", FIND_UNREADABLE, "/opt", "/var/task").strip() == ""


def test_nothing_can_be_written_but_tmp(engine: Engine, idle: Container) -> None:
    assert engine.succeeds("exec", idle.name, "touch", "/tmp/allowed")  # noqa: S108  # inside the container
    for folder in ("/var/task", "/opt", "/opt/bytecode", "/root", "/var/tmp"):  # noqa: S108
        assert not engine.succeeds("exec", idle.name, "touch", f"{folder}/refused"), folder


def find_compiled(idle: Container, *prefix: str) -> list[str]:
    printed = idle.ask(*prefix, "python", "-c", FIND_COMPILED, *AT_A_COLD_START).splitlines()
    return [line for line in printed if line.endswith(".py")]  # the function logs a line of its own


def test_compiles_nothing_at_a_cold_start(idle: Container) -> None:
    assert find_compiled(idle) == []


def test_would_compile_everything_without_its_bytecode(idle: Container) -> None:
    compiled = find_compiled(idle, "env", "--unset=PYTHONPYCACHEPREFIX")
    assert "/var/task/function/handler.py" in compiled
    assert any(path.startswith("/opt/venv/") for path in compiled)


@pytest.mark.parametrize(
    "module",
    [
        "sklearn",
        "scipy",
        "pandas",
        "boto3",
        "skl2onnx",
        "onnx",
        "pytest",
        "typer",
        "model.people",
        "model.training",
        "segment_scorer",
    ],
)
def test_cannot_import_what_serves_no_event(
    module: str, idle: Container, engine: Engine, image: str
) -> None:
    assert engine.succeeds("exec", idle.name, "python", "-c", f"import {module}") == (
        module == "boto3" and "dynamodb" in image
    )


def test_onnx_runtime_reports_nothing_to_its_maker(idle: Container) -> None:
    assert idle.ask("printenv", "ORT_DISABLE_TELEMETRY").strip() == "1"


def test_is_labelled_with_version_revision_time_and_source(engine: Engine, image: str) -> None:
    labels = json.loads(
        engine.ask("image", "inspect", "--format", "{{json .Config.Labels}}", image)
    )
    found = {name: labels[f"org.opencontainers.image.{name}"] for name in LABELS}
    assert found["version"] == read_version()
    assert found["revision"].partition("-")[0] in {read_revision().partition("-")[0], "unknown"}
    assert found["source"] == read_source()
    assert found["created"] == format_time(read_time(os.environ))
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_function_is_the_default_target() -> None:
    stages = re.findall(
        r"^FROM .* AS (\S+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    assert stages[-1] == "function"


def test_every_module_that_a_start_loads_has_a_reason(idle: Container) -> None:
    packages = idle.ask("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    bare, loaded = (
        read_modules(idle.ask("python", "-S", "-c", f"{program}\n{SHOW}"))
        for program in write_programs(packages.strip())
    )
    check_reasons(bare, loaded)
