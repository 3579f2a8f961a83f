"""segment_scorer/service/connections.py: when a worker lets its connections come again."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from segment_scorer.service.connections import (
    EVERY,
    LONGEST_PAUSE,
    Evener,
    count_connections,
    find_overfull,
)


@pytest.mark.parametrize(
    ("counts", "index"),
    [
        ([8, 8], None),
        ([5, 11], None),
        ([4, 12], 1),
        ([16, 0], 0),
        ([0, 15], None),  # too few to be evened out
        ([1, 0], None),
        ([0, 0], None),
        ([20, 20, 8], 0),
        ([14, 17, 17], None),
    ],
)
def test_the_fullest_worker_is_renewed_if_another_has_far_too_few(
    counts: list[int], index: int | None
) -> None:
    assert find_overfull(counts) == index


def test_no_worker_of_two_has_under_30_percent_of_16_connections_or_more() -> None:
    for connections in range(16, 200):
        pairs = [(few, connections - few) for few in range(connections // 2 + 1)]
        smallest = min(few for few, many in pairs if find_overfull([few, many]) is None)
        assert smallest / connections >= 0.3


def test_waits_longer_after_each_attempt_and_not_once_connections_are_even() -> None:
    now, counts = [0.0], [16, 0]
    evener = Evener(lambda: counts, lambda: now[0])
    assert evener.look() is None, "too early"
    pauses = []
    for _ in range(10):
        pauses.append(evener.seconds_left)
        now[0] += evener.seconds_left
        assert evener.look() == (0, [16, 0])
    assert pauses[:4] == [EVERY, 2 * EVERY, 4 * EVERY, 8 * EVERY]
    assert pauses[-1] == LONGEST_PAUSE
    now[0] += evener.seconds_left
    counts[:] = [9, 7]
    assert evener.look() is None
    assert evener.seconds_left == EVERY


def test_counts_the_connections_of_a_process_at_its_ports_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = server.getsockname()[1]
        assert count_connections([os.getpid()], {port}) == [0], "listening is no connection"
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            with accepted, socket.create_connection(other.getsockname()):
                assert count_connections([os.getpid()], {port}) == [1]
                found = count_connections([os.getpid()], {port, client.getsockname()[1]})
                assert found == [2], "the other end has a port of its own"


def test_without_proc_and_after_a_process_has_ended_there_are_none(tmp_path: Path) -> None:
    assert count_connections([1], {80}, tmp_path) == [0]
