"""The service's process: from settings to a gRPC server with inference, health and reflection.

The composition root of the service. A stop signal drains it: health reports NOT_SERVING, new calls
are refused, and calls in progress get a grace period.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
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
from segment_scorer.service.limits import list_options, raise_descriptor_limit
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
LAST_SECONDS = 1.0  # for what gRPC still has to tell after a stop
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
        inference = servicer.InferenceServicer(
            model, max_rows=settings.max_rows, inferences=self._inferences, meter=self.meter
        )
        services: dict[Any, Any] = {
            servicer.SERVICE: inference,
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
            {"ModelInfer": inference.forms.recognise},
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
        self._run(wait_for_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def wait_for_others() -> None:
    """Wait until every other task of the loop has ended, or for a moment.

    gRPC tells of the end of a cancelled call a little later than it stops. Told to a closed loop,
    it would be an error in the next service of the process.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=LAST_SECONDS)


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
