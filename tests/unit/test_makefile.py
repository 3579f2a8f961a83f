"""Makefile: every target is documented, runs its command, and installs what it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Makefile").read_text("utf-8")
# stage, target, arguments: how continuous integration runs each target
ROWS = [
    (*line.split(maxsplit=2), "")[:3]
    for line in (ROOT / ".ci" / "targets").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
RUN = {target for stage, target, _ in ROWS if stage != "never"}
NEVER = {target: reason for stage, target, reason in ROWS if stage == "never"}
IN_A_DOCUMENT = re.compile(r"(?:`|\$ )make ([a-z][a-z-]*)", re.MULTILINE)
COMMANDS = set(re.findall(r"^([a-z][a-z-]*):", TEXT, re.MULTILINE))


def test_every_command_runs_even_where_a_folder_has_its_name() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", TEXT, re.MULTILINE)
    assert "deploy" in COMMANDS  # a folder too: make would call it up to date
    assert set(phony.split()) == COMMANDS


def test_every_command_says_what_it_does() -> None:
    assert set(re.findall(r"^([a-z][a-z-]*):[^\n]* ## \S", TEXT, re.MULTILINE)) == COMMANDS


def test_the_demo_installs_only_its_own_set_and_a_larger_set_covers_the_smaller_ones() -> None:
    rules = dict(re.findall(r"^(\S+): *(.*?)(?: ##.*)?$", TEXT, re.MULTILINE))
    assert rules["demo"] == ".venv/run.ready"
    assert "requirements/run.txt" in rules[".venv/run.ready"].split()
    (recipe,) = re.findall(r"^\.venv/ready:.*\n((?:\t.+\n)+)", TEXT, re.MULTILINE)
    # Else `make demo` after `make test` would install its set again.
    assert {".venv/run.ready", ".venv/verbs.ready"} <= set(recipe.split())


def test_every_set_has_the_versions_of_the_largest() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
        return set(re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE))

    assert pins("run") < pins("verbs") < pins("all")
    assert pins("function") < pins("all")


def list_documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_continuous_integration_runs_every_target_that_a_document_names() -> None:
    named = {
        target
        for document in list_documents()
        for target in IN_A_DOCUMENT.findall(document.read_text("utf-8"))
    }
    assert {"test", "interop", "bench", "pin-base"} <= named
    assert named <= COMMANDS
    assert named - RUN - set(NEVER) == set()


def test_continuous_integration_runs_every_target_or_says_why_not() -> None:
    assert RUN | set(NEVER) == COMMANDS
    assert not RUN & set(NEVER)
    assert all(len(reason.split()) > 3 for reason in NEVER.values())
    # A part of these would be long, or needs a registry or an account: nothing else is left out.
    assert set(NEVER) == {
        "clean",
        "lock",
        "prove-whole-segment",
        "picture",
        "pin-base",
        "prove-lift",
        "prove-uplift",
        "prove-training",
        "push",
        "retrain",
    }


def test_continuous_integration_goes_through_every_stage_of_its_list() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    stages = re.findall(r"^run_stage (\w+)", script, re.MULTILINE)
    assert len(stages) == len(set(stages))
    assert set(stages) == {stage for stage, _, _ in ROWS} - {"never"}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("given", [[], ["ENDPOINTS=a.jsonl"], ["OUTCOMES=o.csv"]])
def test_retraining_on_nothing_is_refused_in_a_sentence(given: list[str]) -> None:
    command = ["make", "--dry-run", "--old-file=.venv/ready", "--directory", str(ROOT), "retrain"]
    refused = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert 'expected ENDPOINTS="file ..." and OUTCOMES=file' in refused.stderr
    assert "segment-scorer train" not in refused.stdout
    taken = subprocess.run(
        [*command, "ENDPOINTS=a.jsonl b.jsonl", "OUTCOMES=o.csv"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'train --endpoints a.jsonl b.jsonl --outcomes "o.csv"' in taken.stdout


@pytest.mark.parametrize("target", ["image", "image-test", "emulate", "push", "redeploy"])
@pytest.mark.parametrize("given_to", ["make", "shell"])
def test_every_target_that_means_an_image_hands_on_which(
    target: str, given_to: str, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$TARGET $FUNCTION_SET $ARCH" >> {tmp_path}/seen\n')
    python.chmod(0o755)
    choice = {"TARGET": "function-sidecar", "FUNCTION_SET": "function-dynamodb", "ARCH": "arm64"}
    made = [
        word
        for name in (
            ".venv/ready",
            ".cache/compose/ready",
            ".cache/image-tools/ready",
            ".cache/sam/ready",
        )
        for word in ("-o", name)
    ]
    command = ["make", "--silent", *made, target, f"BIN={tmp_path}", f"PYTHON={python}"]
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAKE") and name not in {"MFLAGS", *choice}
    }
    if given_to == "make":
        command += [f"{name}={value}" for name, value in choice.items()]
    else:
        environ |= choice
    subprocess.run(command, cwd=ROOT, env=environ, check=True)
    assert set((tmp_path / "seen").read_text().splitlines()) == {
        "function-sidecar function-dynamodb arm64"
    }
