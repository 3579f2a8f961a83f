"""Makefile: a target is a command or a file, and never taken for the other."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "Makefile").read_text("utf-8")
COMMANDS = set(re.findall(r"^([a-z][a-z-]*):", TEXT, re.MULTILINE))


def test_every_command_runs_even_where_a_folder_has_its_name() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", TEXT, re.MULTILINE)
    assert "deploy" in COMMANDS  # a folder too: make would call it up to date
    assert set(phony.split()) == COMMANDS


def test_every_command_says_what_it_does() -> None:
    assert set(re.findall(r"^([a-z][a-z-]*):[^\n]* ## \S", TEXT, re.MULTILINE)) == COMMANDS
