"""segment_scorer/service/calls.py: how many calls may wait for their message."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from segment_scorer.service.calls import Incomplete
from segment_scorer.service.errors import Refusal


class Silent:
    """A call's context whose message arrives when `arrived` is set."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()

    async def read(self) -> bytes:
        await self.arrived.wait()
        return b"message"


async def wait_for_events() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_call_too_many_ends_the_one_that_has_waited_longest() -> None:
    async def check() -> list[Any]:
        incomplete = Incomplete(60.0, most=2)
        contexts = [Silent() for _ in range(4)]
        reads = [asyncio.create_task(incomplete.read(context)) for context in contexts]
        await wait_for_events()
        for context in contexts:
            context.arrived.set()
        return list(await asyncio.gather(*reads, return_exceptions=True))

    first, second, *others = asyncio.run(check())
    for ended in (first, second):
        assert isinstance(ended, Refusal)
        assert ended.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert others == [b"message", b"message"]


def test_a_call_that_is_cancelled_by_its_caller_is_no_refusal_and_takes_no_place() -> None:
    async def check() -> bytes | None:
        incomplete = Incomplete(60.0, most=1)
        gone, stays = Silent(), Silent()
        task = asyncio.create_task(incomplete.read(gone))
        await wait_for_events()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        waiting = asyncio.create_task(incomplete.read(stays))
        await wait_for_events()
        stays.arrived.set()
        return await waiting

    assert asyncio.run(check()) == b"message"
