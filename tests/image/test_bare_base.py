"""All three targets work on a base with few programs beside Python, like AWS's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.conftest import AnswerInProcess, check_examples
from tests.image.service_container import run_service
from tools.image.build import build_image, provide_base
from tools.image.container import run_container
from tools.image.engine import Engine, ImageError

pytestmark = pytest.mark.image
REPOSITORY = "localhost/segment-scorer-bare"


@pytest.fixture(scope="module")
def base(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base of the image under test, with its programs removed."""
    folder, name = tmp_path_factory.mktemp("bare"), f"{REPOSITORY}:base"
    shutil.copy(Path(__file__).with_name("bare.py"), folder)
    dockerfile = (
        f'FROM {provide_base(engine, os.environ)}\nCOPY bare.py /\nRUN ["python", "/bare.py"]\n'
    )
    (folder / "Dockerfile").write_text(dockerfile)
    engine.ask(
        "build",
        *(["--pull=never"] if engine.program == "podman" else []),
        "--tag",
        name,
        str(folder),
    )
    yield name
    engine.succeeds("rmi", "--force", name)


@pytest.fixture
def bare(engine: Engine, base: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A target, built on that base."""
    environ = {
        name: value for name, value in os.environ.items() if name not in {"ARCH", "FUNCTION_SET"}
    }
    name = build_image(engine, {**environ, "TARGET": request.param, "BASE_IMAGE": base}, REPOSITORY)
    yield name
    engine.succeeds("rmi", "--force", name)


def test_has_no_find(engine: Engine, base: str) -> None:
    engine.ask("run", "--rm", "--entrypoint", "sh", base, "-c", "id")
    with pytest.raises(ImageError):
        engine.ask("run", "--rm", "--entrypoint", "sh", base, "-c", "find /tmp")


@pytest.mark.parametrize("bare", ["function", "function-sidecar"], indirect=True)
def test_the_function_is_built_on_a_bare_base_and_answers(
    engine: Engine, bare: str, answer_in_process: AnswerInProcess
) -> None:
    with run_container(
        engine, bare, memory=512, environ={"SCORER_FALLBACK": "none"} if "sidecar" in bare else {}
    ) as container:
        check_examples(container, answer_in_process)


@pytest.mark.parametrize("bare", ["service"], indirect=True)
def test_the_service_is_built_on_a_bare_base_and_is_healthy(engine: Engine, bare: str) -> None:
    with run_service(engine, bare) as service:
        assert service.is_healthy()
