"""The wheel: built without a network, installed into its own folder, used from elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = sorted(
    path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tools"
)
EVENT = ROOT / "examples" / "events" / "pinpoint-two-endpoints.json"
# Runs its first argument, then prints our modules that were not imported from its second, a folder.
RUN = """
import sys
program, folder, rooms, *sys.argv[1:] = sys.argv[1:]
exec(program)
rooms = rooms.split(",")
ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in rooms}
assert ours
foreign = (name for name, module in ours.items() if not str(module.__file__).startswith(folder))
print(*sorted(foreign), file=sys.stderr, end="")
"""
VERB = "from segment_scorer.cli.main import main; assert main(sys.argv[1:]) == 0"
IMPORT_ALL = """
import importlib, pkgutil
for found in pkgutil.walk_packages([folder]):
    if found.name.partition(".")[0] in rooms:
        importlib.import_module(found.name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of the tree: building leaves folders behind."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    run_pip("wheel", "--no-build-isolation", "--wheel-dir", str(dist), str(source))
    (built,) = dist.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    run_pip("install", "--target", str(folder), str(wheel))
    return folder


def run_pip(command: str, *arguments: str) -> None:
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        command,
        "--quiet",
        "--no-deps",
        "--no-index",
        *arguments,
    ]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run_installed(
    installed: Path, elsewhere: Path, program: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SCORER_")}
    return subprocess.run(
        [sys.executable, "-c", RUN, program, str(installed), ",".join(ROOMS), *arguments],
        cwd=elsewhere,
        env={**environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_has_every_file_of_its_folders(wheel: Path) -> None:
    tree = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == tree


def test_an_installed_wheel_answers_an_event_as_the_clone_does(
    installed: Path, tmp_path: Path
) -> None:
    done = run_installed(installed, tmp_path, VERB, "invoke", str(EVENT))
    assert done.returncode == 0, done.stderr
    clone = [sys.executable, "-m", "segment_scorer.cli.main", "invoke", str(EVENT)]
    expected = subprocess.run(clone, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(expected.stdout)
    assert done.stderr == expected.stderr  # the decisions, and no module of ours from anywhere else


def test_an_installed_wheel_checks_the_policy_that_ships(installed: Path, tmp_path: Path) -> None:
    done = run_installed(
        installed, tmp_path, VERB, "policy", "check", str(installed / "function" / "policy.toml")
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout


def test_every_module_of_the_wheel_finds_what_it_imports(installed: Path, tmp_path: Path) -> None:
    done = run_installed(installed, tmp_path, IMPORT_ALL)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_the_wheel_has_four_packages_at_its_top_and_no_tools(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
    packages = {name for name in names if not name.endswith(".dist-info")}
    assert packages == {"function", "model", "protos", "segment_scorer"}


def test_every_package_of_the_wheel_is_marked_as_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {f"{room}/py.typed" for room in ROOMS} <= set(archive.namelist())
