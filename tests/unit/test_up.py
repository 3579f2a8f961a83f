"""tools/image/up.py: the ports of `make up`, before anything is built."""

from __future__ import annotations

import socket
from typing import Any, cast

import pytest

from tools.image.engine import Engine, ImageError
from tools.image.up import check_ports, read_ports


class FakeEngine:
    """An engine with these containers running."""

    def __init__(self, running: str = "") -> None:
        self.environ: dict[str, str] = {}
        self.running = running

    def ask(self, *words: str) -> str:
        assert words[:2] == ("ps", "--quiet")
        assert "--filter=label=com.docker.compose.project=segment-scorer" in words
        return self.running


def check(environ: dict[str, str], running: str = "") -> None:
    check_ports(cast(Engine, cast(Any, FakeEngine(running))), environ)


def test_a_port_of_another_program_is_said_before_anything_is_built() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port, other = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        check({"FUNCTION_PORT": str(other), "PROMETHEUS_PORT": str(other)})
        with pytest.raises(ImageError, match=f"PROMETHEUS_PORT: expected a free port, .* {port}"):
            check({"FUNCTION_PORT": str(other), "PROMETHEUS_PORT": str(port)})
        # A second `make up` finds its own containers there.
        check({"FUNCTION_PORT": str(port), "PROMETHEUS_PORT": str(port)}, running="0123")


def test_an_unset_port_is_the_documented_one() -> None:
    assert read_ports({"FUNCTION_PORT": ""}) == {"FUNCTION_PORT": 9000, "PROMETHEUS_PORT": 9090}
