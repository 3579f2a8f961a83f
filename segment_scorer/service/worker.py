"""One of several processes that serve the same addresses. Its supervisor starts and stops it.

It says on stdout that it listens, and drains when its stdin ends: then the supervisor is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from segment_scorer.service.errors import ServiceError
from segment_scorer.service.settings import ServiceSettings

VARIABLE = "SEGMENT_SCORER_WORKER"
# Seconds until a client is asked to connect again. The kernel then chooses anew which worker gets
# it, so that no worker keeps few connections for long (docs/decisions/0018).
SHARED_AGE = 20.0


class WorkerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor tells a worker.

    index       of the worker, and of its block of counts
    workers     how many there are
    descriptor  of the memory with the counts
    listen      addresses, with their real ports
    """

    index: int
    workers: int
    descriptor: int
    listen: tuple[str, ...]


def read_order(environ: Mapping[str, str]) -> WorkerOrder | None:
    """The order in the environment; None in a process that is no worker. Raises ServiceError."""
    text = environ.get(VARIABLE)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=WorkerOrder)
    except msgspec.DecodeError as error:
        raise ServiceError(f"{VARIABLE}: the service itself sets this for its workers") from error


def write_order(order: WorkerOrder) -> dict[str, str]:
    """The environment variable with an order."""
    return {VARIABLE: msgspec.json.encode(order).decode()}


def serve(settings: ServiceSettings, order: WorkerOrder) -> None:
    """Serve until a signal or the end of stdin, then drain. A second signal exits at once.

    Raises BundleError or ServiceError before it listens.
    """
    # Imported here: the supervisor reads orders and loads no ONNX Runtime.
    from segment_scorer.service import limits, server  # noqa: PLC0415
    from segment_scorer.service.meter import Board, Meter  # noqa: PLC0415

    signals = server.catch_signals()
    watch_supervisor(signals)
    limits.raise_descriptor_limit()
    model = server.load_model(settings.bundle)
    meter = Meter(Board(order.workers, order.descriptor).block(order.index))
    settings = replace(settings, listen=order.listen, max_age=SHARED_AGE)
    service = server.Service(model, settings, meter=meter, shared=True)
    sys.stdout.write(json.dumps(server.name_model(model)) + "\n")
    sys.stdout.flush()
    signals.get()
    server.drain(service, settings.grace, signals)


def watch_supervisor(signals: queue.SimpleQueue[int]) -> None:
    """Put a signal into the queue when stdin ends."""

    def wait() -> None:
        while os.read(0, 1_024):
            pass
        signals.put(signal.SIGTERM)

    threading.Thread(target=wait, name="supervisor", daemon=True).start()
