"""Builds that must fail with one sentence, and the function's variant with boto3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.conftest import ROOT
from tools.image.build import name_image
from tools.image.engine import Engine

pytestmark = pytest.mark.image


@pytest.fixture
def old_python(engine: Engine, image: str, tmp_path: Path) -> Iterator[str]:
    """A base whose `python` says that it is 3.9."""
    name = "localhost/segment-scorer-test/python:3.9"
    (tmp_path / "python").write_text("#!/bin/sh\necho 3.9\n")
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "Dockerfile").write_text(
        f"FROM {image}\nCOPY python /usr/local/bin/python\nENV PATH=/usr/local/bin:/usr/bin:/bin\n"
    )
    engine.ask("build", "--tag", name, str(tmp_path))
    yield name
    engine.ask("rmi", name)


def test_says_what_to_set_for_a_base_of_another_python(old_python: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.image.build"],
        cwd=ROOT,
        env={**os.environ, "BASE_IMAGE": old_python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "image: expected BASE_IMAGE to have Python 3.13, it has 3.9; "
        "set BASE_IMAGE to another, or BASE_PYTHON to 3.9"
    )


def test_a_function_for_profiles_in_dynamodb_holds_boto3_and_the_default_does_not(
    engine: Engine, image: str
) -> None:
    environ = {**os.environ, "FUNCTION_SET": "function-dynamodb"}
    subprocess.run(
        [sys.executable, "-m", "tools.image.build", "--target", "function"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        check=True,
    )
    program = ("run", "--rm", "--entrypoint", "python")
    look = ("-c", "import importlib.util; print(bool(importlib.util.find_spec('boto3')))")
    assert (
        engine.ask(*program, name_image({**environ, "TARGET": "function"}), *look).strip() == "True"
    )
    assert engine.ask(*program, image, *look).strip() == str("dynamodb" in image)
