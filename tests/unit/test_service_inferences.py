"""segment_scorer/service/inferences.py: admission, order, and where an inference runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from segment_scorer.service.errors import Refusal
from segment_scorer.service.inferences import (
    INLINE_SECONDS,
    LOOK_EVERY,
    LOOK_SECONDS,
    MAX_REFUSED,
    Inferences,
)

SIZE = 2_000


def compute_here() -> str:
    return threading.current_thread().name


def compute_slowly() -> str:
    time.sleep(INLINE_SECONDS * 20)
    return threading.current_thread().name


async def run_many(
    inferences: Inferences, count: int, compute: Callable[[], str]
) -> Counter[object]:
    """Results of calls that arrive at once; a refusal's status instead of a result."""
    results = await asyncio.gather(
        *(inferences.run(compute, SIZE) for _ in range(count)), return_exceptions=True
    )
    return Counter(
        result.code.name if isinstance(result, Refusal) else result for result in results
    )


def test_the_first_inference_runs_in_a_thread_and_short_ones_then_on_the_loop() -> None:
    async def check() -> list[str]:
        inferences = Inferences(4)
        names = [await inferences.run(compute_here, SIZE) for _ in range(3)]
        inferences.stop()
        return names

    first, *others = asyncio.run(check())
    assert first.startswith("inference")
    assert set(others) == {"MainThread"}


def test_long_inferences_run_in_threads_and_the_loop_stays_free() -> None:
    async def check() -> tuple[list[str], int]:
        inferences, turns = Inferences(4), 0
        names = [await inferences.run(compute_slowly, SIZE) for _ in range(2)]
        running = asyncio.create_task(inferences.run(compute_slowly, SIZE))
        while not running.done():
            turns += 1
            await asyncio.sleep(0.001)
        inferences.stop()
        return [*names, running.result()], turns

    names, turns = asyncio.run(check())
    assert all(name.startswith("inference") for name in names)
    assert turns > 1


def test_a_request_too_large_for_the_loop_runs_in_a_thread() -> None:
    async def check() -> str:
        inferences = Inferences(4)
        for _ in range(3):
            await inferences.run(compute_here, SIZE)
        name = await inferences.run(compute_here, SIZE * 10_000_000)
        inferences.stop()
        return name

    assert asyncio.run(check()).startswith("inference")


@pytest.mark.parametrize("compute", [compute_here, compute_slowly])
def test_calls_at_once_beyond_the_limit_are_refused(compute: Callable[[], str]) -> None:
    async def check() -> Counter[object]:
        inferences = Inferences(16)
        await inferences.run(compute, SIZE)
        found = await run_many(inferences, 200, compute)
        assert await inferences.run(compute, SIZE)  # every place is free again
        inferences.stop()
        return found

    found = asyncio.run(check())
    # Up to LOOK_EVERY short ones are computed as they come, before the loop looks for others.
    assert found["RESOURCE_EXHAUSTED"] >= 200 - 16 - LOOK_EVERY
    assert found["RESOURCE_EXHAUSTED"] < 200


def test_calls_that_come_one_at_a_time_and_faster_than_they_are_computed_are_refused() -> None:
    """As gRPC hands them over: the next one in the next turn of the loop, the others unseen."""

    async def check() -> Counter[object]:
        inferences = Inferences(16)
        await inferences.run(compute_here, SIZE)
        calls = []
        for _ in range(400):
            calls.append(asyncio.create_task(inferences.run(compute_here, SIZE)))
            await asyncio.sleep(0)
        results = await asyncio.gather(*calls, return_exceptions=True)
        inferences.stop()
        return Counter(
            result.code.name if isinstance(result, Refusal) else result for result in results
        )

    found = asyncio.run(check())
    assert found["RESOURCE_EXHAUSTED"] > 100
    assert found["MainThread"] > 50  # computing goes on


def test_a_turn_of_the_loop_computes_one_of_those_that_wait() -> None:
    async def check() -> int:
        inferences, computed, most = Inferences(16), 0, 0

        def compute() -> str:
            nonlocal computed
            computed += 1
            return ""

        await inferences.run(compute, SIZE)
        for _ in range(LOOK_EVERY):
            await inferences.run(compute, SIZE)
        waiting = asyncio.gather(*(inferences.run(compute, SIZE) for _ in range(16)))
        while not waiting.done():
            before = computed
            await asyncio.sleep(0)
            most = max(most, computed - before)
        inferences.stop()
        return most

    assert asyncio.run(check()) == 1


