"""The Ray engine: the same chunks walked by actors on an existing cluster, or on one that Ray starts here. Needs the extra `ray`.

Takes chunks and a WorkerSetup, gives pages in the order of the chunks. Every node needs this package, the bundle and the policy at the same
paths. No setting but SCORER_* leaves this machine.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from segment_scorer.runner.engines.local import ChunkResults, WorkerSetup, open_worker_hook
from segment_scorer.runner.errors import EngineError
from segment_scorer.runner.worker import Chunk, ChunkResult, process_chunk


class Worker:
    """What an actor runs: a function of its own, and chunks one after another."""

    def __init__(self, setup: WorkerSetup) -> None:
        """Build the function."""
        self._hook, self._terms = open_worker_hook(setup), setup.config

    def walk(self, chunk: Chunk) -> ChunkResult:
        """One chunk."""
        return process_chunk(chunk, self._hook, self._terms)


def process_on_ray(chunks: Iterable[Chunk], setup: WorkerSetup, most: int | None) -> ChunkResults:
    """On as many actors as the cluster has CPUs, at most `most`, each with two chunks at hand."""
    with open_cluster() as ray:
        actors = max(1, int(ray.cluster_resources().get("CPU", 1)))
        actors = actors if most is None else min(actors, most)
        remote = ray.remote(num_cpus=1)(Worker)
        workers = [remote.remote(setup) for _ in range(actors)]
        pending: deque[tuple[int, Any]] = deque()
        try:
            for index, chunk in enumerate(chunks):
                pending.append((chunk.position, workers[index % actors].walk.remote(chunk)))
                if len(pending) == 2 * actors + 1:
                    position, page = pending.popleft()
                    yield position, ray.get(page)
            for position, page in pending:
                yield position, ray.get(page)
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from error
        except ray.exceptions.RayError as error:
            raise EngineError("--engine ray: expected every actor to live; one was lost") from error
        finally:
            for worker in workers:
                ray.kill(worker)


@contextlib.contextmanager
def open_cluster() -> Iterator[Any]:
    """Ray, connected: to the cluster that RAY_ADDRESS names, or one that it starts on this machine and ends with the run."""
    try:
        import ray  # noqa: PLC0415  # an extra, and slow to import
    except ImportError as error:
        raise EngineError(
            "--engine ray: expected the package ray; `make ray`, or the extra `ray`, has it"
        ) from error
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(logging_level=logging.WARNING, log_to_driver=False, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EngineError(
                "--engine ray: expected a Ray cluster that can be reached or started"
            ) from error
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()
