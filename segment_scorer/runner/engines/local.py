"""Engines: how blocks are walked, here or in other processes. Blocks in, their pages out in the same order, whoever was faster.

Takes a Recipe, from which every process builds its own hook; holds a few blocks at a time. Every engine makes the same pages.
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
from segment_scorer.runner.asking.host_adapters import SIDES
from segment_scorer.runner.asking.host_rules import Hook
from segment_scorer.runner.errors import EngineError
from segment_scorer.runner.summary import Terms
from segment_scorer.runner.worker import Block, Page, walk_block

# What is worth starting processes for, each of which takes most of a second to load a model; below it one process is done sooner.
WORTH_PROCESSES = 8
# Block by block: bytes of the segment read when it was cut, and its page.
Pages: TypeAlias = Iterator[tuple[int, Page]]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """All that a process needs to walk blocks: the hook's address, the settings for one in process, and the run's terms."""

    hook: str
    environ: dict[str, str]
    terms: Terms


def open_recipe(recipe: Recipe) -> Hook:
    """The hook of a recipe. What it logs while it starts is taken away: the process that began the run has it."""
    hook = open_hook(recipe.hook, recipe.environ, SIDES[recipe.terms.host].limit_seconds)
    hook.take_log()
    gc.freeze()  # what has been imported by now lives on: the collector need not walk it again and again
    return hook


def walk_here(blocks: Iterable[Block], hook: Hook, terms: Terms) -> Pages:
    """In this process, one block after another."""
    for block in blocks:
        yield block.position, walk_block(block, hook, terms)


def walk_in_threads(blocks: Iterable[Block], hook: Hook, terms: Terms, threads: int) -> Pages:
    """In threads of this process, which all call one hook: for one that is waited for."""
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield from walk_in_order(
                blocks, lambda block: pool.submit(walk_block, block, hook, terms), threads + 1
            )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def walk_in_processes(blocks: Iterable[Block], hook: Hook, recipe: Recipe, processes: int) -> Pages:
    """In so many processes, each with a function of its own; a short segment in this one, with `hook`."""
    blocks = iter(blocks)
    first = list(itertools.islice(blocks, WORTH_PROCESSES if processes > 1 else 0))
    if len(first) < WORTH_PROCESSES:
        yield from walk_here(itertools.chain(first, blocks), hook, recipe.terms)
        return
    # Spawned, not forked: this process has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=begin_worker, initargs=(recipe,)
    ) as pool:
        try:
            yield from walk_in_order(
                itertools.chain(first, blocks),
                lambda block: pool.submit(walk_in_worker, block),
                2 * processes + 1,
            )
        except BrokenProcessPool as error:
            raise EngineError(
                "--processes: expected every process to live; one ended, or was ended for want of memory"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def walk_in_order(
    blocks: Iterable[Block], submit: Callable[[Block], Future[Page]], window: int
) -> Pages:
    """Submit blocks, at most `window` of them ahead, and give their pages in the order of the blocks."""
    pending: deque[tuple[int, Future[Page]]] = deque()
    for block in blocks:
        pending.append((block.position, submit(block)))
        if len(pending) == window:
            position, future = pending.popleft()
            yield position, future.result()
    for position, future in pending:
        yield position, future.result()


_worker: dict[str, Any] = {}


def begin_worker(recipe: Recipe) -> None:
    """Make this process a worker: it builds its function, leaves Ctrl-C to its parent, and ends when that does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=end_with, args=(parent.sentinel,), daemon=True).start()
    _worker["hook"], _worker["terms"] = open_recipe(recipe), recipe.terms


def end_with(sentinel: int) -> None:
    """End this process when the other does, however that ended."""
    connection.wait([sentinel])
    os._exit(1)


def walk_in_worker(block: Block) -> Page:
    """One block, in a worker."""
    return walk_block(block, _worker["hook"], _worker["terms"])
