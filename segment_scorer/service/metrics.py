"""Serves the counts as Prometheus metrics, at /metrics of an HTTP server of its own.

The only module that needs prometheus-client. One request at a time, each with a time limit: a slow
reader costs no thread and no memory.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from segment_scorer.service.addresses import split_tcp
from segment_scorer.service.errors import ServiceError
from segment_scorer.service.meter import BUCKETS, MeterSums

PREFIX = "segment_scorer"
PATH = "/metrics"
SECONDS = 5.0  # for a request of the metrics to arrive
OLDEST = "process_start_time_seconds"  # of several processes the oldest one's; the others are sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the metrics come from. Each is asked at every request.

    counts    what all processes have counted
    facts     name and version of the model, once it is known
    pids      the processes that serve
    restarts  processes started again after one has died
    """

    counts: Callable[[], MeterSums]
    facts: Callable[[], Mapping[str, str]]
    pids: Callable[[], Sequence[int]]
    restarts: Callable[[], int] = lambda: 0


class ServiceCollector(Collector):
    """Turns the counts into metrics."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        """Every metric of the service."""
        counts = self._sources.counts()
        calls = CounterMetricFamily(
            f"{PREFIX}_calls", "Calls that have ended.", labels=["method", "status"]
        )
        for (method, status), count in counts.calls.items():
            calls.add_metric([method, status], count)
        refusals = CounterMetricFamily(
            f"{PREFIX}_refusals", "Calls that were refused.", labels=["reason"]
        )
        for reason, count in counts.refusals.items():
            refusals.add_metric([reason], count)
        durations = HistogramMetricFamily(
            f"{PREFIX}_infer_seconds", "Answered ModelInfer calls, from the whole request on."
        )
        limits = (*(f"{limit:g}" for limit in BUCKETS), "+Inf")
        buckets = list(zip(limits, map(float, accumulate(counts.durations)), strict=True))
        durations.add_metric([], buckets, counts.seconds)
        model = GaugeMetricFamily(
            f"{PREFIX}_model", "The model served.", labels=["name", "version"]
        )
        if facts := self._sources.facts():
            model.add_metric([facts["model"], facts["version"]], 1)
        pids = self._sources.pids()
        return (
            calls,
            refusals,
            durations,
            CounterMetricFamily(f"{PREFIX}_rows", "Rows scored.", value=counts.rows),
            GaugeMetricFamily(
                f"{PREFIX}_queue", "Inferences admitted and not yet answered.", value=counts.queue
            ),
            model,
            GaugeMetricFamily(f"{PREFIX}_workers", "Processes that serve.", value=len(pids)),
            CounterMetricFamily(
                f"{PREFIX}_worker_restarts",
                "Processes started again after one had died.",
                value=self._sources.restarts(),
            ),
            *measure_processes(pids),
        )


def measure_processes(pids: Sequence[int]) -> list[Metric]:
    """prometheus-client's metrics of a process, of several added up."""
    sums: dict[str, Metric] = {}
    values: dict[str, list[float]] = {}
    for pid in pids:
        for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
            sums.setdefault(metric.name, metric)
            values.setdefault(metric.name, []).extend(sample.value for sample in metric.samples)
    found: list[Metric] = []
    for name, metric in sums.items():
        if not values[name]:
            continue
        value = min(values[name]) if name == OLDEST else sum(values[name])
        kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
        found.append(kind(name, metric.documentation, value=value))
    return found


class QuietHandler(WSGIRequestHandler):
    """Answers one request. Writes nothing to the log."""

    timeout = SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in http.server
        """Nothing: a line for each scrape would fill the log."""


class MetricsServer(WSGIServer):
    """An HTTP server that drops what fails: the next scrape asks again."""

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), QuietHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: the client has gone, or sent no HTTP."""


def start_metrics(address: str, sources: Sources) -> str:
    """Serve metrics at `host:port` from a thread; give the address with its real port.

    Raises ServiceError for an address that is not available.
    """
    host, port = split_tcp("--metrics", address)
    registry = CollectorRegistry()
    registry.register(ServiceCollector(sources))
    metrics: Callable[..., Iterable[bytes]] = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == PATH:
            return metrics(environ, start)
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [f"metrics are at {PATH}\n".encode()]

    try:
        server = MetricsServer(host, port)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ServiceError(f"--metrics: cannot listen on {address}: {reason}") from error
    server.set_app(answer)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return f"{address.rpartition(':')[0]}:{server.server_port}"
