"""The Ray engine: process chunks on an existing cluster, or on one that Ray starts here.

Input: chunks. Output: their results in the order of the chunks. Needs the extra `ray`. Every node
needs this package, the bundle and the policy at the same paths. Of the environment, only SCORER_*
settings leave this machine.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from segment_scorer.runner.chunks import Chunk, ChunkResult
from segment_scorer.runner.engines.local import ChunkResults, WorkerSetup, open_worker_hook
from segment_scorer.runner.errors import EngineError
from segment_scorer.runner.worker import process_chunk


class Worker:
    """An actor with its own function. It processes one chunk after another."""

    def __init__(self, setup: WorkerSetup) -> None:
        """Open the hook."""
        self._hook, self._config = open_worker_hook(setup), setup.config

    def process(self, chunk: Chunk) -> ChunkResult:
        """Process a chunk."""
        return process_chunk(chunk, self._hook, self._config)


def process_on_ray(
    chunks: Iterable[Chunk], setup: WorkerSetup, most_actors: int | None
) -> ChunkResults:
    """Process chunks on an actor per CPU of the cluster, at most `most_actors`.

    Each actor has two chunks at a time.
    """
    with open_cluster() as ray:
        actors = max(1, int(ray.cluster_resources().get("CPU", 1)))
        actors = actors if most_actors is None else min(actors, most_actors)
        remote = ray.remote(num_cpus=1)(Worker)
        workers = [remote.remote(setup) for _ in range(actors)]
        pending: deque[tuple[int, Any]] = deque()
        try:
            for index, chunk in enumerate(chunks):
                worker = workers[index % actors]
                pending.append((chunk.position, worker.process.remote(chunk)))
                if len(pending) == 2 * actors + 1:
                    position, result = pending.popleft()
                    yield position, ray.get(result)
            for position, result in pending:
                yield position, ray.get(result)
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from error
        except ray.exceptions.RayError as error:
            raise EngineError(
                f"--engine ray: an actor of the cluster was lost ({type(error).__name__})"
            ) from error
        finally:
            for worker in workers:
                ray.kill(worker)


@contextlib.contextmanager
def open_cluster() -> Iterator[Any]:
    """Connect to the cluster that RAY_ADDRESS names, or start one that ends with the run."""
    try:
        import ray  # noqa: PLC0415  # an extra, slow to import
    except ImportError as error:
        raise EngineError(
            "--engine ray: needs the package ray, which is not installed; "
            "`make ray` or the extra `ray` installs it"
        ) from error
    is_own = not ray.is_initialized()
    if is_own:
        try:
            ray.init(logging_level=logging.WARNING, log_to_driver=False, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EngineError(
                f"--engine ray: no Ray cluster can be reached or started ({type(error).__name__})"
            ) from error
    try:
        yield ray
    finally:
        if is_own:
            ray.shutdown()
