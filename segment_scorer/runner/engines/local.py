"""Engines of this machine: process chunks here, in threads, or in worker processes.

Input: chunks. Output: their results in the order of the chunks. A few chunks are held at a time.
Every engine gives the same results.
"""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, TypeAlias

import msgspec

from segment_scorer.runner.asking.hooks import open_hook
from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS
from segment_scorer.runner.asking.host_rules import Hook
from segment_scorer.runner.chunks import Chunk, ChunkResult
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.errors import EngineError
from segment_scorer.runner.reading.segments import ignore_warning
from segment_scorer.runner.worker import process_chunk

# A worker process takes most of a second to load a model. With fewer chunks, one process is faster.
FEWEST_CHUNKS = 8
# For each chunk: bytes of the segment read up to its end, and its result.
ChunkResults: TypeAlias = Iterator[tuple[int, ChunkResult]]


class WorkerSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process needs. `settings` are for a local hook."""

    hook: str
    settings: dict[str, str]
    config: RunConfig


def open_worker_hook(setup: WorkerSetup) -> Hook:
    """Open a worker's hook. Its start-up log is dropped: the parent process has the same."""
    limit_seconds = HOST_ADAPTERS[setup.config.host].host.limit_seconds
    hook = open_hook(setup.hook, setup.settings, limit_seconds)
    hook.take_log()
    gc.freeze()  # imported modules live on; the collector need not scan them again and again
    return hook


def process_here(chunks: Iterable[Chunk], hook: Hook, config: RunConfig) -> ChunkResults:
    """Process one chunk after another in this process."""
    for chunk in chunks:
        yield chunk.position, process_chunk(chunk, hook, config)


def process_in_threads(
    chunks: Iterable[Chunk], hook: Hook, config: RunConfig, threads: int
) -> ChunkResults:
    """Process chunks in threads that share a hook: for hooks that mostly wait."""
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield from process_in_order(
                chunks, lambda chunk: pool.submit(process_chunk, chunk, hook, config), threads + 1
            )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def process_in_processes(
    chunks: Iterable[Chunk],
    hook: Hook,
    setup: WorkerSetup,
    processes: int,
    warn: Callable[[str], None] = ignore_warning,
) -> ChunkResults:
    """Process chunks in worker processes, each with its own function.

    A short segment is processed in this process, with `hook`. So is every segment on a machine
    that cannot have worker processes; `warn` is told.
    """
    chunks = iter(chunks)
    first = list(itertools.islice(chunks, FEWEST_CHUNKS if processes > 1 else 0))
    if len(first) < FEWEST_CHUNKS:
        yield from process_here(itertools.chain(first, chunks), hook, setup.config)
        return
    context = multiprocessing.get_context("spawn")  # not fork: this process has threads
    try:
        executor = ProcessPoolExecutor(
            processes, mp_context=context, initializer=begin_worker, initargs=(setup,)
        )
    except (OSError, ImportError, NotImplementedError) as error:  # processes share semaphores
        warn(
            "--processes: this machine cannot have worker processes "
            f"({type(error).__name__}; they need a writable /dev/shm), so one process does all"
        )
        yield from process_here(itertools.chain(first, chunks), hook, setup.config)
        return
    with executor as pool:
        try:
            yield from process_in_order(
                itertools.chain(first, chunks),
                lambda chunk: pool.submit(process_in_worker, chunk),
                2 * processes + 1,
            )
        except BrokenProcessPool as error:
            raise EngineError(
                "--processes: a worker process ended, or was killed, perhaps for lack of memory"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def process_in_order(
    chunks: Iterable[Chunk], submit: Callable[[Chunk], Future[ChunkResult]], window: int
) -> ChunkResults:
    """Submit chunks, at most `window` ahead, and yield their results in the order of the chunks."""
    pending: deque[tuple[int, Future[ChunkResult]]] = deque()
    for chunk in chunks:
        pending.append((chunk.position, submit(chunk)))
        if len(pending) == window:
            position, future = pending.popleft()
            yield position, future.result()
    for position, future in pending:
        yield position, future.result()


_worker: dict[str, Any] = {}


def begin_worker(setup: WorkerSetup) -> None:
    """Turn this process into a worker.

    It opens its hook, leaves Ctrl-C to the parent process, and ends with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=end_with, args=(parent.sentinel,), daemon=True).start()
    _worker["hook"], _worker["config"] = open_worker_hook(setup), setup.config


def end_with(sentinel: int) -> None:
    """End this process when another one ends."""
    connection.wait([sentinel])
    os._exit(1)


def process_in_worker(chunk: Chunk) -> ChunkResult:
    """Process a chunk in a worker process."""
    return process_chunk(chunk, _worker["hook"], _worker["config"])
