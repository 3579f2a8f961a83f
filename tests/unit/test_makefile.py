"""Makefile: a target is a command or a file, and never taken for the other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
TEXT = MAKEFILE.read_text("utf-8")
COMMANDS = set(re.findall(r"^([a-z][a-z-]*):", TEXT, re.MULTILINE))


def test_every_command_runs_even_where_a_folder_has_its_name() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", TEXT, re.MULTILINE)
    assert "deploy" in COMMANDS  # a folder too: make would call it up to date
    assert set(phony.split()) == COMMANDS


def test_every_command_says_what_it_does() -> None:
    assert set(re.findall(r"^([a-z][a-z-]*):[^\n]* ## \S", TEXT, re.MULTILINE)) == COMMANDS


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("given", [[], ["ENDPOINTS=a.jsonl"], ["OUTCOMES=o.csv"]])
def test_retraining_on_nothing_is_refused_in_a_sentence(given: list[str]) -> None:
    command = ["make", "--dry-run", "--old-file=.venv/ready", "--directory", str(MAKEFILE.parent), "retrain"]
    refused = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert 'expected ENDPOINTS="file ..." and OUTCOMES=file' in refused.stderr
    assert "segment-scorer train" not in refused.stdout
    taken = subprocess.run([*command, "ENDPOINTS=a.jsonl b.jsonl", "OUTCOMES=o.csv"], capture_output=True, text=True, check=False)
    assert 'train --endpoints a.jsonl b.jsonl --outcomes "o.csv"' in taken.stdout
