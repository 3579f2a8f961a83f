"""Engines: how chunks are walked, here or in other processes. Blocks in, their pages out in the same order, whoever was faster.

Takes a WorkerSetup, from which every process builds its own hook; holds a few chunks at a time. Every engine makes the same pages.
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
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.errors import EngineError
from segment_scorer.runner.worker import Chunk, ChunkResult, process_chunk

# What is worth starting processes for, each of which takes most of a second to load a model; below it one process is done sooner.
WORTH_PROCESSES = 8
# Chunk by chunk: bytes of the segment read when it was cut, and its page.
ChunkResults: TypeAlias = Iterator[tuple[int, ChunkResult]]


class WorkerSetup(msgspec.Struct, frozen=True, kw_only=True):
    """All that a process needs to walk chunks: the hook's address, the settings for one in process, and the run's config."""

    hook: str
    environ: dict[str, str]
    config: RunConfig


def open_worker_hook(setup: WorkerSetup) -> Hook:
    """The hook of a setup. What it logs while it starts is taken away: the process that began the run has it."""
    hook = open_hook(setup.hook, setup.environ, HOST_ADAPTERS[setup.config.host].limit_seconds)
    hook.take_log()
    gc.freeze()  # what has been imported by now lives on: the collector need not walk it again and again
    return hook


def process_here(chunks: Iterable[Chunk], hook: Hook, config: RunConfig) -> ChunkResults:
    """In this process, one chunk after another."""
    for chunk in chunks:
        yield chunk.position, process_chunk(chunk, hook, config)


def process_in_threads(
    chunks: Iterable[Chunk], hook: Hook, config: RunConfig, threads: int
) -> ChunkResults:
    """In threads of this process, which all call one hook: for one that is waited for."""
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield from process_in_order(
                chunks, lambda chunk: pool.submit(process_chunk, chunk, hook, config), threads + 1
            )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def process_in_processes(
    chunks: Iterable[Chunk], hook: Hook, setup: WorkerSetup, processes: int
) -> ChunkResults:
    """In so many processes, each with a function of its own; a short segment in this one, with `hook`."""
    chunks = iter(chunks)
    first = list(itertools.islice(chunks, WORTH_PROCESSES if processes > 1 else 0))
    if len(first) < WORTH_PROCESSES:
        yield from process_here(itertools.chain(first, chunks), hook, setup.config)
        return
    # Spawned, not forked: this process has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=begin_worker, initargs=(setup,)
    ) as pool:
        try:
            yield from process_in_order(
                itertools.chain(first, chunks),
                lambda chunk: pool.submit(process_in_worker, chunk),
                2 * processes + 1,
            )
        except BrokenProcessPool as error:
            raise EngineError(
                "--processes: expected every process to live; one ended, or was ended for want of memory"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def process_in_order(
    chunks: Iterable[Chunk], submit: Callable[[Chunk], Future[ChunkResult]], window: int
) -> ChunkResults:
    """Submit chunks, at most `window` of them ahead, and give their pages in the order of the chunks."""
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
    """Make this process a worker: it builds its function, leaves Ctrl-C to its parent, and ends when that does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=end_with, args=(parent.sentinel,), daemon=True).start()
    _worker["hook"], _worker["config"] = open_worker_hook(setup), setup.config


def end_with(sentinel: int) -> None:
    """End this process when the other does, however that ended."""
    connection.wait([sentinel])
    os._exit(1)


def process_in_worker(chunk: Chunk) -> ChunkResult:
    """One chunk, in a worker."""
    return process_chunk(chunk, _worker["hook"], _worker["config"])
