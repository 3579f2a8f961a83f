"""The service's process: from settings to a gRPC server with inference, health and reflection.

The composition root of the service. A stop signal drains it: health reports NOT_SERVING, new calls
are refused, and calls in progress get a grace period.
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
from protos.tls import TlsFileError, TlsFiles
from segment_scorer.service.addresses import listen
from segment_scorer.service.errors import ServiceError
from segment_scorer.service.log import write_log
from segment_scorer.service.servicer import InferenceServicer
from segment_scorer.service.session import Model

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
SPARE_THREADS = 4  # answer readiness and refuse calls while all inferences are running
MAX_REFLECTIONS = 4  # reflection streams at once; each holds a thread while it is open
MAX_MESSAGE_BYTES = 2_147_483_647  # gRPC's own limit
# The option that names each file of TlsFiles.
TLS_OPTIONS = {"authority": "--tls-client-ca", "certificate": "--tls-cert", "key": "--tls-key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How to serve.

    bundle      directory of the model
    listen      addresses: `host:port` (port 0: any free one), `[::1]:port`, `unix:/path`
    tls         files for TLS on every TCP address; Unix sockets do not use it
    max_rows    rows in one request
    max_calls   inferences at once
    grace       seconds that calls in progress get after a stop signal
    reflection  whether clients may ask for the service's description
    """

    bundle: Path
    listen: tuple[str, ...] = ("127.0.0.1:8081",)
    tls: TlsFiles | None = None
    max_rows: int = 5_000
    max_calls: int = 16
    grace: float = 10.0
    reflection: bool = True


class Service:
    """A gRPC server. It listens as soon as it is constructed; `drain` ends it."""

    def __init__(self, model: Model, settings: ServiceSettings) -> None:
        """Listen on every address.

        Raises ServiceError for an address that is not available and for unusable TLS files.
        """
        self._grace = settings.grace
        # Non-blocking: a client that watches health holds no thread.
        self._health = health.HealthServicer(experimental_non_blocking=True)
        threads = settings.max_calls + SPARE_THREADS + MAX_REFLECTIONS
        self._server = grpc.server(
            futures.ThreadPoolExecutor(threads, thread_name_prefix="call"),
            # Above this gRPC refuses calls itself; below it the servicer does.
            maximum_concurrent_rpcs=threads * 8,
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", limit_message(model, settings.max_rows)),
            ],
        )
        add_GRPCInferenceServiceServicer_to_server(
            InferenceServicer(model, max_rows=settings.max_rows, max_calls=settings.max_calls),
            self._server,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.reflection:
            _add_reflection([SERVICE, health.SERVICE_NAME], self._server)
        credentials = open_credentials(settings.tls) if settings.tls else None
        self.addresses = tuple(
            listen(self._server, address, credentials) for address in settings.listen
        )
        for name in ("", SERVICE, model.facts.name):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._server.start()

    def drain(self) -> threading.Event:
        """Refuse new calls and let those in progress finish within the grace.

        The event is set when the last call has ended.
        """
        self._health.enter_graceful_shutdown()
        stopped: threading.Event = self._server.stop(self._grace)
        return stopped

    def stop(self) -> None:
        """Stop at once; calls in progress are cancelled."""
        self._server.stop(0).wait()


def limit_message(model: Model, max_rows: int) -> int:
    """The largest request in bytes, so that gRPC refuses a larger one before it is read.

    A request is at most 8 bytes a number and 64 KiB of names; the minimum is gRPC's default.
    """
    longest = max_rows * model.facts.width * 8 + 65_536
    return min(max(4_194_304, longest), MAX_MESSAGE_BYTES)


def open_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Read the TLS files. Raises ServiceError that names the option of an unusable one."""
    try:
        return files.open_server_credentials()
    except TlsFileError as error:
        raise ServiceError(f"{TLS_OPTIONS[error.part]}: {error}") from error


def load_model(bundle: Path) -> Model:
    """Load and check a bundle's model. Raises BundleError."""
    return OnnxModel(load_bundle(bundle))


def serve(settings: ServiceSettings, *, load: Callable[[Path], Model] = load_model) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal exits at once with status 1.

    Raises BundleError or ServiceError before it listens.
    """
    # SimpleQueue is the one queue that a signal handler may use.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    model = load(settings.bundle)
    service = Service(model, settings)
    log_listening(service, model)
    signals.get()
    write_log(logging.INFO, "draining", seconds=settings.grace)
    stopped = service.drain()
    while not stopped.wait(0.1):
        if not signals.empty():
            service.stop()
            write_log(logging.WARNING, "cut short")
            os._exit(1)  # any other exit would wait for the threads that still compute
    service.stop()
    write_log(logging.INFO, "stopped")


def log_listening(service: Service, model: Model) -> None:
    """Log that the service listens, with its addresses and its model."""
    facts = model.facts
    write_log(
        logging.INFO,
        "listening",
        addresses=service.addresses,
        model=facts.name,
        version=facts.version,
    )


def _add_reflection(names: list[str], server: grpc.Server) -> None:
    servicer = reflection.ReflectionServicer((*names, reflection.SERVICE_NAME))
    answer = servicer.ServerReflectionInfo
    admission = threading.BoundedSemaphore(MAX_REFLECTIONS)

    def answer_within_limit(requests: Any, context: Any) -> Iterator[Any]:
        if not admission.acquire(blocking=False):
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "too many reflection streams at once; close one"
            )
        try:
            yield from answer(requests, context)
        finally:
            admission.release()

    servicer.ServerReflectionInfo = answer_within_limit
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