def test_an_inference_whose_caller_gave_up_loses_its_turn_and_frees_its_place() -> None:
    async def check() -> list[str]:
        inferences = Inferences(2)
        done: list[str] = []
        await inferences.run(compute_here, SIZE)
        for _ in range(LOOK_EVERY):
            await inferences.run(compute_here, SIZE)
        given_up = asyncio.create_task(inferences.run(lambda: done.append("given up"), SIZE))
        stays = asyncio.create_task(inferences.run(lambda: done.append("stays"), SIZE))
        await asyncio.sleep(0)
        given_up.cancel()
        await stays
        await asyncio.gather(*(inferences.run(lambda: done.append("next"), SIZE) for _ in "12"))
        inferences.stop()
        return done

    assert asyncio.run(check()) == ["stays", "next", "next"]


class Clock:
    """The clock of the service's looks. It stands still unless the test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("segment_scorer.service.inferences.time", clock)
    return clock


async def turn_loop() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


async def count_computed(
    clock: Clock, looks: int, *, waiting: int, busy: int = 0, before: int = LOOK_EVERY
) -> int:
    """Inferences computed of those that wait, when so many looks may have ended.

    waiting  inferences that come together; the first of them begins a look
    busy     inferences that occupy threads all the while
    before   inferences that are computed before any waits
    """
    inferences, free, computed = Inferences(16), threading.Event(), 0

    def compute() -> str:
        nonlocal computed
        computed += 1
        return ""

    def occupy() -> str:
        free.wait()
        return ""

    # They begin while nobody knows how long an inference takes, so each gets a thread.
    tasks = [asyncio.create_task(inferences.run(occupy, SIZE)) for _ in range(busy)]
    await turn_loop()
    for _ in range(1 + before):  # the first one gets a thread as well
        await inferences.run(compute_here, SIZE)
    tasks += [asyncio.create_task(inferences.run(compute, SIZE)) for _ in range(waiting)]
    await turn_loop()
    for _ in range(looks):
        clock.now += LOOK_SECONDS
        await turn_loop()
    found = computed
    free.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    inferences.stop()
    return found


def test_a_look_comes_after_so_many_inferences_and_lasts_until_calls_stay_away(
    clock: Clock,
) -> None:
    assert asyncio.run(count_computed(clock, 0, waiting=1, before=LOOK_EVERY - 1)) == 1
    assert asyncio.run(count_computed(clock, 0, waiting=1)) == 0
    assert asyncio.run(count_computed(clock, 1, waiting=1)) == 1


@pytest.mark.parametrize(
    ("busy", "waiting", "again"),
    [
        (0, 4, False),  # three came, but no more are there than a quarter of the 16 it may admit
        (0, 5, True),
        (8, 2, False),  # more than a quarter are there, but one came
        (8, 3, True),
    ],
)
def test_the_loop_looks_again_after_the_next_inference_if_many_came_and_more_than_a_few_are_there(
    clock: Clock, busy: int, waiting: int, again: bool
) -> None:
    """A second look would keep the others waiting, since the clock stands still."""
    computed = asyncio.run(count_computed(clock, 1, waiting=waiting, busy=busy))
    assert computed == (1 if again else waiting)


def test_a_second_look_that_finds_no_more_is_the_last(clock: Clock) -> None:
    assert asyncio.run(count_computed(clock, 2, waiting=10)) == 10


@pytest.mark.parametrize(
    ("busy", "came", "computed"),
    [(15, MAX_REFUSED - 1, 0), (15, MAX_REFUSED, 1), (0, MAX_REFUSED, 0)],
)
def test_only_the_look_of_a_full_service_ends_while_calls_come_and_after_enough_refusals(
    clock: Clock, busy: int, came: int, computed: int
) -> None:
    # With 15 busy ones the first takes the last place, and all that come after it are refused.
    assert asyncio.run(count_computed(clock, 0, waiting=1 + came, busy=busy)) == computed
