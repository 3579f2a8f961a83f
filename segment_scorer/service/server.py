"""The service's process: from settings to a gRPC server with inference, health and reflection.

The composition root of the service. A stop signal drains it: health reports NOT_SERVING, new calls
are refused, and calls in progress get a grace period.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import resource
import signal
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from model.bundle import load_bundle
from model.runtime import OnnxModel
from protos.tls import TlsFileError, TlsFiles
from segment_scorer.service import health, servicer
from segment_scorer.service.addresses import listen
from segment_scorer.service.calls import Calls, Incomplete
from segment_scorer.service.errors import ServiceError
from segment_scorer.service.inferences import Inferences
from segment_scorer.service.log import log_failures, write_log
from segment_scorer.service.meter import Meter
from segment_scorer.service.minutes import Minutes
from segment_scorer.service.session import Model
from segment_scorer.service.settings import ServiceSettings

Result = TypeVar("Result")
REFLECTION = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MAX_REFLECTIONS = 4  # reflection streams at once
MAX_WATCHES = 1_000  # streams at once that watch health
MAX_CALLS_OF_A_CONNECTION = 1_000
MAX_AGE = 3_600  # seconds until a connection is closed, once its calls have ended
AGE_GRACE = 60  # seconds that those calls get
MAX_MESSAGE_BYTES = 2_147_483_647  # gRPC's own limit
MAX_DESCRIPTORS = 65_536
OWN_DESCRIPTORS = 64  # for the process itself, beside its connections
# The option that names each file of TlsFiles.
TLS_OPTIONS = {"authority": "--tls-client-ca", "certificate": "--tls-cert", "key": "--tls-key"}


class Service:
    """A gRPC server in a thread of its own. It listens once it is constructed; `drain` ends it."""

    def __init__(
        self,
        model: Model,
        settings: ServiceSettings,
        *,
        meter: Meter | None = None,
        shared: bool = False,
    ) -> None:
        """Listen on every address.

        meter   told of each call
        shared  whether other processes of this service listen on the same TCP addresses
        Raises ServiceError for an address that is not available and for unusable TLS files.
        """
        credentials = open_credentials(settings.tls) if settings.tls else None
        self.meter = meter or Meter()
        self._shared = shared
        self._inferences = Inferences(settings.max_calls, self.meter)
        self._grace = settings.grace
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(log_failures)
        self._thread = threading.Thread(target=self._loop.run_forever, name="calls", daemon=True)
        self._thread.start()
        try:
            self.addresses = self._run(self._start(model, settings, credentials))
        except BaseException:
            self._end()
            raise

    async def _start(
        self, model: Model, settings: ServiceSettings, credentials: grpc.ServerCredentials | None
    ) -> tuple[str, ...]:
        self._server = grpc.aio.server(options=list_options(model, settings, shared=self._shared))
        self._health = health.Health((servicer.SERVICE.full_name, model.facts.name))
        services: dict[Any, Any] = {
            servicer.SERVICE: servicer.InferenceServicer(
                model,
                max_rows=settings.max_rows,
                inferences=self._inferences,
                meter=self.meter,
            ),
            health.SERVICE: self._health,
        }
        if settings.reflection:
            names = [service.full_name for service in (*services, REFLECTION)]
            services[REFLECTION] = reflection.aio.ReflectionServicer(names)
        self._incomplete = Incomplete(settings.call_timeout)
        calls = Calls(
            self._incomplete,
            {"ServerReflectionInfo": MAX_REFLECTIONS, "Watch": MAX_WATCHES},
            self.meter,
        )
        self._server.add_generic_rpc_handlers(
            tuple(calls.make_handlers(service, methods) for service, methods in services.items())
        )
        addresses = tuple(listen(self._server, address, credentials) for address in settings.listen)
        await self._server.start()
        return addresses

    def drain(self) -> threading.Event:
        """Refuse new calls and let those in progress finish within the grace.

        The event is set when the last call has ended.
        """
        stopped = threading.Event()

        async def finish() -> None:
            await self._server.stop(self._grace)
            stopped.set()

        async def begin() -> None:
            self._health.drain()
            self._incomplete.drain()
            self._draining = asyncio.create_task(finish())
            await asyncio.sleep(0)  # until the server refuses new calls

        self._run(begin())
        return stopped

    def stop(self) -> None:
        """Stop at once; calls in progress are cancelled."""
        self._run(self._server.stop(None))
        self._end()

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._inferences.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def list_options(
    model: Model, settings: ServiceSettings, *, shared: bool = False
) -> list[tuple[str, int]]:
    """gRPC's options: what one client can take of the server. Milliseconds, bytes and counts."""
    idle = settings.idle_timeout
    limits = {
        "grpc.so_reuseport": int(shared),
        "grpc.max_receive_message_length": limit_message(model, settings.max_rows),
        "grpc.max_concurrent_streams": MAX_CALLS_OF_A_CONNECTION,
        "grpc.max_allowed_incoming_connections": limit_connections(settings),
        "grpc.server_handshake_timeout_ms": round(settings.call_timeout * 1000),
    }
    if idle:
        limits |= {
            "grpc.max_connection_idle_ms": round(idle * 1000),
            "grpc.max_connection_age_ms": MAX_AGE * 1000,
            "grpc.max_connection_age_grace_ms": AGE_GRACE * 1000,
        }
    return list(limits.items())


