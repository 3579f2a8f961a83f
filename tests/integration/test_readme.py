"""The README's commands, run as a reader would type them."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

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


def test_the_demo_prints_the_figures_of_the_readme(tmp_path: Path) -> None:
    demo = [sys.executable, "examples/cdnow/demo.py", "--out", str(tmp_path)]
    done = subprocess.run(demo, cwd=ROOT, capture_output=True, text=True, check=True)
    text = (ROOT / "README.md").read_text("utf-8")
    (table,) = re.findall(r"^ +customers .*\nkept .*\nfiltered .*$", text, re.MULTILINE)
    assert {line.rstrip() for line in table.splitlines()} <= {
        line.rstrip() for line in done.stdout.splitlines()
    }


def test_every_command_line_of_the_readme_runs_as_written(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "function").mkdir()
    shutil.copy(ROOT / "function" / "policy.toml", tmp_path / "function")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    for example in ("cdnow", "hillstrom"):
        subprocess.run(
            [sys.executable, "-m", f"examples.{example}.make_endpoints"],
            cwd=tmp_path,
            env=environ,
            check=True,
            capture_output=True,
        )
    shorten(tmp_path / "examples" / "cdnow" / "endpoints.jsonl.gz")
    run = 0
    for command in commands_of((ROOT / "README.md").read_text("utf-8")):
        if command[0] == ".venv/bin/segment-scorer":
            done = subprocess.run(
                [sys.executable, "-m", "segment_scorer.cli.main", *command[1:]],
                cwd=tmp_path,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (command, done.stderr)
            run += 1
    assert run >= 2
    assert (tmp_path / "out" / "run" / "summary.json").is_file()
