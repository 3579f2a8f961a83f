"""The README's commands, run as a reader would type them."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
from pathlib import Path

import pytest

from segment_scorer.cli.main import main

pytestmark = pytest.mark.usefixtures("undrawn")

ROOT = Path(__file__).parents[2]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands_of(text: str) -> list[list[str]]:
    """Every command after a `$` in the console blocks. A backslash continues a line."""
    lines = [
        line for block in CONSOLE.findall(text) for line in block.replace("\\\n", " ").splitlines()
    ]
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


def shorten(path: Path) -> None:
    """Leave every sixth person. tests/contract/test_artifact.py trains on all of them."""
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[::6])))


def test_every_make_target_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text("utf-8")))
    named |= {
        command[1]
        for command in commands_of((ROOT / "README.md").read_text("utf-8"))
        if command[0] == "make"
    }
    assert "demo" in named
    assert named <= targets


def test_every_command_line_of_the_readme_runs_as_written(
    cdnow_files: Path,
    hillstrom_files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name, made in {"cdnow": cdnow_files, "hillstrom": hillstrom_files}.items():
        shutil.copytree(made, tmp_path / "examples" / name, dirs_exist_ok=True)
    (tmp_path / "function").mkdir()
    shutil.copy(ROOT / "function" / "policy.toml", tmp_path / "function")
    shorten(tmp_path / "examples" / "cdnow" / "endpoints.jsonl.gz")
    monkeypatch.chdir(tmp_path)
    run = 0
    for command in commands_of((ROOT / "README.md").read_text("utf-8")):
        if command[0] == ".venv/bin/segment-scorer":
            assert main(command[1:]) == 0, (command, capsys.readouterr().err)
            run += 1
    assert run >= 2
    assert (tmp_path / "out" / "run" / "summary.json").is_file()
