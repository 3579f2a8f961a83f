"""Two builds of one commit, the second without the first one's steps, give the same layers."""

from __future__ import annotations

import json
import os

import pytest

from tests.image.conftest import require_image
from tools.image.build import build_image, name_image
from tools.image.engine import Engine

pytestmark = pytest.mark.image
REPOSITORY = "localhost/segment-scorer-test/again"


def read_layers(engine: Engine, name: str) -> list[str]:
    """The digests of an image's layers, the base's first."""
    layers: list[str] = json.loads(
        engine.ask("image", "inspect", "--format", "{{json .RootFS.Layers}}", name)
    )
    assert len(layers) > 3
    return layers


@pytest.mark.parametrize("target", ["function", "function-sidecar"])
def test_a_build_without_cache_gives_the_same_layers(target: str, engine: Engine) -> None:
    # The sidecar has every stage of the service.
    environ = {**os.environ, "TARGET": target}
    built = require_image(engine, target)
    try:
        again = build_image(engine, environ, REPOSITORY, cache=False)
        assert read_layers(engine, again) == read_layers(engine, built)
    finally:
        engine.succeeds("rmi", name_image(environ, REPOSITORY))
