"""docs/own-model.md: its examples run as a reader would run them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from examples.cdnow.make_endpoints import write_example
from model.bundle import load_bundle
from model.training.foreign.readers import READERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-model.md").read_text("utf-8")
EXAMPLES = PAGE[PAGE.index("## Examples") :]
BLOCKS = re.findall(r"^```(python|console)\n(.*?)^```", EXAMPLES, re.MULTILINE | re.DOTALL)
COMMANDS = [text for kind, text in BLOCKS if kind == "console"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the page's Python has run."""
    folder = tmp_path_factory.mktemp("page")
    cdnow = folder / "examples" / "cdnow"
    cdnow.mkdir(parents=True)
    write_example(cdnow)
    (cdnow / "features.toml").write_bytes(
        (ROOT / "examples" / "cdnow" / "features.toml").read_bytes()
    )
    run(
        [sys.executable, "-c", "\n".join(text for kind, text in BLOCKS if kind == "python")], folder
    )
    return folder


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_has_an_example_of_each_format() -> None:
    assert len(COMMANDS) == len(READERS)


@pytest.mark.parametrize("text", COMMANDS)
def test_an_example_of_the_page_writes_a_bundle_better_than_chance(text: str, place: Path) -> None:
    words = shlex.split(text.removeprefix("$ ").replace("\\\n", " "))
    assert words[:2] == ["segment-scorer", "bundle"]
    printed = run([sys.executable, "-m", "segment_scorer.cli.main", *words[1:]], place)
    assert "scores differ from the original's by at most" in printed
    bundle = load_bundle(place / words[words.index("--out") + 1])
    assert bundle.manifest["metrics"]["n"] == 11_785
    assert bundle.manifest["metrics"]["intervals"]["roc_auc"][0] > 0.7
