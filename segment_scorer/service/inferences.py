"""Runs one process's inferences: admits, orders, and chooses the thread.

At most a fixed number are admitted at once; a further one is refused before it waits. Used from
one event loop. Never reads a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

import grpc

from segment_scorer.service.errors import Refusal
from segment_scorer.service.meter import Meter

Result = TypeVar("Result")
# Inferences expected to be shorter run on the event loop: another thread costs about 0.25 ms of
# processor time (docs/decisions/0016-asyncio-for-the-scoring-service.md). Longer ones would keep
# health checks waiting.
INLINE_SECONDS = 0.001
SMALLEST = 1_024  # bytes; smaller requests take about as long as one of this size
MEMORY = 8  # measurements that the estimate of a request's time averages over
# gRPC hands over one waiting call at a time and keeps the others out of sight, so computing at once
# would hide how many wait. Every LOOK_EVERY inferences the loop therefore takes in calls first,
# until none has come for LOOK_SECONDS. It looks again after the next one if it found MANY and more
# than a FEW of those it may admit are there: fewer clients cannot be too many soon.
LOOK_EVERY = 32
LOOK_SECONDS = 0.0002
MANY = 2
FEW = 4  # as a part of the limit: a quarter
MAX_REFUSED = 8  # calls that one look refuses, so that computing goes on under overload


class Inferences:
    """Admission, order and threads of a model's inferences.

    limit  inferences at once, those that wait for their turn included
    meter  told how many are admitted
    """

    def __init__(self, limit: int, meter: Meter | None = None) -> None:
        self._limit = limit
        self._meter = meter or Meter()
        self._admitted = 0
        self._arrived = 0
        self._turns: deque[asyncio.Future[None]] = deque()
        self._computed = 0  # since the last look
        self._seen = self._found = 0
        self._quiet_since = 0.0
        self._seconds_per_byte = float("inf")  # unknown: the first one gets a thread
        self._threads = futures.ThreadPoolExecutor(limit, thread_name_prefix="inference")

    async def run(self, compute: Callable[[], Result], size: int) -> Result:
        """Compute, on the loop or in a thread.

        size  the request's bytes, by which its time is estimated

        Raises Refusal: RESOURCE_EXHAUSTED when too many inferences are admitted already.
        """
        self._arrived += 1
        if self._admitted >= self._limit:
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "too many inferences at once; ask again in a moment",
                reason="busy",
            )
        self._admitted += 1
        self._meter.set_queue(self._admitted)
        size = max(size, SMALLEST)
        if size * self._seconds_per_byte > INLINE_SECONDS:
            return await self._run_in_thread(compute, size)
        try:
            if self._turns or self._computed >= LOOK_EVERY:
                await self._wait_for_turn()
            else:
                self._computed += 1
            return self._measure(compute, size)
        finally:
            self._release()

    def stop(self) -> None:
        """End the threads as soon as they have nothing to compute. Waits for none."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run_in_thread(self, compute: Callable[[], Result], size: int) -> Result:
        loop = asyncio.get_running_loop()
        future = self._threads.submit(self._measure, compute, size)

        def release(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._release)

        # When the computation ends, not when its caller gives up: the thread is busy until then.
        future.add_done_callback(release)
        return await asyncio.wrap_future(future)

    def _release(self) -> None:
        self._admitted -= 1
        self._meter.set_queue(self._admitted)

    def _measure(self, compute: Callable[[], Result], size: int) -> Result:
        began = time.perf_counter()
        try:
            return compute()
        finally:
            found = (time.perf_counter() - began) / size
            known = self._seconds_per_byte
            self._seconds_per_byte = (
                found if known == float("inf") else known + (found - known) / MEMORY
            )

    async def _wait_for_turn(self) -> None:
        """Return when it is this inference's turn, after a look."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._turns.append(turn)
        if len(self._turns) == 1:
            self._begin_look()
        await turn

    def _begin_look(self) -> None:
        self._seen, self._found = self._arrived, 0
        self._quiet_since = time.perf_counter()
        asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Take in arriving calls; when that is done, give the oldest its turn.

        A turn of the loop computes at most one inference, so that I/O and health checks go on.
        """
        loop, now = asyncio.get_running_loop(), time.perf_counter()
        if self._arrived != self._seen:
            self._found += self._arrived - self._seen
            self._seen, self._quiet_since = self._arrived, now
        is_full = self._admitted >= self._limit
        if now - self._quiet_since < LOOK_SECONDS and not (is_full and self._found >= MAX_REFUSED):
            loop.call_soon(self._look)
            return
        self._computed = 0
        self._give_turn()
        if self._turns:
            # After the computation that the turn was given to.
            is_many = self._found >= MANY and self._admitted > self._limit // FEW
            loop.call_soon(self._begin_look if is_many else self._give_turns)

    def _give_turns(self) -> None:
        self._give_turn()
        if self._turns:
            asyncio.get_running_loop().call_soon(self._give_turns)

    def _give_turn(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():  # its caller still waits
                turn.set_result(None)
                return
