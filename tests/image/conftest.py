"""The built image, and containers of it under Lambda's limits.

Nothing here skips: without engine or image the tests fail and say why.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import build_handler
from tools.image.build import name_image
from tools.image.container import Container, run_container
from tools.image.engine import Engine, find_engine

ROOT = Path(__file__).parent.parent.parent
EVENTS = sorted((ROOT / "examples" / "events").glob("*.json"))
Start = Callable[..., AbstractContextManager[Container]]
AnswerInProcess = Callable[[Any], Any]
# Prints the files and folders among its arguments' that the user may not read.
FIND_UNREADABLE = """
import os, sys
for top in sys.argv[1:]:
    for folder, names, files in os.walk(top):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            if not os.access(path, os.R_OK) or os.path.isdir(path) and not os.access(path, os.X_OK):
                print(path)
"""


@pytest.fixture(scope="session")
def engine() -> Engine:
    return find_engine()


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """Name of the function's image. `make image-test` has built it, of FUNCTION_SET and ARCH."""
    return require_image(engine, "function")


def require_image(engine: Engine, target: str) -> str:
    """The name of a target's image. Fails if it is not built."""
    name = name_image({**os.environ, "TARGET": target})
    assert engine.succeeds("image", "inspect", name), (
        f"expected the image {name}; run `make image-test`, which builds it"
    )
    return name


@pytest.fixture
def start(engine: Engine, image: str) -> Start:
    """Start a container of the image: `with start(memory=128) as container`."""
    return partial(run_container, engine, image)


@pytest.fixture(scope="module")
def idle(engine: Engine, image: str) -> Iterator[Container]:
    """A container to inspect, which has had no event."""
    with run_container(engine, image, memory=512) as container:
        yield container


def check_examples(container: Container, answer_in_process: AnswerInProcess) -> None:
    """Every example event gets the reply that the function gives in this process."""
    for path in EVENTS:
        event = json.loads(path.read_text("utf-8"))
        answer = container.emulator.post(event)
        assert answer.status == 200, answer.text
        assert list(answer.json().items()) == list(answer_in_process(event).items()), path.name


@pytest.fixture(scope="session")
def answer_in_process() -> AnswerInProcess:
    """The same function in this process: what the container's replies must equal."""
    handle = build_handler({}, stream=io.StringIO())
    return lambda event: handle(event, None)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """The path of a program of requirements/image-tools.txt, in its environment."""

    def find(name: str) -> str:
        path = ROOT / ".cache" / "image-tools" / "bin" / name
        assert path.exists(), f"expected {name}; run `make image-test`, which installs it"
        return str(path)

    return find
