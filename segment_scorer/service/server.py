"""The process: settings -> a listening gRPC server with the inference, health and reflection services, until it is told to stop.

The composition root of the service. A stop signal drains: health says no, no new calls, those under way are answered within the grace.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from model.bundle import load_bundle
from model.runtime import OnnxModel
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from segment_scorer.service.addresses import listen
from segment_scorer.service.servicer import InferenceServicer
from segment_scorer.service.session import Model
from segment_scorer.service.tls import TlsFiles, load_credentials

LOG = logging.getLogger("segment_scorer.service")
SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
SPARE_THREADS = 4  # for readiness and for refusals while every admitted inference runs
MOST_REFLECTIONS = 4  # streams at once, each of which holds a thread for as long as it is open
LONGEST_MESSAGE = 2_147_483_647  # gRPC's own bound


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How to serve.

    bundle      directory of the model
    listen      addresses: `host:port` (port 0: any free one), `[::1]:port`, `unix:/path`
    tls         files for TLS on every TCP address; a Unix socket never needs it
    most_rows   rows of one request
    most_calls  inferences at once
    grace       seconds that calls under way have, after a stop signal
    reflection  whether clients may ask what is served
    """

    bundle: Path
    listen: tuple[str, ...] = ("127.0.0.1:8081",)
    tls: TlsFiles | None = None
    most_rows: int = 5_000
    most_calls: int = 16
    grace: float = 10.0
    reflection: bool = True


class Service:
    """A server that listens from its construction on; `drain` ends it."""

    def __init__(self, model: Model, settings: ServiceSettings) -> None:
        """Listen on every address. Raises ServiceError for one that cannot be had, or TLS files that cannot be used."""
        self._grace = settings.grace
        self._health = health.HealthServicer(
            experimental_non_blocking=True
        )  # a watcher holds no thread
        threads = settings.most_calls + SPARE_THREADS + MOST_REFLECTIONS
        # A request is its numbers and a little around them; gRPC refuses a longer one before it is read.
        longest = min(
            max(4_194_304, settings.most_rows * model.facts.width * 8 + 65_536), LONGEST_MESSAGE
        )
        self._server = grpc.server(
            futures.ThreadPoolExecutor(threads, thread_name_prefix="call"),
            maximum_concurrent_rpcs=threads
            * 8,  # beyond it gRPC itself refuses; below it our own admission does
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", longest)],
        )
        add_GRPCInferenceServiceServicer_to_server(
            InferenceServicer(model, most_rows=settings.most_rows, most_calls=settings.most_calls),
            self._server,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [SERVICE, health.SERVICE_NAME]
        if settings.reflection:
            _add_reflection(names, self._server)
        credentials = load_credentials(settings.tls) if settings.tls else None
        self.addresses = tuple(
            listen(self._server, address, credentials) for address in settings.listen
        )
        for name in ("", SERVICE, model.facts.name):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._server.start()

    def drain(self) -> threading.Event:
        """Stop taking calls and let those under way end within the grace. The event is set when the last has ended."""
        self._health.enter_graceful_shutdown()
        stopped: threading.Event = self._server.stop(self._grace)
        return stopped

    def stop(self) -> None:
        """End at once; calls under way are cancelled."""
        self._server.stop(0).wait()


def load_model(bundle: Path) -> Model:
    """Load and check a bundle's model. Raises BundleError."""
    return OnnxModel(load_bundle(bundle))


def serve(settings: ServiceSettings, *, load: Callable[[Path], Model] = load_model) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once, status 1.

    Raises BundleError or ServiceError before it listens.
    """
    signals: queue.SimpleQueue[int] = (
        queue.SimpleQueue()
    )  # the one queue that a signal handler may use
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    model = load(settings.bundle)
    service = Service(model, settings)
    facts = model.facts
    LOG.info(
        "listening",
        extra={
            "fields": {
                "addresses": service.addresses,
                "model": facts.name,
                "version": facts.version,
            }
        },
    )
    signals.get()
    LOG.info("draining", extra={"fields": {"seconds": settings.grace}})
    stopped = service.drain()
    while not stopped.wait(0.1):
        if not signals.empty():
            service.stop()
            LOG.warning("cut short")
            os._exit(1)  # a thread that still computes would hold up any other way out
    service.stop()
    LOG.info("stopped")


def _add_reflection(names: list[str], server: grpc.Server) -> None:
    servicer = reflection.ReflectionServicer((*names, reflection.SERVICE_NAME))
    answer = servicer.ServerReflectionInfo
    admission = threading.BoundedSemaphore(MOST_REFLECTIONS)

    def answer_few(requests: Any, context: Any) -> Iterator[Any]:
        if not admission.acquire(blocking=False):
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "too many reflection streams at once; close one"
            )
        try:
            yield from answer(requests, context)
        finally:
            admission.release()

    servicer.ServerReflectionInfo = answer_few
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
