"""One name, three servers: calls go round, and one that dies costs no call and no restart."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from function.scorers.remote import RemoteScorer
from function.settings import Dialect, RemoteSettings
from tests.bundles import COLUMNS, expected_scores, make_bundle
from tests.names import run_names
from tests.processes import Server, run_server

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
ROWS = np.random.default_rng(5).normal(size=(3, len(COLUMNS))).astype(np.float32)
CALLS = 30
ANSWERED = 30.0  # seconds for a call: only a call that hangs takes so long


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    """Three servers with one port and an address each, which log every call."""
    bundle = make_bundle(tmp_path / "bundle")
    with ExitStack() as stack:
        first = stack.enter_context(run_server(bundle, "--log-level=debug"))
        port = first.address.rpartition(":")[2]
        yield [
            first,
            *(
                stack.enter_context(
                    run_server(bundle, "--log-level=debug", listen=f"{address}:{port}")
                )
                for address in ADDRESSES[1:]
            ),
        ]


def count_calls(server: Server) -> int:
    return sum('"ModelInfer' in line or "/ModelInfer" in line for line in server.lines)


def test_calls_go_to_every_address_and_survive_the_death_of_one(servers: list[Server]) -> None:
    port = servers[0].address.rpartition(":")[2]
    with run_names(ADDRESSES) as names:
        settings = RemoteSettings(
            target=f"dns://{names}/scoring.test:{port}",
            dialect=Dialect(model="tiny"),
            call_cap=ANSWERED,
        )
        scorer = RemoteScorer(settings)

        def ask() -> None:
            scores = scorer.score_batch(ROWS, ANSWERED)
            assert np.allclose(scores, expected_scores(ROWS), atol=1e-6)

        for _ in range(CALLS):
            ask()
        before = [count_calls(server) for server in servers]
        servers[1].signal(signal.SIGKILL)
        servers[1].child.wait()
        for _ in range(CALLS):
            ask()
        scorer.close()
    for server in servers:
        server.end()
    after = [count_calls(server) for server in servers]
    # gRPC connects to the three in any order, so the first calls may go to one of them.
    assert sum(before) <= CALLS
    assert all(after), after
    assert after[0] - before[0] > 0
    assert after[2] - before[2] > 0