def limit_message(model: Model, max_rows: int) -> int:
    """The largest request in bytes, so that gRPC refuses a larger one before it is read.

    A request is at most 9 bytes a number and 64 KiB of names.
    """
    return min(max_rows * model.facts.width * 9 + 65_536, MAX_MESSAGE_BYTES)


def limit_connections(settings: ServiceSettings) -> int:
    """Connections at each address: as set, or fewer, if the process may not open as many files.

    gRPC closes a further connection at once. Without a limit it would use up the descriptors, and
    nobody could connect to any address, the probe's included.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return settings.max_connections
    share = (descriptors - OWN_DESCRIPTORS) // len(settings.listen)
    return max(1, min(settings.max_connections, share))


def raise_descriptor_limit() -> None:
    """Let this process open as many files as it is allowed to, up to 65,536."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


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
    """Serve in this process until a signal, then drain. A second signal exits at once, status 1.

    The signals are SIGTERM, SIGINT and SIGHUP.
    Raises BundleError or ServiceError before it listens.
    """
    signals = catch_signals()
    raise_descriptor_limit()
    model = load(settings.bundle)
    facts = name_model(model)
    service = Service(model, settings)
    minutes = Minutes(service.meter.read, lambda: [os.getpid()])
    fields: dict[str, Any] = {"addresses": service.addresses}
    try:
        if settings.metrics:
            # Imported only where asked for: it costs the start 40 ms.
            from segment_scorer.service.metrics import Sources, start_metrics  # noqa: PLC0415

            sources = Sources(
                counts=service.meter.read, facts=lambda: facts, pids=lambda: [os.getpid()]
            )
            fields["metrics"] = start_metrics(settings.metrics, sources)
    except BaseException:
        service.stop()
        raise
    write_log(logging.INFO, "listening", **fields, **facts)
    while True:
        try:
            signals.get(timeout=minutes.seconds_left)
            break
        except queue.Empty:
            minutes.write_if_due(facts)
    drain(service, settings.grace, signals)
    minutes.write(facts)
    write_log(logging.INFO, "stopped")


def catch_signals() -> queue.SimpleQueue[int]:
    """A queue of the stop signals that this process gets."""
    # SimpleQueue is the one queue that a signal handler may use.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _: signals.put(number))
    return signals


def drain(service: Service, grace: float, signals: queue.SimpleQueue[int]) -> None:
    """Let the calls in progress finish. A further signal ends the process at once: status 1."""
    write_log(logging.INFO, "draining", seconds=grace)
    stopped = service.drain()
    while not stopped.wait(0.1):
        if not signals.empty():
            service.stop()
            write_log(logging.WARNING, "cut short")
            os._exit(1)  # any other exit would wait for the threads that still compute
    service.stop()


def name_model(model: Model) -> dict[str, Any]:
    """The fields of a log line that name the model."""
    return {"model": model.facts.name, "version": model.facts.version}


def log_listening(service: Service, model: Model) -> None:
    """Log that the service listens, with its addresses and its model."""
    write_log(logging.INFO, "listening", addresses=service.addresses, **name_model(model))
